"""What is recorded of a version, read back from the ledger as events."""

from __future__ import annotations

from noa_mlops.errors import LedgerConflict
from noa_mlops.ledger import LedgerEntry, LedgerReader
from noa_mlops.records.act_events import told
from noa_mlops.records.events import LifecycleEvent, Recorded


def event_of(entry: LedgerEntry) -> Recorded:
    """The event of an entry of a version's own history."""
    event = told_of(entry)
    if not isinstance(event, Recorded):
        raise LedgerConflict(f"entry {entry.seq} ({entry.type}) concerns no version")
    return event


def told_of(entry: LedgerEntry) -> LifecycleEvent | None:
    """What subscribers are told of an entry; None when it is no event to them."""
    about = {"seq": entry.seq, "type": entry.type, "ts": entry.ts, "lifecycle_id": entry.lifecycle_id}
    header = {**about, "version": entry.version, "status": entry.status}
    return told({"noa_entry": header, "predicate": entry.predicate, "subject": entry.subject})


def history_of(ledger: LedgerReader, lifecycle_id: str, version: int) -> list[Recorded]:
    """The events of a version, in order; none when there is no such version."""
    return [event_of(entry) for entry in ledger.history(lifecycle_id, version)]
