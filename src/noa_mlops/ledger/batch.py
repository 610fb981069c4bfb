"""A batch: entries composed one after the other, each on the state that those before it make, and written together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

from noa_mlops.errors import LedgerConflict
from noa_mlops.evidence import SigningKey, StatementInvalid
from noa_mlops.ledger.entry import Draft, EntryInvalid, LedgerEntry, timestamp, write_entry
from noa_mlops.ledger.law import DECIDING, follow
from noa_mlops.ledger.state import LedgerState
from noa_mlops.ledger.version_law import Refusal
from noa_mlops.ledger.waiting import Compose, Outcome

Clock: TypeAlias = Callable[[], datetime]
"""The time of day, with its zone; entries carry it, nothing depends on it."""


class Batch:
    """What is to be written after ``state``; ``entries`` are its entries so far, ``states`` the state after each."""

    def __init__(self, state: LedgerState, key: SigningKey, clock: Clock) -> None:
        self.entries: list[LedgerEntry] = []
        self.states: list[LedgerState] = []
        self._state = state
        self._key = key
        self._clock = clock

    def add(self, compose: Compose) -> Outcome:
        """The entry that ``compose`` makes of the state so far, signed and admitted; or why there is none."""
        try:
            return self._admitted(compose(self._state))
        except Exception as error:  # noqa: BLE001  it belongs to the caller, who may be in another thread
            return error

    def data(self) -> bytes:
        """The lines, each with its newline."""
        return b"".join([entry.line + b"\n" for entry in self.entries])

    def deciding(self) -> int | None:
        """The index of the first deciding entry, None when there is none."""
        return next((entry.seq for entry in self.entries if entry.type in DECIDING), None)

    def _admitted(self, draft: Draft) -> LedgerEntry:
        """The law is asked about the very bytes to be written."""
        try:
            entry = write_entry(draft, self._state, timestamp(self._clock()), self._key)
        except (StatementInvalid, EntryInvalid) as error:
            raise LedgerConflict(f"the entry {draft.type} {error}", hint="Nothing was recorded.") from error
        after = follow(self._state, entry)
        if isinstance(after, Refusal):
            raise LedgerConflict(f"the entry {draft.type} {after.reason}", hint=_REFUSED)
        self.entries.append(entry)
        self.states.append(after)
        self._state = after
        return entry


def entry_of(outcome: Outcome) -> LedgerEntry:
    """The entry. Raises what the outcome is when there is none."""
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def unsealed(outcome: Outcome, since: int, error: LedgerConflict) -> Outcome:
    """What an outcome is when the entries from index ``since`` on could not be sealed."""
    if not isinstance(outcome, LedgerEntry) or outcome.seq < since:
        return outcome
    conflict = LedgerConflict(
        f"entry {outcome.seq} is recorded but not sealed: {error}",
        hint="Free space or repair the disk; the next command seals it and goes on from there.",
    )
    conflict.__cause__ = error
    return conflict


_REFUSED = "Nothing was recorded. Something else was decided meanwhile, perhaps: 'noa status' shows what is in force."
