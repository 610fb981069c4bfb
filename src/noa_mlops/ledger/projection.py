"""The ledger as projections read it: each line with the rollout of its lifecycle as it stands after it."""

from __future__ import annotations

from collections.abc import Iterator

from noa_mlops.ledger.entry import LedgerEntry
from noa_mlops.ledger.reader import LedgerReader
from noa_mlops.ledger.state import LedgerState
from noa_mlops.records.events import LedgerLine


def ledger_lines(ledger: LedgerReader, start: int = 0) -> Iterator[LedgerLine]:
    """The entries from index ``start`` to the newest at the time of the call.

    Raises `LedgerTampered` when a line is no longer what it was, at the latest after the last one.
    """
    ledger.refresh()
    for entry, state in ledger.known_entries(start):
        yield ledger_line(entry, state)


def ledger_line(entry: LedgerEntry, state: LedgerState) -> LedgerLine:
    """The line of ``entry``, after which the ledger is in ``state``."""
    lifecycle = state.lifecycle(entry.lifecycle_id or "")
    status, override = lifecycle.rollout_at(entry.ts), lifecycle.override
    until = override.expires if override is not None and status == "ready" else None
    return LedgerLine(entry.seq, entry.type, entry.line, lifecycle.champion, status, until)
