"""Subscribers are told of every entry, whoever records it: each once, in the order of the ledger, when it is durable.

What this process records is told at once. What others record is told when the ledger's file has grown, which one thread
looks for as long as somebody wants to know.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable, Iterator

from noa_mlops.errors import LedgerTampered, LifecycleError
from noa_mlops.ledger import Draft, Ledger, LedgerEntry, LedgerState
from noa_mlops.lifecycle.bus import EventBus, Subscription
from noa_mlops.lifecycle.history import told_of
from noa_mlops.records.events import LifecycleEvent

INTERVAL = 0.2
"""Seconds between two looks at the ledger's file."""


class Teller:
    """Appends to the ledger and tells its subscribers. Safe to use from several threads at once."""

    def __init__(self, ledger: Ledger, bus: EventBus) -> None:
        self._ledger = ledger
        self._bus = bus
        self._telling = threading.Lock()
        self._next = ledger.state.size
        self._length = 0
        self._closed = threading.Event()
        self._follower: threading.Thread | None = None

    def append(self, compose: Callable[[LedgerState], Draft]) -> LedgerEntry:
        """Append, then tell; the lock keeps the order of telling that of the ledger."""
        with self._telling:
            entry = self._ledger.append(compose)
            self._tell(entry.seq + 1, own=entry)
        return entry

    def subscribe(self, since: int | None, *, others: bool) -> Subscription:
        """The events from now on, of all writers or of this one; those of the entries from ``since`` on come first."""
        with self._telling:
            if others or since is not None:
                self._ledger.refresh()
            self._tell(self._ledger.state.size)
            subscription = self._bus.subscribe(since or 0, own_only=not others)
            for event in self._events(since, self._next) if since is not None else ():
                subscription.offer(event)
            if others:
                self._follow()
        return subscription

    def look(self) -> None:
        """Tell what others have recorded since."""
        length = self._ledger.layout.ledger.stat().st_size
        if length != self._length:
            self._ledger.refresh()
            with self._telling:
                self._tell(self._ledger.state.size)
            self._length = length

    def close(self) -> None:
        """Tell what there is, and nothing after that."""
        self._closed.set()
        if self._follower is not None:
            self._follower.join()
            with contextlib.suppress(LifecycleError, OSError):
                self.look()

    def _tell(self, end: int, own: LedgerEntry | None = None) -> None:
        """Tell the entries before ``end`` that were not told yet; ``own`` is the one that this process has just recorded."""
        known = own is not None and own.seq == self._next
        for event in (told_of(own),) if own is not None and known else self._events(self._next, end):
            if event is not None:
                self._bus.publish(event, own=own is not None and event.seq == own.seq)
        self._next = max(self._next, end)

    def _events(self, start: int, end: int) -> Iterator[LifecycleEvent]:
        """The events from one index up to another, and not beyond: the ledger may have grown since."""
        if start >= end:
            return
        for entry, _ in self._ledger.entries(start):
            if entry.seq >= end:
                return
            if (event := told_of(entry)) is not None:
                yield event

    def _follow(self) -> None:
        if self._follower is None and not self._closed.is_set():
            self._follower = threading.Thread(
                target=_follow, args=(weakref.ref(self), self._closed), name="noa-follower", daemon=True
            )
            self._follower.start()


def _follow(teller: weakref.ref[Teller], closed: threading.Event) -> None:
    """Look until the end, or until nobody has the teller any more; a ledger that was tampered with is told of no more."""
    while not closed.wait(INTERVAL):
        if (living := teller()) is None:
            return
        try:
            living.look()
        except LedgerTampered:
            return  # whoever records next is refused, and says why
        except (LifecycleError, OSError):
            pass  # somebody holds the lock for long; the next look may find it free
        del living
