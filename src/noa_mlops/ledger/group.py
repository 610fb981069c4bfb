"""Group commit: one lock, one write and one sync for all who wait.

Whoever asks while nobody writes becomes the leader: it takes the lock, writes for all who are in line by then, tells
them, and hands over to the first of those who came meanwhile. Nobody leads more than one batch, and nobody is told
before what it asked for is durable.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from noa_mlops.errors import LedgerConflict, LifecycleError
from noa_mlops.ledger.waiting import AwaitedRequest, Compose, Outcome, Queue, Request, tell

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Write: TypeAlias = Callable[[Callable[[], list[Request]]], None]
"""Takes the lock, then the batch with the function that it is given, and fills in the outcomes once they are durable.

It raises when nothing was recorded.
"""


class Group:
    """All threads and coroutines of a process that append to one ledger, and who of them writes."""

    def __init__(self, write: Write, timeout: float) -> None:
        self._write = write
        self._timeout = timeout
        self._process = 0
        self._mutex = threading.Lock()
        self._queue = Queue()
        self._service: ThreadPoolExecutor | None = None

    @property
    def mutex(self) -> threading.Lock:
        """Held by the one thread that uses the ledger's files."""
        self._line()
        return self._mutex

    def ask(self, request: Request) -> list[Outcome]:
        """Wait until ``request`` is written, or write it with all others in line.

        Raises `LedgerConflict` when nobody began to write it for too long.
        """
        queue = self._line()
        if not queue.join(request):
            self._wait(queue, request)
        if request.leads:
            self._lead(queue)
        return request.outcomes

    async def ask_async(self, compose: Compose) -> Outcome:
        """Like `ask`, for a coroutine; its loop goes on meanwhile. When it is cancelled, the entry may still be written."""
        from asyncio import get_running_loop

        queue = self._line()
        request = AwaitedRequest(compose, get_running_loop(), self._lead_elsewhere)
        if queue.join(request):
            request.call()
        try:
            outcome: Outcome = await request.told
        except BaseException:
            queue.leave(request)
            raise
        return outcome

    def close(self) -> None:
        """End the thread that leads for coroutines, if there is one, once it has nothing to do."""
        service, self._service = self._service, None
        if service is not None:
            service.shutdown(wait=False)

    def _line(self) -> Queue:
        """Where to wait. A forked child gets in a line of its own: the leader of this one is another process."""
        if self._process != os.getpid():
            self._process, self._queue, self._mutex, self._service = os.getpid(), Queue(), threading.Lock(), None
        return self._queue

    def _wait(self, queue: Queue, request: Request) -> None:
        left = False
        try:
            if not request.wait(self._timeout):
                left = queue.leave(request)
                if not left:
                    request.wait()
        except BaseException:
            queue.abandon(request)
            raise
        if left:
            raise LedgerConflict("the ledger is in use by another thread of this process")

    def _lead_elsewhere(self) -> None:
        """Lead in a thread that is kept for this."""
        from concurrent.futures import ThreadPoolExecutor

        queue = self._line()
        if self._service is None:
            self._service = ThreadPoolExecutor(1, "ledger")
        try:
            self._service.submit(self._lead, queue)
        except RuntimeError:  # there can be no more threads: the interpreter is about to end
            self._lead(queue)

    def _lead(self, queue: Queue) -> None:
        """Write one batch for all in line, tell them, hand over."""
        batch: list[Request] = []

        def take() -> list[Request]:
            batch.extend(queue.take())
            return batch

        failure: Exception = LedgerConflict("the append was interrupted")
        written = False
        try:
            self._write(take)
            written = True
        except (LifecycleError, OSError) as error:
            failure = error
        finally:
            for request in () if written else batch or take():
                request.fail(failure)
            tell(batch)
            queue.hand_over()
