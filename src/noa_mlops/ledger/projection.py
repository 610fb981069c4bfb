"""The ledger as projections read it: each line with the rollout of its lifecycle as it stands after it."""

from __future__ import annotations

from collections.abc import Iterator

from noa_mlops.ledger.reader import LedgerReader
from noa_mlops.records.events import LedgerLine


def ledger_lines(ledger: LedgerReader, start: int = 0) -> Iterator[LedgerLine]:
    """The entries from index ``start`` to the newest at the time of the call.

    Raises `LedgerTampered` when a line is no longer what it was, at the latest after the last one.
    """
    ledger.refresh()
    for entry, state in ledger.known_entries(start):
        lifecycle = state.lifecycle(entry.lifecycle_id or "")
        yield LedgerLine(entry.seq, entry.type, entry.line, lifecycle.champion, lifecycle.rollout)
