"""Whatever reads what strangers hand over: what each may refuse it with, and what must hold of what it takes.

Shared by the random tests beside it and by the fuzzer (``make fuzz``). A check says whether the bytes were taken; what
it raises is a finding: an error that is not the parser's own, or a document that is not written back as it was read.
"""

from __future__ import annotations

import base64
import importlib.util
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noa_mlops.audit import proof_verification, verify_proof
from noa_mlops.errors import PlanInvalid
from noa_mlops.evidence import (
    Inclusion,
    LogCheckpoint,
    NoteInvalid,
    ProofInvalid,
    StatementInvalid,
    leaf_hash,
    parse_checkpoint,
    prove_inclusion,
    root_of,
    sign_checkpoint,
    sign_model,
    sign_note,
    split_line,
)
from noa_mlops.evidence.act import Act, ActInvalid, SignedAct, read_act
from noa_mlops.evidence.keys import KeyInvalid, load_public
from noa_mlops.evidence.model_signature import ModelSignatureInvalid, check_model
from noa_mlops.evidence.proof import check_proof, read_proof, write_proof
from noa_mlops.evidence.statement import sign_payload
from noa_mlops.ledger import LedgerState, Refusal, admit
from noa_mlops.ledger.entry import EntryInvalid, read_entry
from noa_mlops.ledger.law import admit_sealed
from noa_mlops.records.dataset import DatasetDefinition
from noa_mlops.records.documents import DocumentInvalid, canonical, compact, parse_object
from noa_mlops.records.events import LedgerLine
from noa_mlops.records.manifest import Manifest
from noa_mlops.records.names import name_problem
from noa_mlops.records.paths import path_problem
from noa_mlops.records.plan import TrainingPlan
from noa_mlops.records.policy import Policy, policy_text
from noa_mlops.records.reading import read_document
from noa_mlops.records.settings import Settings
from noa_mlops.registry.comparison import Comparison
from noa_mlops.registry.lines import MIRRORED, position, project
from vectors import logs

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Parser:
    """``check`` says whether it took the bytes; ``seeds`` are real documents, all of which it takes.

    ``write`` gives the bytes of a changed JSON value, for parsers whose documents are JSON in one form.
    """

    check: Callable[[bytes], bool]
    seeds: tuple[bytes, ...]
    write: Callable[[Any], bytes] | None = None


def shown(kind: Callable[[str], bool]) -> tuple[bytes, ...]:
    """The YAML documents that the documentation shows."""
    texts = [path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))]
    found = [block for text in texts for block in re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]
    return tuple(sorted({block.encode() for block in found if kind(block)}))


def is_definition(text: str) -> bool:
    """Whether a YAML document is a dataset definition."""
    return text.startswith("files:")


def is_settings(text: str) -> bool:
    """Whether a YAML document is the settings of a project; what is neither is a plan."""
    return text.startswith("name:")


def taken_plan(name: str) -> Callable[[bytes], bool]:
    """A plan that is taken has one digest, however it is written."""

    def check(data: bytes) -> bool:
        try:
            plan = TrainingPlan.parse(data, name=name)
        except PlanInvalid:
            return False
        again = TrainingPlan.parse(compact(plan.to_document()), name="plan.json")
        assert (again, again.digest) == (plan, plan.digest)
        return True

    return check


def taken_definition(data: bytes) -> bool:
    """A dataset definition that is taken can be used: the columns that it names, and those that it hides."""
    try:
        definition = read_document(data, name="a.dataset.yaml", kind=DatasetDefinition)
    except PlanInvalid:
        return False
    assert all(isinstance(name, str) for name in definition.hidden)
    assert all(isinstance(name, str) for pair in definition.named_columns() for name in pair)
    return True


def taken_settings(data: bytes) -> bool:
    """Settings that are taken name lifecycles and files that can be looked for."""
    try:
        settings = read_document(data, name="noa.yaml", kind=Settings)
    except PlanInvalid:
        return False
    assert all(name_problem(name) is None for name in settings.schedule)
    assert all(path_problem(task.data) is None for task in settings.schedule.values())
    return True


def taken_policy(data: bytes) -> bool:
    """A policy that is taken is written back as itself, as JSON for the ledger and as YAML for people."""
    try:
        name = "policy.json" if data.startswith(b"{") else "policy.yaml"
        policy = Policy.from_document(read_document(data, name=name, kind=dict))
    except PlanInvalid:
        return False
    assert Policy.from_document(parse_object(compact(policy.to_document()), limit=1 << 24)) == policy
    text = policy_text(policy).encode()
    assert Policy.from_document(read_document(text, name="policy.yaml", kind=dict)) == policy
    return True


LOG, PROOF = logs.usual()
DOCUMENT = logs.manifest().to_bytes()
VERIFIER = logs.KEYS["verifier"]
STATES = [LedgerState()]
for each in LOG.lines:
    STATES.append(admit(STATES[-1], each))
LEAVES = [leaf_hash(line) for line in LOG.lines]
HEAD = LogCheckpoint(LOG.origin, len(LEAVES), root_of(LEAVES), 0)
CHECKPOINT = sign_checkpoint(HEAD, VERIFIER)


def state_before(data: bytes) -> LedgerState:
    """The state that a line wants to follow, by the first number that it gives as its place."""
    found = re.search(rb'"seq":(\d{1,3})', data)
    return STATES[min(int(found[1]) if found else 0, len(STATES) - 1)]


def taken_line(data: bytes) -> bool:
    """Nothing is admitted but the lines that were signed, and an entry that is read is in its one form."""
    try:
        signed = split_line(data)
        entry = read_entry(data, signed)
    except (StatementInvalid, EntryInvalid):
        assert isinstance(admit(state_before(data), data), Refusal)
        return False
    header = {"v": 1, "type": entry.type, "seq": entry.seq, "prev": entry.prev, "ts": entry.ts}
    about = {"lifecycle_id": entry.lifecycle_id, "version": entry.version, "status": entry.status}
    members = (header | {name: value for name, value in about.items() if value is not None},)
    members += (entry.predicate_type, entry.predicate, entry.subject)
    names = ("noa_entry", "predicateType", "predicate", "subject")
    statement = {"_type": "https://in-toto.io/Statement/v1", **dict(zip(names, members, strict=True))}
    tail = {"keyid": signed.keyid, "sig": base64.b64encode(signed.signature).decode()}
    assert compact({**statement, "signatures": [tail]}) == data
    taken = isinstance(admit(state_before(data), data), LedgerState)
    assert taken == (data in LOG.lines)
    return taken


def taken_statement(data: bytes) -> bool:
    """The runtime's key is no licence: what it signs is judged, and what is admitted can be gone on from and mirrored."""
    try:
        line = sign_payload(data, VERIFIER)
    except StatementInvalid:
        return False
    state = state_before(data)
    after = admit(state, line)
    if isinstance(after, Refusal):
        return False
    assert after.size == state.size + 1
    assert admit_sealed(state, line) == after
    entry = read_entry(line, split_line(line))
    if entry.type in MIRRORED:
        mirrored = project(LedgerLine(entry.seq, entry.type, line, None, "ready"))
        assert position(mirrored) == entry.seq
    return True


def taken_checkpoint(data: bytes) -> bool:
    """A head that is taken is the one that was signed; text that is signed as one is taken only in its one form."""
    try:
        assert parse_checkpoint(data, LOG.origin, [VERIFIER.public]) == HEAD
        return True
    except NoteInvalid:
        pass
    try:
        text = data.decode()
        head = parse_checkpoint(sign_note(text, LOG.origin, VERIFIER), LOG.origin, [VERIFIER.public])
    except (UnicodeDecodeError, NoteInvalid):
        return False
    assert head.text() == text
    return True


def taken_manifest(data: bytes) -> bool:
    """A manifest has one form."""
    try:
        manifest = Manifest.from_bytes(data)
    except ValueError:
        return False
    assert manifest.to_bytes() == data
    return True


def mirrored(lines: list[bytes]) -> list[LedgerLine]:
    """What the mirror is told of the lines of a ledger."""
    found, state = [], LedgerState()
    for line in lines:
        state = admit(state, line)
        entry = read_entry(line, split_line(line))
        lifecycle = state.lifecycle(entry.lifecycle_id) if entry.lifecycle_id else None
        champion = lifecycle.champion if lifecycle else None
        found.append(LedgerLine(entry.seq, entry.type, line, champion, "ready"))
    return found


MIRRORED_LINES = mirrored(LOG.lines)
MIRROR = b"".join(project(line) + b"\n" for line in MIRRORED_LINES if line.type in MIRRORED)
FOLDER = tempfile.TemporaryDirectory()
MIRROR_FILE, MIRROR_HEAD = Path(FOLDER.name, "mirror.log"), Path(FOLDER.name, "mirror.log.checkpoint")
LEAVES_OF_MIRROR = [leaf_hash(line) for line in MIRROR.splitlines()]
MIRROR_HEAD.write_bytes(
    sign_checkpoint(LogCheckpoint(LOG.origin, len(LEAVES_OF_MIRROR), root_of(LEAVES_OF_MIRROR)), VERIFIER)
)


def taken_mirror(data: bytes) -> bool:
    """A mirror that is taken is the one that follows from the ledger; for any line of any other something can be said."""
    MIRROR_FILE.write_bytes(data)
    comparison = Comparison(MIRROR_FILE, MIRROR_HEAD, LOG.origin)
    for line in MIRRORED_LINES:
        comparison.take(line)
    taken = not list(comparison.findings([VERIFIER.public]))
    assert taken == (data == MIRROR)
    for line in data.split(b"\n"):
        place = position(line)
        assert place is None or place >= 0
    return taken


ENTRY = 3
TLOG_PROOF = write_proof(Inclusion(ENTRY, prove_inclusion(ENTRY, LEAVES)), CHECKPOINT)


def taken_proof(data: bytes) -> bool:
    """A proof has one form, but for extra data; it leads to the head that was signed, or nowhere."""
    try:
        inclusion, checkpoint = read_proof(data)
    except ProofInvalid:
        return False
    if not data.partition(b"\n")[2].startswith(b"extra "):
        assert write_proof(inclusion, checkpoint) == data
    try:
        return check_proof(data, LOG.lines[ENTRY], LOG.origin, [VERIFIER.public]) == HEAD
    except (ProofInvalid, NoteInvalid):
        return False


def independent_verifier() -> Any:
    """The verifier that shares no code with the package."""
    path = Path(proof_verification.__file__).with_name("verify_noa_proof.py")
    spec = importlib.util.spec_from_file_location("verify_noa_proof", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ALONE = independent_verifier()
VECTORS = ROOT / "tests" / "vectors" / "good"


def taken_portable_proof(data: bytes) -> bool:
    """Two verifiers agree on it."""
    result = verify_proof(data, file="proof")
    said = {"status": None, "checksum": None, "named": {}}
    findings = list(ALONE.verify(data, None, None, said))
    assert bool(result.findings) == bool(findings), (result.findings, findings)
    return not findings


SIGNED_ACT = SignedAct(
    Act(LOG.origin, "rollback", {"lifecycle_id": "rain", "version": 1}, "0" * 64, "1" * 64, "2027-01-01T00:00:00Z")
).signed_by(logs.KEYS["operator"])


def taken_act(data: bytes) -> bool:
    """An act has one form."""
    try:
        document = parse_object(data, limit=1 << 17)
        act = read_act(document)
    except (DocumentInvalid, ActInvalid):
        return False
    assert act.envelope() == document
    act.verifies({logs.KEYS["operator"].public.keyid: logs.KEYS["operator"].public})
    return True


FILES = logs.files(logs.MODEL)
MODEL_SIGNATURE = sign_model("rain@1", FILES, logs.KEYS["model"])


def taken_model_signature(data: bytes) -> bool:
    """A signature of these files, or none."""
    try:
        check_model(data, FILES, logs.KEYS["model"].public)
    except ModelSignatureInvalid:
        return False
    return True


def taken_public_key(data: bytes) -> bool:
    """A key has one text."""
    try:
        key = load_public(data.decode())
    except (UnicodeDecodeError, KeyInvalid):
        return False
    assert key.pem.encode() == data
    return True


PLANS = shown(lambda text: not is_definition(text) and not is_settings(text))
POLICIES = (
    logs.policy(),
    logs.governed(quorum=2, root=["root", "root-2"], revoked={"thief": 4}, data_roots=["/data"]),
)

PARSERS: Mapping[str, Parser] = {
    "plan.yaml": Parser(taken_plan("plan.yaml"), PLANS),
    "plan.json": Parser(
        taken_plan("plan.json"),
        tuple(compact(TrainingPlan.parse(text, name="plan.yaml").to_document()) for text in PLANS),
        compact,
    ),
    "definition": Parser(taken_definition, shown(is_definition)),
    "settings": Parser(taken_settings, shown(is_settings)),
    "policy": Parser(
        taken_policy,
        tuple(
            form
            for document in POLICIES
            for form in (policy_text(Policy.from_document(document)).encode(), compact(document))
        ),
        compact,
    ),
    "line": Parser(taken_line, tuple(LOG.lines), compact),
    "statement": Parser(taken_statement, tuple(split_line(line).payload for line in LOG.lines), compact),
    "checkpoint": Parser(taken_checkpoint, (CHECKPOINT, HEAD.text().encode())),
    "manifest": Parser(taken_manifest, (DOCUMENT,), lambda value: canonical(value) + b"\n"),
    "mirror": Parser(taken_mirror, (MIRROR,)),
    "proof": Parser(taken_proof, (TLOG_PROOF,)),
    "portable proof": Parser(
        taken_portable_proof, (PROOF.to_bytes(), *(path.read_bytes() for path in sorted(VECTORS.iterdir())))
    ),
    "act": Parser(taken_act, (compact(SIGNED_ACT.envelope()),), compact),
    "model signature": Parser(taken_model_signature, (MODEL_SIGNATURE,), compact),
    "public key": Parser(
        taken_public_key, tuple(logs.KEYS[name].public.pem.encode() for name in ("verifier", "model"))
    ),
}
"""Each parser by its name."""
