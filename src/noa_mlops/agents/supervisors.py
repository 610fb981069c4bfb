"""The runtime's side of its supervisors: one zygote for all of them, and two pipes to each."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

from noa_mlops.agents import wire

_PROGRAM = Path(__file__).with_name("supervisor.py")
_LOOK = 0.05
_PATIENCE = 60.0
_FAREWELL = 1.0

Fields = list[tuple[str, str]]


class Supervisors:
    """Engages a supervisor for each job. Safe to share between threads; a forked process gets a zygote of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._zygote: _Zygote | None = None

    def warm(self) -> None:
        """Start the zygote, when there is none, without waiting for it."""
        with self._lock:
            self._living()

    @contextlib.contextmanager
    def engage(self, journal: int) -> Iterator[Line]:
        """A line to a new supervisor, which is gone with all it started when the block is left."""
        control, orders = os.pipe()
        reports, report = os.pipe()
        try:
            self._request([control, report, journal])
        except BaseException:
            os.close(orders)
            os.close(reports)
            raise
        finally:
            os.close(control)
            os.close(report)
        line = Line(orders, reports)
        try:
            yield line
        finally:
            line.close()

    def _request(self, descriptors: list[int]) -> None:
        with self._lock:
            try:
                socket.send_fds(self._living().requests, [b"1"], descriptors)
            except ConnectionError:  # it was killed; its supervisors go on without it
                self._zygote = None
                socket.send_fds(self._living().requests, [b"1"], descriptors)

    def _living(self) -> _Zygote:
        if self._zygote is None or self._zygote.owner != os.getpid():
            self._zygote = _Zygote()
        return self._zygote


class _Zygote:
    """The process and our end of its socket; both end with this object."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_PROGRAM)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env={},
                cwd="/",
                start_new_session=True,
            )
        weakref.finalize(self, _end, self.requests, process)


def _end(requests: socket.socket, process: subprocess.Popen[bytes]) -> None:
    requests.close()
    process.wait()


class Line:
    """Two pipes to one supervisor: orders go out, reports come in."""

    def __init__(self, orders: int, reports: int) -> None:
        self._orders = orders
        self._reports = reports
        self._poll = select.poll()
        self._poll.register(reports, select.POLLIN)
        self._supervisor: int | None = None
        self.reported = False

    def carry_out(self, order: Fields, look: Callable[[], bool], seconds: float) -> Fields | None:
        """Give an order that takes at most ``seconds`` and wait for the report; None when there will be none.

        ``look`` is called from time to time; the order is cancelled when it says so.
        """
        deadline = time.monotonic() + seconds + _PATIENCE
        cancelled = False
        with contextlib.suppress(BrokenPipeError):  # it ended early: what it reported is in the other pipe
            self._greet()
            wire.send(self._orders, order)
            while not self._reports_within(_LOOK):
                if time.monotonic() > deadline:
                    return None
                if look() and not cancelled:
                    os.write(self._orders, b"c")
                    cancelled = True
        report = wire.receive(self._reports)
        self.reported = report is not None
        return report

    def close(self) -> None:
        """Without its line a supervisor kills what it started and ends; one that cannot any more is killed.

        A supervisor that has reported has nothing left to do: only the end of its process is waited for, and not for long.
        """
        os.close(self._orders)
        if not self._hung_up(_FAREWELL if self.reported else _PATIENCE) and not self.reported:
            self._kill()
        os.close(self._reports)

    def _hung_up(self, seconds: float) -> bool:
        """Wait until the other end of the reports is closed; whether it was in time."""
        deadline = time.monotonic() + seconds
        while self._reports_within(deadline - time.monotonic()):
            if not os.read(self._reports, 1 << 16):
                return True
        return False

    def _greet(self) -> None:
        greeting = wire.receive(self._reports)
        self._supervisor = int(dict(greeting)["supervisor"]) if greeting else None

    def _reports_within(self, seconds: float) -> bool:
        return bool(self._poll.poll(max(0.0, seconds) * 1000))

    def _kill(self) -> None:
        if self._supervisor is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._supervisor, signal.SIGKILL)
