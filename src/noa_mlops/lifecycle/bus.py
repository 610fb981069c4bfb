"""Events, handed to whoever listens, in order, without ever waiting for them.

A subscription is a queue of its own. A slow reader only fills it; a dead one is forgotten with it. Recorded
events are never dropped; of the unrecorded ones (progress) a full queue drops the newest.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial

from noa_mlops.records.events import LifecycleEvent

MAX_UNRECORDED = 1_000
"""Progress events are dropped for a subscription that has this many events waiting."""


class Subscription:
    """The events since it was made: an async iterator, or one by one with `get`.

    One that is ``own_only`` is about what this process does. The iterator ends when the subscription or its orchestrator is closed and all waiting events are read.
    """

    def __init__(self, since: int = 0, *, own_only: bool = False) -> None:
        self.own_only = own_only
        self._since = since
        self._events: deque[LifecycleEvent] = deque()
        self._changed = threading.Condition()
        self._wake: list[Callable[[], None]] = []
        self._closed = False

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> LifecycleEvent:
        loop = asyncio.get_running_loop()
        while True:
            waiter = loop.create_future()
            with self._changed:
                if self._events:
                    return self._events.popleft()
                if self._closed:
                    raise StopAsyncIteration
                self._wake.append(partial(_wake, loop, waiter))
            await waiter

    def get(self, timeout: float | None = None) -> LifecycleEvent | None:
        """The next event, waiting up to ``timeout`` seconds (None: for ever); None when there is none."""
        with self._changed:
            self._changed.wait_for(lambda: self._events or self._closed, timeout)
            return self._events.popleft() if self._events else None

    def close(self) -> None:
        """Take no more events; those already waiting can still be read."""
        with self._changed:
            self._closed = True
            self._notify()

    def offer(self, event: LifecycleEvent) -> None:
        """Put an event into the queue; never blocks."""
        with self._changed:
            early = event.seq is not None and event.seq < self._since
            if early or self._closed or (event.seq is None and len(self._events) >= MAX_UNRECORDED):
                return
            self._events.append(event)
            self._notify()

    def _notify(self) -> None:
        """Wake whoever waits; those who find nothing left wait again."""
        self._changed.notify_all()
        waiting, self._wake = self._wake, []
        for wake in waiting:
            wake()


def _wake(loop: asyncio.AbstractEventLoop, waiter: asyncio.Future[None]) -> None:
    with contextlib.suppress(RuntimeError):  # the reader's loop is closed: it will never ask again
        loop.call_soon_threadsafe(lambda: None if waiter.done() else waiter.set_result(None))


class EventBus:
    """Hands each published event to every living subscription."""

    def __init__(self) -> None:
        self._subscriptions: weakref.WeakSet[Subscription] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._closed = False

    def subscribe(self, since: int = 0, *, own_only: bool = False) -> Subscription:
        """A new subscription; it sees what is published from now on, nothing once the bus is closed.

        It sees no entry before the index ``since``; with ``own_only``, none that other processes recorded.
        """
        subscription = Subscription(since, own_only=own_only)
        with self._lock:
            self._subscriptions.add(subscription)
            if self._closed:
                subscription.close()
        return subscription

    def publish(self, event: LifecycleEvent, *, own: bool = True) -> None:
        """Hand ``event`` to every subscription, in the order of the calls; ``own`` says that this process recorded it."""
        with self._lock:
            for subscription in tuple(self._subscriptions):
                if own or not subscription.own_only:
                    subscription.offer(event)

    def close(self) -> None:
        """End every subscription."""
        with self._lock:
            self._closed = True
            for subscription in tuple(self._subscriptions):
                subscription.close()
