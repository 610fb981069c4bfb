"""``noa verify FILE``: a portable proof, checked with nothing but itself, an origin, and perhaps the model's files.

Keys come from the policy in the genesis line, and the genesis line is the one that the origin names: so the origin is
all that is trusted. What a proof cannot show: what the log says after this version.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from noa_mlops.audit.findings import Finding
from noa_mlops.audit.model_folder import folder_findings
from noa_mlops.audit.proof import PortableProof
from noa_mlops.errors import NotFound
from noa_mlops.evidence import NoteInvalid, ProofInvalid, parse_checkpoint
from noa_mlops.ledger import (
    LedgerEntry,
    LedgerState,
    Refusal,
    VersionState,
    admit,
    follow_version,
    head_keys,
    read_authentic,
)
from noa_mlops.records.documents import sha256
from noa_mlops.records.manifest import Manifest
from noa_mlops.records.policy import SIGN_HEAD, Policy


@dataclass(frozen=True, slots=True)
class ProofVerification:
    """What a proof shows, and what of it does not hold.

    ``status`` is that of the version after its last entry (champion, rejected, failed, ...), None when it is not known;
    ``files`` how many files of the model were read, None when none were asked for. ``origin`` is the one in the proof,
    and ``anchored`` whether one was given to hold it against.
    """

    name: str | None
    origin: str | None
    anchored: bool
    status: str | None
    checksum: str | None
    entries: int
    files: int | None
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing was found and the signer is known."""
        return self.anchored and not self.findings


@dataclass(slots=True)
class _Look:
    """One look at a proof: what was found so far, and what the entries come to."""

    file: str
    findings: list[Finding] = field(default_factory=list)
    version: VersionState | None = None
    last: LedgerEntry | None = None

    def find(self, entry: int | None, reason: str) -> None:
        """Note one thing that does not hold."""
        self.findings.append(Finding(self.file, entry, reason))


def verify_proof(data: bytes, *, file: str, origin: str | None = None, model: Path | None = None) -> ProofVerification:
    """Check the proof ``data``, called ``file`` in findings, and the folder ``model`` of the version it speaks of.

    Raises `NotFound` when ``model`` is no folder.
    """
    if model is not None and not model.is_dir():
        raise NotFound(f"there is no folder {model}", hint="Name the folder that holds 'model' with --model.")
    look = _Look(file)
    try:
        proof = PortableProof.from_bytes(data)
    except ProofInvalid as error:
        look.find(None, str(error))
        return _result(look, origin, None, None, None)
    state = _genesis(proof, look)
    if state is None or state.policy is None:
        return _result(look, origin, proof, None, None)
    if origin is not None and state.origin != origin:
        look.find(0, f"its origin is {state.origin}, not {origin}")
    _check_tree(proof, state, look)
    _follow(proof, state.policy, look)
    manifest = _manifest(proof, look)
    files = _check_model(model, manifest, look)
    return _result(look, origin, proof, state.origin, files)


def _result(
    look: _Look, origin: str | None, proof: PortableProof | None, found: str | None, files: int | None
) -> ProofVerification:
    return ProofVerification(
        name=proof.name if proof is not None else None,
        origin=found,
        anchored=origin is not None,
        status=look.version.status if look.version is not None else None,
        checksum=look.version.checksum if look.version is not None else None,
        entries=len(proof.lines) if proof is not None else 0,
        files=files,
        findings=tuple(look.findings),
    )


def _genesis(proof: PortableProof, look: _Look) -> LedgerState | None:
    """The state after the first line, from which keys and origin follow."""
    first = proof.lines[0]
    after = admit(LedgerState(), first.line)
    if isinstance(after, LedgerState) and first.inclusion.index == 0:
        return after
    reason = after.reason if isinstance(after, Refusal) else "is genesis, but not said to be the first line"
    look.find(first.inclusion.index, f"{reason}; nothing after it can be judged")
    return None


def _check_tree(proof: PortableProof, state: LedgerState, look: _Look) -> None:
    """The checkpoint is signed by a key that may, and each line leads to its root."""
    keys = head_keys(state.policy, SIGN_HEAD) if state.policy is not None else ()
    try:
        head = parse_checkpoint(proof.checkpoint, state.origin or "", keys)
    except NoteInvalid as error:
        look.find(None, f"the checkpoint {error}")
        return
    for proven in proof.lines:
        if not proven.inclusion.leads(proven.line, head):
            look.find(proven.inclusion.index, "is not in the tree that the checkpoint vouches for")


def _follow(proof: PortableProof, policy: Policy, look: _Look) -> None:
    """Each line is signed by a key that may, stands in its place, and is the next step of this version."""
    before = proof.lines[0]
    for proven in proof.lines[1:]:
        entry = read_authentic(policy, proven.line)
        if isinstance(entry, Refusal):
            look.find(proven.inclusion.index, entry.reason)
            return
        adjacent = before.inclusion.index == entry.seq - 1
        reason = _place_problem(entry, proven.inclusion.index, sha256(before.line) if adjacent else entry.prev)
        reason = reason or _step_problem(proof, policy, entry, look)
        if reason is not None:
            look.find(proven.inclusion.index, reason)
            return
        before = proven
    if look.version is None or look.version.on_its_way:
        look.find(None, "does not hold all entries of its version: the last one decides nothing")


def _place_problem(entry: LedgerEntry, index: int, prev: str) -> str | None:
    if entry.seq != index:
        return f"has the number {entry.seq} in the place of {index}"
    return None if entry.prev == prev else "does not follow the line before it"


def _step_problem(proof: PortableProof, policy: Policy, entry: LedgerEntry, look: _Look) -> str | None:
    if not policy.allows(entry.keyid, entry.type):
        return f"is signed by a key that may not sign {entry.type}"
    if (entry.lifecycle_id, entry.version) != (proof.lifecycle_id, proof.version):
        return f"is not about {proof.name}"
    after = follow_version(look.version, entry)
    if isinstance(after, Refusal):
        return after.reason
    look.version, look.last = after, entry
    return None


def _manifest(proof: PortableProof, look: _Look) -> Manifest | None:
    """The manifest, when it is the one that the decision names and speaks of the same version and files."""
    if look.version is None or look.version.on_its_way:
        return None
    expected = _named(look).get("manifest.json")
    if proof.manifest is None or expected is None:
        if expected is not None:
            look.find(None, "lacks the manifest that the decision names")
        elif proof.manifest is not None:
            look.find(None, "holds a manifest that no entry names")
        return None
    if sha256(proof.manifest) != expected:
        look.find(None, "its manifest is not the one that was signed")
        return None
    try:
        manifest = Manifest.from_bytes(proof.manifest)
    except ValueError as error:
        look.find(None, f"its manifest {error}")
        return None
    for reason in _contradictions(manifest, proof, look.version):
        look.find(None, f"its manifest {reason}")
    return manifest


def _named(look: _Look) -> dict[str, str]:
    """The files beside the model that the decision names, by name."""
    if look.last is None or look.last.type != "PromotionReady":
        return {}
    return {str(item.get("name")): item["digest"]["sha256"] for item in look.last.subject[1:]}


def _contradictions(manifest: Manifest, proof: PortableProof, version: VersionState) -> Iterator[str]:
    if (manifest.lifecycle_id, manifest.version) != (proof.lifecycle_id, proof.version):
        yield "is that of another version"
    if (manifest.profile, manifest.plan_digest) != (version.profile, version.plan_digest):
        yield "names another profile or plan than was submitted"
    if manifest.checksum != version.checksum:
        yield "lists other files than were signed"


def _check_model(model: Path | None, manifest: Manifest | None, look: _Look) -> int | None:
    """How many files were held against the manifest; None when none were asked for, or nothing says what they are."""
    if model is None:
        return None
    if manifest is None:
        look.find(None, "does not say of which files the model consists")
        return None
    for path, reason in folder_findings(model, manifest, _named(look)):
        look.findings.append(Finding(str(model / path), None, reason))
    return len(manifest.files) + len(manifest.code)
