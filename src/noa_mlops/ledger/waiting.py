"""Requests to append, and the line in which they wait for whoever writes."""

from __future__ import annotations

import contextlib
import copy
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from noa_mlops.ledger.entry import Draft, LedgerEntry
from noa_mlops.ledger.state import LedgerState

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

MAX_BATCH = 512
"""Entries after which no further request joins a batch."""

Compose: TypeAlias = Callable[[LedgerState], Draft]
"""What is to be appended, decided on the state just before it. It runs under the lock, perhaps in another thread."""

Outcome: TypeAlias = LedgerEntry | Exception
"""What became of one compose: its entry, durable, or why there is none."""


class Request:
    """What one caller wants appended; ``outcomes`` holds one for each compose once it is told.

    ``leads`` is set when the caller is to write for all, itself included.
    """

    def __init__(self, composes: Sequence[Compose]) -> None:
        self.composes = composes
        self.outcomes: list[Outcome] = []
        self.leads = False
        self._woken = threading.Lock()
        self._woken.acquire()

    def fail(self, error: Exception) -> None:
        """Nothing was recorded: ``error`` takes the place of every entry."""
        kept = [None if isinstance(outcome, LedgerEntry) else outcome for outcome in self.outcomes]
        kept += [None] * (len(self.composes) - len(kept))
        self.outcomes = [_own(error) if outcome is None else outcome for outcome in kept]

    def call(self) -> None:
        """Have the caller lead."""
        self._woken.release()

    def tell(self) -> None:
        """Let the caller go on: its outcomes are there."""
        self._woken.release()

    def wait(self, timeout: float = -1) -> bool:
        """Until the caller is called or told; whether that was within ``timeout`` seconds (-1: however long)."""
        return self._woken.acquire(timeout=timeout)


class AwaitedRequest(Request):
    """A request of a coroutine on ``loop``; when it is to lead, ``lead`` has another thread do so."""

    def __init__(self, compose: Compose, loop: AbstractEventLoop, lead: Callable[[], None]) -> None:
        super().__init__((compose,))
        self.loop = loop
        self.told = loop.create_future()
        self._lead = lead

    def call(self) -> None:
        """Have another thread lead: the one of the loop has more to do."""
        self._lead()


class Queue:
    """Requests in the order they came, at most one caller of which leads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[Request] = deque()
        self._led = False

    def join(self, request: Request) -> bool:
        """Get in line; whether the caller is to lead, because nobody does."""
        with self._guard:
            self._waiting.append(request)
            request.leads, self._led = not self._led, True
        return request.leads

    def leave(self, request: Request) -> bool:
        """Get out of line, unless the request is being written or its caller is to lead; whether that was so."""
        with self._guard:
            if request.leads or request not in self._waiting:
                return False
            self._waiting.remove(request)
            return True

    def abandon(self, request: Request) -> None:
        """Get out of line although called upon: the next one leads."""
        if not self.leave(request) and request.leads:
            with self._guard, contextlib.suppress(ValueError):
                self._waiting.remove(request)
            self.hand_over()

    def take(self) -> list[Request]:
        """The next batch, at least the first in line when there is one."""
        batch, count = [], 0
        with self._guard:
            while self._waiting and count + len(self._waiting[0].composes) <= MAX_BATCH:
                count += len(self._waiting[0].composes)
                batch.append(self._waiting.popleft())
        return batch

    def hand_over(self) -> None:
        """Stop leading: the first in line leads from here on, nobody when there is none."""
        with self._guard:
            first = self._waiting[0] if self._waiting else None
            if first is None:
                self._led = False
            else:
                first.leads = True
        if first is not None:
            first.call()


def tell(batch: Iterable[Request]) -> None:
    """Tell all callers, those of one event loop at once."""
    awaited: dict[AbstractEventLoop, list[AwaitedRequest]] = {}
    for request in batch:
        if isinstance(request, AwaitedRequest):
            awaited.setdefault(request.loop, []).append(request)
        else:
            request.tell()
    for loop, requests in awaited.items():
        # A loop that was closed has nobody left who waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_resolve, requests)


def _resolve(requests: Iterable[AwaitedRequest]) -> None:
    for request in requests:
        if not request.told.done():
            request.told.set_result(request.outcomes[0])


def _own(error: Exception) -> Exception:
    """An exception for one caller alone: a traceback belongs to one thread."""
    own = copy.copy(error)
    own.__cause__ = error
    return own
