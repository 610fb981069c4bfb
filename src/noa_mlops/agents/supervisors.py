"""The runtime's side of its supervisors: a zygote for each kind of job, and two pipes to each supervisor."""

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

from noa_mlops.agents import environment, forked, wire
from noa_mlops.errors import TrainingFailed

_PROGRAM = Path(__file__).with_name("supervisor.py")
_LOOK = 0.05
_PATIENCE = 60.0
_FAREWELL = 1.0

Fields = list[tuple[str, str]]


class Supervisors:
    """Engages a supervisor for each job. Safe to share between threads; a forked process gets zygotes of its own.

    There is a zygote for each `Job.preload` that was asked for; the one without is the lightest.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._zygotes: dict[str, _Zygote] = {}

    def warm(self, preload: str) -> None:
        """Start the zygote, when there is none, without waiting for it."""
        with self._lock:
            self._living(preload)

    @contextlib.contextmanager
    def engage(self, journal: int, preload: str) -> Iterator[Line]:
        """A line to a new supervisor, which is gone with all it started when the block is left; see `Job.preload`."""
        line = self._line(journal, preload) or self._line(journal, preload)  # a zygote that was killed is replaced once
        if line is None:
            raise TrainingFailed(
                "no supervisor could be started for the job: the process that starts them was killed twice",
                hint="See whether something on this machine kills processes, for example for want of memory; run again.",
            )
        try:
            yield line
        finally:
            line.close()

    def _line(self, journal: int, preload: str) -> Line | None:
        """A line to a supervisor that has answered; None when its zygote was gone before that."""
        control, orders = os.pipe()
        reports, report = os.pipe()
        line = Line(orders, reports)
        try:
            zygote = self._request(preload, [control, report, journal])
        except BaseException:
            line.close()
            raise
        finally:
            os.close(control)
            os.close(report)
        if line.greeted():
            return line
        line.close()
        with self._lock:
            if self._zygotes.get(preload) is zygote:
                del self._zygotes[preload]
        return None

    def _request(self, preload: str, descriptors: list[int]) -> _Zygote:
        with self._lock:
            zygote = self._living(preload)
            with contextlib.suppress(ConnectionError):  # it was killed: nobody will answer
                socket.send_fds(zygote.requests, [b"1"], descriptors)
            return zygote

    def _living(self, preload: str) -> _Zygote:
        zygote = self._zygotes.get(preload)
        if zygote is None or zygote.owner != os.getpid():
            zygote = self._zygotes[preload] = _Zygote(preload)
        return zygote


class _Zygote:
    """The process and our end of its socket; both end with this object."""

    def __init__(self, preload: str) -> None:
        self.owner = os.getpid()
        self.requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    *([] if preload else ["-S"]),
                    str(_PROGRAM),
                    str(self.owner),
                    *filter(None, [preload]),
                ],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env={**environment.of_zygote(), **forked.room()} if preload else {},
                cwd="/",
                start_new_session=True,
            )
        weakref.finalize(self, _end, self.requests, process)


def _end(requests: socket.socket, process: subprocess.Popen[bytes]) -> None:
    requests.close()
    process.kill()  # it may still be importing; whatever it forked goes on without it
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

    def greeted(self) -> bool:
        """Wait until the supervisor says who it is; whether there is one."""
        greeting = wire.receive(self._reports)
        self._supervisor = int(dict(greeting)["supervisor"]) if greeting else None
        return self._supervisor is not None

    def _reports_within(self, seconds: float) -> bool:
        return bool(self._poll.poll(max(0.0, seconds) * 1000))

    def _kill(self) -> None:
        if self._supervisor is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._supervisor, signal.SIGKILL)
