"""Small logs from fixed keys: what the vectors are cut from. The same call gives the same bytes, always."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from noa_mlops.audit import PortableProof, ProvenLine
from noa_mlops.evidence import (
    Act,
    Inclusion,
    LogCheckpoint,
    SignedAct,
    SigningKey,
    leaf_hash,
    load_signing,
    prove_inclusion,
    root_of,
    sign_note,
)
from noa_mlops.evidence.dsse import PAYLOAD_TYPE, pae
from noa_mlops.records.dataset import FileDigest
from noa_mlops.records.documents import canonical, compact, sha256
from noa_mlops.records.manifest import Manifest, checksum
from noa_mlops.records.policy import KeyRecord, founding_policy

TIME = "2026-11-01T12:00:00.000Z"
LIFECYCLE = "noa:lifecycle/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
SUMMARY = "https://slsa.dev/verification_summary/v1"
PLAN = sha256(b"the plan")
MODEL = {"weights.bin": b"0.5 0.25\n", "deep/notes.txt": b"a model for tests\n"}
CODE = {"features.py": b"RATE = 1\n"}
PREDICTIONS = b"predictions\n"


def fixed_key(name, *, p256=False):
    """The key that belongs to ``name``."""
    seed = hashlib.sha256(f"noa-mlops test vectors: {name}".encode()).digest()
    key = (
        ec.derive_private_key(int.from_bytes(seed), ec.SECP256R1())
        if p256
        else Ed25519PrivateKey.from_private_bytes(seed)
    )
    signing = load_signing(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    if not p256:
        return signing
    # RFC 6979: the same signature each time.
    return SigningKey.external(
        signing.public, lambda message: key.sign(message, ec.ECDSA(SHA256(), deterministic_signing=True))
    )


NAMES = ("verifier", "operator", "root", "stranger", "thief", "verifier-2", "operator-2", "root-2", "root-3")
KEYS = {name: fixed_key(name) for name in NAMES}
KEYS |= {name: fixed_key(name, p256=True) for name in ("model", "model-2")}
ROLES = ("verifier", "operator", "root", "model")


def record(name):
    public = KEYS[name].public
    return KeyRecord(public.keyid, public.scheme, public.pem)


def policy(verifier="verifier"):
    """The policy document of the logs."""
    roles = {"verifier": verifier, "operator": "operator", "root": "root", "model": "model"}
    return founding_policy("vectors", **{role: record(name) for role, name in roles.items()}).to_document()


def governed(quorum=1, revoked=None, data_roots=(), **held):
    """A later policy: who holds each role (by default who held it first), the quorum of root, what is revoked."""
    held = {role: held.get(role, [role]) for role in ROLES}
    document, names = policy(), sorted({name for names in held.values() for name in names})
    keyids = {name: KEYS[name].public.keyid for name in names}
    document["keys"] = {
        keyids[name]: {"scheme": KEYS[name].public.scheme, "public": KEYS[name].public.pem} for name in names
    }
    for role in ROLES:
        document["roles"][role] |= {"keys": [keyids[name] for name in held[role]]}
    document["roles"]["root"] |= {"quorum": quorum}
    document["data_roots"] = list(data_roots)
    if revoked:
        document["revoked"] = {KEYS[name].public.keyid: {"last": last} for name, last in revoked.items()}
    return document


@dataclass
class Entry:
    """One entry before it is signed; ``key`` signs it, ``payload`` and ``line`` may spoil what was made of it."""

    type: str
    predicate_type: str
    predicate: dict[str, Any]
    subject: list[Any]
    lifecycle_id: str | None = None
    version: int | None = None
    status: str | None = None
    key: str = "verifier"
    header: dict[str, Any] = field(default_factory=dict)
    payload: Callable[[bytes], bytes] = lambda payload: payload
    line: Callable[[bytes], bytes] = lambda line: line
    statement_type: str = "https://in-toto.io/Statement/v1"
    act: Callable[[str, str], Any] | None = None
    """What is decided in the log with this origin in answer to the policy with this leaf hash."""

    def sign(self, seq, prev):
        """The line at its place."""
        header = {"v": 1, "type": self.type, "seq": seq, "prev": prev, "ts": TIME}
        header |= {"lifecycle_id": self.lifecycle_id, "version": self.version, "status": self.status}
        header = {name: value for name, value in (header | self.header).items() if value is not None}
        statement = {
            "_type": self.statement_type,
            "noa_entry": header,
            "predicateType": self.predicate_type,
            "predicate": self.predicate,
            "subject": self.subject,
        }
        return self.line(signed(self.payload(compact(statement)), KEYS[self.key]))


def signed(payload, key, keyid=None):
    """A payload with its signature in place, whether or not it is one that anybody would sign."""
    import base64

    signature = base64.b64encode(key.sign(pae(PAYLOAD_TYPE, payload)))
    return b'%b,"signatures":[{"keyid":"%b","sig":"%b"}]}' % (
        payload[:-1],
        (keyid or key.public.keyid).encode(),
        signature,
    )


def genesis(document=None, **changes):
    document = document or policy()
    predicate = {"format": 1, "policy": document, "created_with": "vectors"}
    subject = [{"name": "policy", "digest": {"sha256": sha256(canonical(document))}}]
    return Entry(
        **{"type": "Genesis", "predicate_type": "noa:trust/v1", "predicate": predicate, "subject": subject} | changes
    )


def change(document, *signers, act=None, envelope=lambda envelope: envelope, **changes):
    """PolicyChanged to ``document``; its act, signed by ``signers``, has the members ``act`` changed before that."""
    digest = sha256(canonical(document))

    def decided_in(origin, leaf):
        members = {"origin": origin, "act": "policy", "scope": {"policy": {"sha256": digest}}, "answers": leaf}
        decision = SignedAct(Act(**(members | (act or {}))))
        for name in signers:
            decision = decision.signed_by(KEYS[name])
        return envelope(decision.envelope())

    fields = {"type": "PolicyChanged", "predicate_type": "noa:trust/v1", "predicate": {"policy": document}}
    subject = [{"name": "policy", "digest": {"sha256": digest}}]
    return Entry(**{**fields, "subject": subject, "act": decided_in} | changes)


def submitted(lifecycle="rain", version=1, predicate=None):
    facts = {"plan": {"digest": {"sha256": PLAN}}, "profile": "python", "agent_id": f"{lifecycle}-{version}"}
    subject = [{"name": "plan", "digest": {"sha256": PLAN}}]
    return Entry("Submitted", LIFECYCLE, facts | {"note": "naïve ☂"} | (predicate or {}), subject, lifecycle, version)


def about(kind, predicate_type, lifecycle="rain", version=1, status=None):
    subject = [{"name": f"{lifecycle}@{version}", "digest": {"sha256": manifest(lifecycle, version).checksum}}]
    return Entry(kind, predicate_type, {"rows": 100}, subject, lifecycle, version, status)


def trained(lifecycle="rain", version=1):
    return about("TrainingCompleted", PROVENANCE, lifecycle, version)


def evaluated(lifecycle="rain", version=1):
    return about("EvaluationLogged", LIFECYCLE, lifecycle, version)


def decided(lifecycle="rain", version=1, *, status="ready", verdict="pass", reasons=(), replaces=None, stored=None):
    entry = about("PromotionReady", SUMMARY, lifecycle, version, status)
    passed = status == "ready" and verdict == "pass"
    decision = {"verdict": verdict, "status": status, "reasons": list(reasons), "replaces": replaces}
    entry.predicate = {"verificationResult": "PASSED" if passed else "FAILED", "noa:decision": decision}
    if stored is not None:
        names = {"manifest.json": stored, "predictions.parquet": PREDICTIONS}
        entry.subject += [{"name": name, "digest": {"sha256": sha256(data)}} for name, data in names.items()]
    return entry


def training_failed(lifecycle="wind", version=1):
    return Entry("TrainingFailed", PROVENANCE, {}, [{"digest": {"sha256": PLAN}}], lifecycle, version, "failed")


def evaluation_failed(lifecycle="rain", version=1):
    return about("EvaluationFailed", LIFECYCLE, lifecycle, version, "failed")


def files(contents):
    return tuple(FileDigest(path, len(data), sha256(data)) for path, data in contents.items())


def manifest(lifecycle="rain", version=1):
    return Manifest(
        lifecycle_id=lifecycle,
        profile="python",
        version=version,
        artifact=f"storage/artifacts/{lifecycle}/python/{version}",
        files=files(MODEL),
        created_at=TIME,
        plan_digest=PLAN,
        dataset={"path": "data.csv", "rows": 100},
        evaluation={"metrics": {"roc_auc": 0.91}},
        agents={},
        environment={},
        seed=0,
        predict={},
        code_bearing=True,
        code=files(CODE),
    )


def manifest_bytes(changes, *, drop=()):
    """The manifest with members changed, its checksum made to fit unless it is changed too."""
    import json

    document = json.loads(manifest().to_bytes()) | changes
    listed = [FileDigest(**file) for file in document["files"] if file.keys() == {"path", "size", "sha256"}]
    document |= {"checksum": checksum(listed)} if "files" in changes and "checksum" not in changes else {}
    return canonical({name: value for name, value in document.items() if name not in drop}) + b"\n"


@dataclass
class Log:
    """A log of entries, and how its checkpoint is signed."""

    entries: list[Entry]
    signer: str = "verifier"

    def __post_init__(self):
        self.lines, prev, self.policy, leaf = [], "0" * 64, 0, ""
        for seq, entry in enumerate(self.entries):
            if entry.act is not None:
                entry.predicate = entry.predicate | {"act": entry.act(self.origin, leaf)}
            self.lines.append(entry.sign(seq, prev))
            prev = sha256(self.lines[-1])
            self.origin = self.origin if seq else f"vectors/{prev}"
            if entry.type == "PolicyChanged" or seq == 0:
                self.policy, leaf = seq, leaf_hash(self.lines[-1]).hex()

    def proof(self, name=("rain", 1), document=None, *, keep=None):
        """The proof of a version: genesis, its lines and all policies, or the lines at the places ``keep``."""
        places = keep or [
            n
            for n, entry in enumerate(self.entries)
            if n == 0 or (entry.lifecycle_id, entry.version) == name or entry.type == "PolicyChanged"
        ]
        leaves = [leaf_hash(line) for line in self.lines]
        lines = tuple(ProvenLine(self.lines[n], Inclusion(n, prove_inclusion(n, leaves))) for n in places)
        head = LogCheckpoint(self.origin, len(leaves), root_of(leaves), self.policy)
        return PortableProof(*name, document, lines, self.note(head.text()))

    def note(self, text, name=None):
        return sign_note(text, name or self.origin, KEYS[self.signer])


def usual(changes=lambda entries: None, document=None, **options):
    """The log of ``rain@1``, promoted, among the entries of others, and its proof."""
    document = manifest().to_bytes() if document is None else document
    entries = [
        genesis(),
        submitted(),
        submitted("wind"),
        trained(),
        evaluated(),
        decided(stored=document),
        training_failed(),
    ]
    changes(entries)
    log = Log(entries, **options)
    return log, log.proof(document=document)
