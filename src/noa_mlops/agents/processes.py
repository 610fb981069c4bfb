"""The tree of processes below a supervisor: find it, measure it, end it.

The supervisor is the subreaper of everything it starts: a process whose parent dies becomes the supervisor's own
child (prctl(2), PR_SET_CHILD_SUBREAPER), so no double fork and no new session leads out of the tree.
"""

from __future__ import annotations

import os
import time

from noa_mlops.agents.kernel import SIGKILL, SIGSTOP

TYPE_CHECKING = False
if TYPE_CHECKING:  # the supervisor starts without what these need
    from collections.abc import Callable

SPARE_TASKS = 512
"""For threads, where the kernel limits tasks and a plan limits processes."""

_LONGEST_PAUSE = 0.02
_TRIES = 100
_BETWEEN_TRIES = 0.1


def fork(way: Callable[[], int] | None = None) -> int:
    """Fork. Where the machine has no room for another process, wait for some seconds. Raises `OSError` after that."""
    once = way or os.fork
    for _ in range(_TRIES):
        try:
            return once()
        except BlockingIOError:
            time.sleep(_BETWEEN_TRIES)
    return once()


class Tree:
    """All descendants of this process."""

    def __init__(self) -> None:
        own = os.getpid()
        self._own = own
        self._listed = os.path.exists(f"/proc/{own}/task/{own}/children")
        self._statuses: dict[int, int] = {}
        self._killed = 0

    def descendants(self) -> list[int]:
        """Every process below this one, parents before their children."""
        children = self._lister()
        found: list[int] = []
        seen = {self._own}
        queue = [self._own]
        while queue:
            new = [child for child in children(queue.pop()) if child not in seen]
            seen.update(new)
            found += new
            queue += new
        return found

    def _lister(self) -> Callable[[int], list[int]]:
        return _listed_children if self._listed else _children_by_parent().__getitem__

    def reap(self) -> bool:
        """Collect every child that has ended; whether there are children left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            self._statuses.setdefault(pid, status)
            self._killed += status == SIGKILL

    def status_of(self, pid: int) -> int | None:
        """How a child ended, as `os.waitpid` says it; None while it lives."""
        return self._statuses.get(pid)

    def living(self) -> list[int]:
        """The descendants that have not ended."""
        return [pid for pid in self.descendants() if _state_and_group(pid)[0] not in ("Z", "X")]

    def end(self) -> int:
        """Kill every descendant and return when all are dead; how many were killed.

        Two things win against a tree that forks faster than it can be listed. A process that was sent SIGKILL forks no
        more, so each is visited once, its children right after it. And where the number of processes of the user is
        limited (root's is not), stopped ones keep their places taken until there is nobody left to fork.
        """
        if os.geteuid() != 0:
            self._signal_all(SIGSTOP)
        before = self._killed
        pause = 0.0005
        while self.reap():
            self._signal_all(SIGKILL)
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        return self._killed - before

    def _signal_all(self, number: int) -> None:
        """Send a signal to every descendant until no new one turns up.

        A process group takes a signal in one step that no ``fork`` can outrun, so groups come first.
        """
        children = self._lister()
        groups = {os.getpgrp(), 0}
        seen: set[int] = set()
        while queue := [pid for pid in children(self._own) if pid not in seen]:
            while queue:
                pid = queue.pop()
                seen.add(pid)
                group = _state_and_group(pid)[1]
                if group not in groups:
                    groups.add(group)
                    _signal(-group, number)
                _signal(pid, number)
                queue += [child for child in children(pid) if child not in seen]


def take_precedence() -> bool:
    """Let this process, not its children, run before all others; whether that is allowed.

    A tree that forks without end leaves little time to a supervisor that has to ask for its turn.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except OSError:
        return False
    return True


def give_precedence_back() -> bool:
    """Take turns with others again; whether that is allowed.

    To be done before an ended process is collected: the kernel then clears its entries in ``/proc`` and waits, spinning, for
    the threads of that process that do the same. One that may not be interrupted can keep them from their turn for a second.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    except OSError:
        return False
    return True


def started(pid: int) -> int | None:
    """When a process was started, in the kernel's ticks; None when it is dead. Two with one number differ in this."""
    fields = _stat(pid)
    return int(fields[19]) if fields and fields[0] not in ("Z", "X") else None


def end_marked(mark: bytes) -> None:
    """Kill every process whose environment holds the variable ``mark``, until there is none.

    For a tree whose supervisor was killed, so that nobody knows its members any more.
    """
    while marked := [pid for pid in _all() if mark in _read(f"/proc/{pid}/environ").split(b"\0")]:
        for pid in marked:
            _signal(pid, SIGKILL)
        time.sleep(_LONGEST_PAUSE)


def _all() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def memory(pids: list[int]) -> int:
    """Bytes of memory that the processes hold for themselves: anonymous and shared, without mapped files."""
    return sum(map(_resident, pids)) * 1024


def fair_memory(pids: list[int]) -> int:
    """Like `memory`, but a page that several processes share counts once; slower.

    A process that does not let itself be read so closely counts in full.
    """
    return sum(_proportional(pid) or _resident(pid) for pid in pids) * 1024


def _resident(pid: int) -> int:
    return _kilobytes(f"/proc/{pid}/status", (b"RssAnon:", b"RssShmem:"))


def _proportional(pid: int) -> int:
    return _kilobytes(f"/proc/{pid}/smaps_rollup", (b"Pss_Anon:", b"Pss_Shmem:"))


def _kilobytes(path: str, names: tuple[bytes, ...]) -> int:
    return sum(int(line.split()[1]) for line in _read(path).splitlines() if line.startswith(names))


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _signal(pid: int, number: int) -> bool:
    """Send a signal; whether there was somebody to take it."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _listed_children(pid: int) -> list[int]:
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    return [int(child) for thread in threads for child in _read(f"/proc/{pid}/task/{thread}/children").split()]


def _children_by_parent() -> _Children:
    """For kernels built without lists of children: one look at every process of the machine."""
    children = _Children()
    for pid in _all():
        if len(fields := _stat(pid)) > 1:
            children.setdefault(int(fields[1]), []).append(pid)
    return children


class _Children(dict[int, list[int]]):
    def __missing__(self, pid: int) -> list[int]:
        return []


def _state_and_group(pid: int) -> tuple[str, int]:
    fields = _stat(pid)
    return (fields[0], int(fields[2])) if fields else ("X", 0)


def _stat(pid: int) -> list[str]:
    """The fields of ``/proc/<pid>/stat`` after the name, which may itself hold spaces and brackets."""
    return _read(f"/proc/{pid}/stat").rpartition(b")")[2].decode("ascii").split()
