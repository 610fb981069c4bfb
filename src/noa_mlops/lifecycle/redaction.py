"""Taking an object out of the evidence: people can be forgotten, the chain still holds."""

from __future__ import annotations

from noa_mlops.errors import LedgerConflict, NotFound, PlanInvalid
from noa_mlops.evidence import Act, SignedAct
from noa_mlops.files import sync_directory
from noa_mlops.ledger import KeyStore, LedgerEntry, LedgerReader, LedgerState
from noa_mlops.lifecycle.acts import ActRequest, record, request_act
from noa_mlops.records.documents import is_digest
from noa_mlops.records.layout import Layout

REDACT = "redact"


def request_redaction(layout: Layout, ledger: LedgerReader, digest: str, reason: str) -> ActRequest:
    """The act that takes out the object ``digest``, not yet signed. Raises `NotFound` for an object that is not here."""
    if not is_digest(digest) or not (layout.objects / digest).is_file():
        raise NotFound(f"there is no object {digest!r:.80}", hint="Objects are named by the lines of 'noa show'.")
    if digest in ledger.state.redacted:
        raise LedgerConflict(
            f"object {digest[:16]} was taken out before, and is here again",
            hint=f"Remove {layout.objects / digest}.",
        )
    act = redaction(ledger.state, digest).act
    return request_act(act.origin, act.act, dict(act.scope), act.answers, reason)


def redact(layout: Layout, request: ActRequest, keystore: KeyStore | None = None) -> LedgerEntry:
    """Record that an object goes, and then remove it; the entry. Raises as `noa_mlops.lifecycle.acts.record`."""
    if request.signed.act.act != REDACT:
        raise PlanInvalid("the request is not about a redaction")
    entry = record(layout, request, keystore)
    (layout.objects / entry.checksum).unlink(missing_ok=True)
    sync_directory(layout.objects)
    return entry


def redaction(state: LedgerState, digest: str, reason: str | None = None) -> SignedAct:
    """The act that takes an object out after ``state``, not yet signed; ``reason`` names the object that says why."""
    scope = {"object": {"sha256": digest}}
    return SignedAct(Act(state.origin or "", REDACT, scope, state.policies[-1].leaf, reason))
