"""The supervisor's watch over one program, from its start to the death of its last descendant.

It ends when the program ends, passes a limit, is cancelled, or when the runtime that asked for it is gone. In
every case all descendants are killed before the report is written.
"""

from __future__ import annotations

import os
import select
import time

from noa_mlops.agents import groups, wire
from noa_mlops.agents.assignment import Assignment
from noa_mlops.agents.consumption import Breach, Meter
from noa_mlops.agents.kernel import PR_SET_CHILD_SUBREAPER, Kernel
from noa_mlops.agents.launch import Launched, LaunchFailed, launch
from noa_mlops.agents.processes import Tree, give_precedence_back, take_precedence

_CONTROL, _REPORT, _JOURNAL = 0, 1, 2
_LOOK = 0.05
_LOOK_AT_DISK = 0.5
_GRACE = 1.0
_ENDING = 0.005
_SIGXCPU, _SIGXFSZ = 24, 25
_FILE_TOO_LARGE = b"File too large"
_OUT_OF_MEMORY = (b"MemoryError", b"std::bad_alloc", b"Cannot allocate memory")


def supervise(kernel: Kernel, runtime: int) -> None:
    """Read an assignment from the control pipe, carry it out, report.

    ``runtime`` is a descriptor of the process (pidfd) that asks for it.
    """
    if not _tell([("supervisor", str(os.getpid()))]) or (fields := wire.receive(_CONTROL)) is None:
        return
    assignment = Assignment.of(fields)
    kernel.prctl(PR_SET_CHILD_SUBREAPER, 1)
    started = time.time()
    group = groups.make(assignment.limits)
    try:
        fields = _carry_out(kernel, assignment, runtime, group)
    except LaunchFailed as error:
        note(str(error))
        fields = [("cause", "exit_status"), ("exit_status", "127"), ("detail", str(error))]
    finally:
        Tree().end()
        if group is not None:
            group.remove()
    _tell([*fields, ("started", repr(started)), ("finished", repr(time.time()))])


def refuse(report: int, reason: str) -> None:
    """Report, in the place of a supervisor that could not be started, that the job was not."""
    now = repr(time.time())
    never = [("cause", "exit_status"), ("exit_status", "127"), ("detail", reason), ("started", now), ("finished", now)]
    try:
        wire.send(report, [("supervisor", str(os.getpid()))])
        wire.send(report, never)
    except BrokenPipeError:
        return


def _tell(fields: list[tuple[str, str]]) -> bool:
    """Send a message to the runtime; whether it was there to take it."""
    try:
        wire.send(_REPORT, fields)
    except BrokenPipeError:
        return False
    return True


def _carry_out(
    kernel: Kernel, assignment: Assignment, runtime: int, group: groups.Group | None
) -> list[tuple[str, str]]:
    launched = launch(kernel, assignment, group)
    note(f"started process {launched.pid}: {os.path.basename(assignment.argv[0])}, {assignment.isolation}")
    watch = Watch(assignment, launched, runtime, group)
    return [*watch.until_the_end(), *((f"fact.{name}", value) for name, value in launched.facts.items())]


def note(text: str) -> bool:
    """Add a line to ``controller.log``; whether it could be written."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = "".join(character if character.isprintable() else "?" for character in text)
    try:
        os.write(_JOURNAL, f"{moment} {line}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        return False
    return True


class Watch:
    """Waits on everything at once; looks at memory, processes and disk in between."""

    def __init__(self, assignment: Assignment, launched: Launched, runtime: int, group: groups.Group | None) -> None:
        self._main = launched.pid
        self._group = group
        self._runtime = runtime
        self._limits = assignment.limits
        self._tree = Tree()
        self._meter = Meter(assignment.limits, assignment.writable)
        self._ended: float | None = None
        self._deadline = time.monotonic() + assignment.limits["time"]
        self._next_look = time.monotonic() + _LOOK
        self._next_disk = time.monotonic() + _LOOK_AT_DISK
        self._stdout, self._stderr = launched.stdout, launched.stderr
        self._captures = {capture.source: capture for capture in (self._stdout, self._stderr)}
        self._poll = select.poll()
        for descriptor in (_CONTROL, runtime, os.pidfd_open(self._main), *self._captures):
            self._poll.register(descriptor, select.POLLIN)

    def until_the_end(self) -> list[tuple[str, str]]:
        """Wait for the end of the program or for a reason to end it, kill what is left, and say what happened."""
        breach = None
        while breach is None and not self._finished():
            breach = self._wait() or self._look()
        ending = _ending(self._tree.status_of(self._main))
        left_behind = len(self._tree.living()) if self._ended is not None else 0
        if left_behind or breach is not None:
            take_precedence()
        if self._group is not None:
            self._group.end()
        killed = self._tree.end()
        self._stdout.drain()
        self._stderr.drain()
        breach = breach or self._meter.disk() or self._explain(ending, left_behind)
        note(f"{breach.cause}: {breach.detail or 'done'}; {killed} processes were killed at the end")
        return [
            *ending.items(),
            ("cause", breach.cause),
            ("detail", breach.detail),
            ("peak_memory", str(self._peak_memory())),
            ("left_behind", str(left_behind)),
        ]

    def _finished(self) -> bool:
        """Whether nothing is left to wait for; a program's helpers get a moment to end after it."""
        alive = self._tree.reap()
        if self._ended is None and self._tree.status_of(self._main) is not None:
            self._ended = time.monotonic()
        return self._ended is not None and (not alive or time.monotonic() - self._ended > _GRACE)

    def _wait(self) -> Breach | None:
        """Sleep until something happens or the next look is due."""
        pause = _ENDING if self._ended is not None else min(self._next_look, self._deadline) - time.monotonic()
        breach = None
        for descriptor, _ in self._poll.poll(max(0, int(pause * 1000) + 1)):
            if descriptor == _CONTROL:
                breach = _order()
            elif descriptor == self._runtime:
                breach = Breach("lost", "the runtime is gone")
            elif descriptor not in self._captures:
                give_precedence_back()
                self._poll.unregister(descriptor)
            elif not self._captures[descriptor].pump():
                self._poll.unregister(descriptor)
        return breach

    def _look(self) -> Breach | None:
        """Hold the tree against its limits, each as often as it is worth."""
        now = time.monotonic()
        if now >= self._deadline:
            return Breach("time_limit", f"not finished after {self._limits['time']} s")
        if now < self._next_look:
            return None
        breach = self._meter.processes(self._tree.descendants())
        if breach is None and now >= self._next_disk:
            breach = self._meter.disk()
            self._next_disk = time.monotonic() + max(_LOOK_AT_DISK, 10 * (time.monotonic() - now))
        self._next_look = time.monotonic() + _LOOK
        return breach

    def _explain(self, ending: dict[str, str], left_behind: int) -> Breach:
        """Why the program ended by itself."""
        number, status = int(ending.get("signal", 0)), int(ending.get("exit_status", 0))
        if number == _SIGXCPU:
            return Breach("time_limit", "processor time used up")
        if number == _SIGXFSZ:
            return Breach("disk_limit", "a file grew over the limit")
        if (number or status) and self._ran_out_of_memory():
            return Breach("memory_limit", f"out of memory; the limit is {self._limits['memory']} bytes")
        if status and _FILE_TOO_LARGE in self._stderr.tail:
            return Breach("disk_limit", "a file grew over the limit")
        if number:
            return Breach("signal", f"signal {number}")
        if status:
            return Breach("exit_status", f"exit status {status}")
        return Breach("left_processes", f"{left_behind} still ran") if left_behind else Breach("completed", "")

    def _ran_out_of_memory(self) -> bool:
        said = any(words in self._stderr.tail for words in _OUT_OF_MEMORY)
        killed = self._group is not None and self._group.ran_out_of_memory()
        return said or killed or self._meter.peak_memory >= 0.95 * self._limits["memory"]

    def _peak_memory(self) -> int:
        """What was seen, or what the kernel counted, which sees everything."""
        return max(self._meter.peak_memory, self._group.peak_memory() if self._group is not None else 0)


def _order() -> Breach:
    """What came through the control pipe: a byte cancels, its end means that the runtime is gone."""
    if os.read(_CONTROL, 1):
        return Breach("cancelled", "cancelled")
    return Breach("lost", "the runtime is gone")


def _ending(status: int | None) -> dict[str, str]:
    if status is None:
        return {}
    if os.WIFSIGNALED(status):
        return {"signal": str(os.WTERMSIG(status))}
    return {"exit_status": str(os.waitstatus_to_exitcode(status))}
