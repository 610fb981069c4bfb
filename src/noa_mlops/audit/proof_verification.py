"""``noa verify FILE``: a portable proof, checked with nothing but itself, an origin, and perhaps the model's files.

Keys come from the policy in the genesis line and from those that followed it by the law, and the genesis line is the one
that the origin names: so the origin is all that is trusted. What a proof cannot show: what the log says of other
versions, and what came after its checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from noa_mlops.audit.findings import Finding
from noa_mlops.audit.model_folder import folder_findings
from noa_mlops.audit.proof import PortableProof
from noa_mlops.audit.proof_policies import NotProven, changes_policy, fold_policies, read_in_place, signed_head
from noa_mlops.errors import NotFound
from noa_mlops.evidence import ProofInvalid
from noa_mlops.ledger import LedgerEntry, LedgerState, Refusal, VersionState, distrust, follow_version
from noa_mlops.records.documents import sha256
from noa_mlops.records.manifest import Manifest


@dataclass(frozen=True, slots=True)
class ProofVerification:
    """What a proof shows, and what of it does not hold.

    ``status`` is that of the version after its last entry (champion, rejected, failed, ...), None when it is not known;
    ``files`` how many files of the model were read, None when none were asked for. ``origin`` is the one in the proof,
    and ``anchored`` whether one was given to hold it against. ``size`` is how many entries the log had when its head was
    signed, None when that head does not hold: what was revoked later, the proof does not know.
    """

    name: str | None
    origin: str | None
    anchored: bool
    status: str | None
    checksum: str | None
    entries: int
    size: int | None
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
    size: int | None = None
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
    try:
        state = fold_policies(proof)
    except NotProven as error:
        look.find(error.entry, error.reason)
        return _result(look, origin, proof, None, None)
    if origin is not None and state.origin != origin:
        look.find(0, f"its origin is {state.origin}, not {origin}")
    _check_tree(proof, state, look)
    try:
        _follow(proof, state, look)
    except NotProven as error:
        look.find(error.entry, error.reason)
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
        size=look.size,
        files=files,
        findings=tuple(look.findings),
    )


def _check_tree(proof: PortableProof, state: LedgerState, look: _Look) -> None:
    """The checkpoint is signed by a key that may, and each line leads to its root."""
    try:
        head = signed_head(proof, state)
    except NotProven as error:
        look.find(error.entry, error.reason)
        return
    look.size = head.size
    for proven in proof.lines:
        if not proven.inclusion.leads(proven.line, head):
            look.find(proven.inclusion.index, "is not in the tree that the checkpoint vouches for")


def _follow(proof: PortableProof, state: LedgerState, look: _Look) -> None:
    """Each line of the version is signed by a key that might, stands in its place, and is the next step.

    Raises `NotProven` at the first that is not.
    """
    for before, proven in pairwise(proof.lines):
        if changes_policy(proven.line):
            continue
        index = proven.inclusion.index
        entry = read_in_place(state.policy_at(index), before, proven)
        reason = _step_problem(proof, state, entry, look)
        if reason is not None:
            raise NotProven(index, reason)
    if look.version is None or look.version.on_its_way:
        raise NotProven(None, "does not hold all entries of its version: the last one decides nothing")


def _step_problem(proof: PortableProof, state: LedgerState, entry: LedgerEntry, look: _Look) -> str | None:
    policy = state.policy_at(entry.seq)
    if policy is None or not policy.allows(entry.keyid, entry.type):
        return f"is signed by a key that may not sign {entry.type}"
    if (entry.lifecycle_id, entry.version) != (proof.lifecycle_id, proof.version):
        return f"is not about {proof.name}"
    after = follow_version(look.version, entry)
    if isinstance(after, Refusal):
        return after.reason
    look.version, look.last = after, entry
    return distrust(state.policies, entry.seq, entry.keyid)


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
