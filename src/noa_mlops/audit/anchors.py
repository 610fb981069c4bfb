"""Anchors: what was kept outside the folder, and whether the ledger in it goes on from there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from noa_mlops.audit.findings import Finding
from noa_mlops.audit.folding import Fold
from noa_mlops.errors import LedgerTampered
from noa_mlops.evidence import LogCheckpoint, NoteInvalid, claimed_size, parse_checkpoint
from noa_mlops.ledger import KnownLogs, Pin, head_keys, pin_problem, policy_problem
from noa_mlops.records.layout import Layout
from noa_mlops.records.policy import SIGN_HEAD

NO_ANCHOR = (
    "Without an anchor kept elsewhere (the origin, a checkpoint, the registry that CI keeps) this cannot rule out that "
    "the whole folder was replaced, or rolled back to an earlier state of itself. The keys are trusted only because "
    "this folder says so."
)
"""What "verified" does not mean when nothing outside the folder was asked."""

ONLY_PIN = (
    "Held against what this machine had seen before ({pin.size} entries, {path}). That the folder was replaced or rolled "
    "back before that, or together with that file, only an anchor kept elsewhere can show: --origin, --against."
)
"""What the pin alone does not show."""

ONLY_ORIGIN = (
    "The origin says which log this is, not how far it went: that the folder was rolled back to an earlier state of "
    "itself, only a checkpoint kept elsewhere can show: --against."
)
"""What the origin alone does not show."""


@dataclass(frozen=True, slots=True)
class Anchors:
    """What the ledger is held against: its owner's origin, a signed checkpoint kept elsewhere, this machine's pin."""

    origin: str | None
    against: bytes | None
    pins: KnownLogs
    pin: Pin | None
    unreadable: str | None

    @classmethod
    def of(cls, layout: Layout, origin: str | None, against: bytes | None) -> Anchors:
        """The anchors at hand; taken before the ledger is read, so that a writer at work is no finding."""
        pins = KnownLogs()
        try:
            return cls(origin, against, pins, pins.pin(layout.ledger), None)
        except LedgerTampered as error:
            return cls(origin, against, pins, None, str(error))

    @property
    def sizes(self) -> set[int]:
        """The sizes of the tree whose roots will be asked for."""
        claimed = claimed_size(self.against) if self.against is not None else None
        return {size for size in (claimed, self.pin.size if self.pin else None) if size is not None}

    def findings(self, layout: Layout, fold: Fold, sealed: int) -> Iterator[Finding]:
        """Why the ledger, of which ``sealed`` entries are vouched for, does not go on from these anchors."""
        ledger, origin = str(layout.ledger), fold.state.origin
        if self.unreadable is not None:
            yield Finding(str(self.pins.path), None, self.unreadable)
        if origin is None:
            return
        if self.origin is not None and origin != self.origin:
            yield Finding(ledger, 0, f"its origin is {origin}, not {self.origin}")
        if self.pin is not None and not (fold.broken and fold.state.size < self.pin.size):
            problem = pin_problem(self.pin, origin, sealed, lambda size: fold.roots.get(size, b""))
            if problem is not None:
                yield Finding(ledger, None, f"{problem} ({self.pins.path}). {self.pins.remedy}")
        if self.against is not None and (problem := self._against_problem(fold, sealed)):
            yield Finding(ledger, None, f"does not go on from the checkpoint kept elsewhere, which {problem}")

    def notes(self) -> tuple[str, ...]:
        """What these anchors leave open."""
        if self.against is not None or (self.origin is not None and self.pin is not None):
            return ()
        if self.origin is not None:
            return (ONLY_ORIGIN,)
        return (ONLY_PIN.format(pin=self.pin, path=self.pins.path),) if self.pin is not None else (NO_ANCHOR,)

    def remember(self, layout: Layout, fold: Fold, sealed: int) -> None:
        """Raise the pin to what was just verified."""
        if fold.state.origin is not None and sealed in fold.roots:
            self.pins.raise_to(layout.ledger, Pin(fold.state.origin, sealed, fold.roots[sealed]))

    def _against_problem(self, fold: Fold, sealed: int) -> str | None:
        try:
            head = head_of(self.against or b"", fold)
        except NoteInvalid as error:
            return str(error)
        if head.size > sealed:
            return f"vouches for {head.size} entries; only {sealed} are sealed here"
        return root_problem(head, fold)


def head_of(note: bytes, fold: Fold) -> LogCheckpoint:
    """The head in a note, signed by a key that could sign heads of that size. Raises `NoteInvalid`."""
    policy = fold.state.policy_at(claimed_size(note) or 0)
    return parse_checkpoint(note, fold.state.origin or "", head_keys(policy, SIGN_HEAD) if policy is not None else ())


def root_problem(head: LogCheckpoint, fold: Fold) -> str | None:
    """Why a checkpoint is not over the entries that are there, as far as these hold."""
    if head.size > fold.state.size:
        return None
    if fold.roots.get(head.size) != head.root:
        return f"is over other entries than the first {head.size}"
    return policy_problem(fold.state, head)
