"""What people decide: the request that they sign, here or elsewhere, and the entry that it becomes.

A request can travel: it holds the act with the signatures so far and the reason in full, so people whose keys lie on
different machines sign one after the other. Whoever records it in the end needs none of their keys.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, replace
from functools import partial

from noa_mlops.errors import LedgerConflict, NotAuthorised, PlanInvalid
from noa_mlops.evidence import Act, ActInvalid, SignedAct, read_act
from noa_mlops.ledger import ACT, Draft, KeyStore, Ledger, LedgerEntry, LedgerReader, LedgerState, ledger_lines
from noa_mlops.lifecycle.policy_change import founders, ring_of
from noa_mlops.lifecycle.statements import model_subject
from noa_mlops.records.documents import DocumentInvalid, canonical, compact, parse_object, sha256
from noa_mlops.records.layout import Layout
from noa_mlops.records.policy import Policy
from noa_mlops.registry import Mirror

SALT = 16
"""Random bytes beside a text, so that its digest cannot be found by guessing the text."""

MAX_REASON = 4096
"""Longest reason, in bytes."""

MAX_REQUEST = 1 << 16
"""Largest file of a request, in bytes."""

_FORM = 1


@dataclass(frozen=True, slots=True)
class ActRequest:
    """An act, signed by nobody yet or by some, and the object that holds its reason."""

    signed: SignedAct
    reason: bytes

    def to_bytes(self) -> bytes:
        """The file that travels."""
        reason = base64.b64encode(self.reason).decode()
        return compact({"noa_request": _FORM, "act": self.signed.envelope(), "reason": reason}) + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> ActRequest:
        """The request in a file. Raises `PlanInvalid`."""
        try:
            document = parse_object(data, limit=MAX_REQUEST)
            if set(document) != {"noa_request", "act", "reason"} or document["noa_request"] != _FORM:
                raise PlanInvalid("the file is no request of a form that this version knows")
            request = cls(read_act(document["act"]), base64.b64decode(document["reason"], validate=True))
        except (DocumentInvalid, ActInvalid, ValueError, TypeError) as error:
            raise PlanInvalid(f"the file is no request: it {error}") from error
        if sha256(request.reason) != request.signed.act.reason:
            raise PlanInvalid("the file is no request: its reason is not the one that was signed")
        return request

    @property
    def text(self) -> str:
        """The reason in words. Raises `PlanInvalid`."""
        try:
            return str(parse_object(self.reason, limit=2 * MAX_REASON)["text"])
        except (DocumentInvalid, KeyError) as error:
            raise PlanInvalid("the reason of the request has no text") from error


def request_act(origin: str, act: str, scope: dict[str, object], answers: str, reason: str) -> ActRequest:
    """An act that nobody has signed yet. Raises `LedgerConflict` without a reason."""
    if not reason.strip() or len(reason.encode(errors="replace")) > MAX_REASON:
        raise LedgerConflict(f"a reason of 1 to {MAX_REASON} bytes is needed", hint="Say it with --reason.")
    text = canonical({"salt": secrets.token_hex(SALT), "text": reason})
    return ActRequest(SignedAct(Act(origin, act, scope, answers, sha256(text))), text)


def sign_here(request: ActRequest, ledger: LedgerReader, keystore: KeyStore | None = None) -> ActRequest:
    """With the signature of every key on this machine that may do the act."""
    signed, ring = request.signed, ring_of(ledger, keystore)
    for record in _policy(ledger).keys_for(signed.act.act):
        key = ring.key(record, founders(ledger.state))
        if key is not None and record.keyid not in signed.signers:
            signed = signed.signed_by(key)
    return replace(request, signed=signed)


def missing(request: ActRequest, ledger: LedgerReader) -> str | None:
    """Who has yet to sign, as a phrase; None when the act can be recorded."""
    policy, act = _policy(ledger), request.signed.act.act
    if policy.grants(request.signed.signers, act):
        return None
    roles = [f"{role.quorum} of {name!r}" for name, role in policy.roles.items() if act in role.may]
    return f"the quorum of {' or '.join(roles)}" if roles else f"anybody: no role may {act}"


def record(layout: Layout, request: ActRequest, keystore: KeyStore | None = None) -> LedgerEntry:
    """Append the entry that carries the act, sealed, and bring the mirror up to it.

    Raises `NotAuthorised` when signatures are missing, `LedgerConflict` when the law does not admit the act, for one
    because something was decided since it was requested.
    """
    with Ledger.open(layout, keystore or KeyStore()) as ledger:
        if (lacking := missing(request, ledger)) is not None:
            raise NotAuthorised(
                f"the act is not signed by {lacking}",
                hint="With --request FILE it is written to a file that they can sign elsewhere.",
            )
        ledger.put_object(request.reason)
        entry = ledger.append(partial(_draft, request.signed))
        mirror = Mirror(layout.mirror, layout.mirror_checkpoint, origin=ledger.origin, known=ledger.all_head_keys)
        mirror.catch_up(partial(ledger_lines, ledger), ledger.keys.signing_key("verifier"))
    return entry


def _draft(signed: SignedAct, state: LedgerState) -> Draft:
    """The entry of an act. Raises `PlanInvalid` for one of another form."""
    scope, predicate = signed.act.scope, {"act": signed.envelope()}
    match signed.act.act, scope:
        case "redact", {"object": {"sha256": str(digest)}}:
            return Draft("Redacted", ACT, predicate, [{"name": "object", "digest": {"sha256": digest}}])
        case "rollback", {"lifecycle_id": str(name), "version": int(version), "model": {"sha256": str(digest)}}:
            subject = [model_subject(name, version, digest)]
            return Draft("RolledBack", ACT, predicate, subject, lifecycle_id=name, version=version)
        case "enable", {"lifecycle_id": str(name), "version": int(version), "model": {"sha256": str(digest)}}:
            subject = [model_subject(name, version, digest)]
            return Draft("RolloutEnabled", ACT, predicate, subject, lifecycle_id=name, version=version)
        case "override", {
            "lifecycle_id": str(name),
            "version": int(version),
            "model": {"sha256": str(digest)},
            **_more,
        }:
            subject = [model_subject(name, version, digest)]
            return Draft("Overridden", ACT, predicate, subject, lifecycle_id=name, version=version)
        case "deploy", {
            "lifecycle_id": str(name),
            "version": int(version),
            "model": {"sha256": str(digest)},
            **_more,
        }:
            subject = [model_subject(name, version, digest)]
            return Draft("Deployed", ACT, predicate, subject, lifecycle_id=name, version=version)
        case "investigate", {"lifecycle_id": str(name), "incident": int(), "report": {"sha256": str(digest)}}:
            report = [{"name": "drift_report.json", "digest": {"sha256": digest}}]
            return Draft(
                "Investigated", ACT, predicate, report, lifecycle_id=name, version=state.lifecycle(name).champion
            )
        case _:
            raise PlanInvalid("the request decides nothing that this version knows")


def _policy(ledger: LedgerReader) -> Policy:
    if ledger.state.policy is None:
        raise LedgerConflict("there is no policy in force")
    return ledger.state.policy
