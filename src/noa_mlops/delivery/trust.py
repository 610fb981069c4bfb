"""Whether what was promoted once may still be relied on: the policy of that moment, and what was revoked since."""

from __future__ import annotations

from noa_mlops.errors import LedgerTampered
from noa_mlops.evidence import ModelSignatureInvalid, check_model
from noa_mlops.ledger import (
    ACTS_OF,
    LedgerEntry,
    LedgerReader,
    LedgerState,
    VersionState,
    distrust,
    model_keys,
    signers_of,
)
from noa_mlops.records.layout import address
from noa_mlops.records.manifest import ArtifactRecord


def trusted_decision(ledger: LedgerReader, lifecycle_id: str, version: VersionState) -> LedgerEntry:
    """The entry that put a version into the store and names its files; signatures are checked as entries are read.

    It is the decision that promoted it, or for one that was promoted by an override the measurement before that.

    Raises `LedgerTampered` when this entry, or another one of the version, is not trusted any more: a decision is worth
    no more than the measurement that it rests on.
    """
    history = ledger.history(lifecycle_id, version.version)
    decision = history[-1] if version.named is None else ledger.entry(version.named)
    for entry in (*history, decision):
        reason = distrust(ledger.state.policies, entry.seq, entry.keyid)
        if reason is not None:
            name = address(lifecycle_id, version.version)
            raise LedgerTampered(
                f"{name} is not trusted any more: its entry {entry.seq} ({entry.type}) {reason}",
                hint="Load an earlier version by its number, or run its plan again under the policy in force.",
            )
    return decision


def check_crown(ledger: LedgerReader, lifecycle_id: str) -> None:
    """Raise `LedgerTampered` when the act that brought the champion back is not trusted any more."""
    state, lifecycle = ledger.state, ledger.state.lifecycle(lifecycle_id)
    entry = ledger.entry(lifecycle.crowned or 0)
    policy = state.policy_at(entry.seq)
    if entry.type not in ACTS_OF or policy is None:
        return
    reason = distrust(state.policies, entry.seq, entry.keyid)
    trusted = [key for key in signers_of(entry) if distrust(state.policies, entry.seq, key) is None]
    if reason is None and not policy.grants(trusted, ACTS_OF[entry.type]):
        reason = "was decided by a key that is revoked since"
    if reason is not None:
        name = address(lifecycle_id, lifecycle.champion or 0)
        raise LedgerTampered(
            f"{name} is the champion by an act that is not trusted any more: entry {entry.seq} ({entry.type}) {reason}",
            hint=f"Decide again which version is in force; load {name} by its number if it is the one that you want.",
        )


def check_signature(state: LedgerState, decision: LedgerEntry, record: ArtifactRecord) -> None:
    """Raise `ModelSignatureInvalid` unless a key signed the model that could at the decision and is still trusted for it."""
    policy = state.policy_at(decision.seq)
    keys = model_keys(policy) if policy is not None else ()
    gone = {key.keyid: reason for key in keys if (reason := distrust(state.policies, decision.seq, key.keyid))}
    signature, files = record.signature or b"", record.manifest.files
    try:
        check_model(signature, files, *(key for key in keys if key.keyid not in gone))
    except ModelSignatureInvalid:
        if gone:
            check_model(signature, files, *keys)
            raise ModelSignatureInvalid(min(gone.values())) from None
        raise
