"""Taking an object out of the evidence: people can be forgotten, the chain still holds."""

from __future__ import annotations

import secrets
from functools import partial

from noa_mlops.errors import LedgerConflict, NotAuthorised, NotFound
from noa_mlops.evidence import Act, SignedAct
from noa_mlops.files import sync_directory
from noa_mlops.ledger import Draft, KeyStore, Ledger, LedgerEntry, LedgerState, ledger_lines
from noa_mlops.lifecycle.policy_change import founders
from noa_mlops.records.documents import canonical, is_digest
from noa_mlops.records.layout import Layout
from noa_mlops.registry import Mirror

REDACT = "redact"

SALT = 16
"""Random bytes beside a text, so that its digest cannot be found by guessing the text."""


def redact(layout: Layout, digest: str, reason: str, keystore: KeyStore | None = None) -> LedgerEntry:
    """Record that the object ``digest`` goes, by an operator's key, and then remove it; the entry.

    Raises `NotFound` for an object that is not here, `NotAuthorised` without a key that may redact.
    """
    if not is_digest(digest) or not (layout.objects / digest).is_file():
        raise NotFound(f"there is no object {digest!r:.80}", hint="Objects are named by the lines of 'noa show'.")
    if not reason.strip():
        raise LedgerConflict("a redaction needs a reason", hint="Say it with --reason.")
    with Ledger.open(layout, keystore or KeyStore()) as ledger:
        if digest in ledger.state.redacted:
            raise LedgerConflict(
                f"object {digest[:16]} was taken out before, and is here again",
                hint=f"Remove {layout.objects / digest}.",
            )
        text = ledger.put_object(canonical({"salt": secrets.token_hex(SALT), "text": reason}))
        signed = _signed(ledger, digest, text)
        entry = ledger.append(lambda _: _draft(digest, signed))
        (layout.objects / digest).unlink()
        sync_directory(layout.objects)
        mirror = Mirror(layout.mirror, layout.mirror_checkpoint, origin=ledger.origin, known=ledger.all_head_keys)
        mirror.catch_up(partial(ledger_lines, ledger), ledger.keys.signing_key("verifier"))
    return entry


def redaction(state: LedgerState, digest: str, reason: str | None = None) -> SignedAct:
    """The act that takes an object out after ``state``, not yet signed; ``reason`` names the object that says why."""
    scope = {"object": {"sha256": digest}}
    return SignedAct(Act(state.origin or "", REDACT, scope, state.policies[-1].leaf, reason))


def _signed(ledger: Ledger, digest: str, reason: str) -> SignedAct:
    state, policy = ledger.state, ledger.keys.policy
    signed = redaction(state, digest, reason)
    for record in policy.keys_for(REDACT):
        key = ledger.keys.key(record, founders(state))
        if key is not None:
            signed = signed.signed_by(key)
    if not policy.grants(signed.signers, REDACT):
        raise NotAuthorised("the keys that may redact are not here, or not enough of them")
    return signed


def _draft(digest: str, signed: SignedAct) -> Draft:
    subject = [{"name": "object", "digest": {"sha256": digest}}]
    return Draft("Redacted", "noa:act/v1", {"act": signed.envelope()}, subject)
