"""Control groups: an agent and all it starts in a group of its own, where the machine allows one.

A group ends as a whole, and the kernel holds it to memory, processes and processors as far as the group above hands that
on. Nothing here is needed: what a machine does not allow is left out, and the supervisor watches as it always does.
Source: ``Documentation/admin-guide/cgroup-v2.rst``; proc_pid_mountinfo(5); ``user.delegate``: systemd, "Control Group APIs
and Delegation".
"""

from __future__ import annotations

import os
import time

from noa_mlops.agents.kernel import Kernel
from noa_mlops.agents.processes import SPARE_TASKS, fork, started

_PREFIX = "noa"
_PERIOD = 100_000
_CONTROLLERS = ("cpu", "memory", "pids")
_TRIES = 50
_PAUSE = 0.002
_ESCAPED = (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\"))

Limits = dict[str, int]


def make(limits: Limits) -> Group | None:
    """A new group, held to ``limits``; None where this process may make none. What others have left is removed."""
    for place in _places():
        try:
            group = Group(f"{place}/{_name()}", limits)
        except OSError:
            continue
        _remove_what_is_left(place)
        return group
    return None


class Group:
    """A group and its folder. ``facts`` says what it does, sorted: any of ``cpu``, ``kill``, ``memory``, ``pids``."""

    __slots__ = ("_folder", "facts")

    def __init__(self, folder: str, limits: Limits) -> None:
        os.mkdir(folder)
        self._folder = folder
        self.facts = sorted([*self._hold(limits), *(["kill"] if os.path.exists(f"{folder}/cgroup.kill") else [])])

    def fork(self, kernel: Kernel) -> int:
        """Fork a process that is born in the group; to move one there takes the kernel many milliseconds.

        Where that cannot be, it is born outside, and there are no facts. Raises `OSError` when it cannot be born at all.
        """
        try:
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                return fork(lambda: kernel.fork_into(folder))
            finally:
                os.close(folder)
        except OSError:
            self.facts = []
            return fork()

    def end(self) -> bool:
        """Kill all processes of the group in one step; whether the kernel can."""
        return _write(f"{self._folder}/cgroup.kill", "1")

    def peak_memory(self) -> int:
        """The most bytes that the group held, files that were kept in memory for it included; 0 when nobody counted."""
        return int(_read(f"{self._folder}/memory.peak") or 0)

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel killed a process of the group for want of memory."""
        events = dict(line.split() for line in _read(f"{self._folder}/memory.events").splitlines())
        return int(events.get("oom_kill", 0)) > 0

    def remove(self) -> bool:
        """Remove the group, whose processes are dead; whether it is gone."""
        return _remove(self._folder)

    def _hold(self, limits: Limits) -> list[str]:
        """Set the limits; those that are in force. Those on tasks leave room for threads."""
        settings = {
            "cpu": {"cpu.max": f"{limits['cpus'] * _PERIOD} {_PERIOD}"},
            "memory": {"memory.max": str(limits["memory"]), "memory.swap.max": "0", "memory.oom.group": "1"},
            "pids": {"pids.max": str(limits["processes"] + SPARE_TASKS)},
        }
        written = {
            name: [_write(f"{self._folder}/{file}", value) for file, value in files.items()]
            for name, files in settings.items()
        }
        return [name for name, done in written.items() if done[0]]


def _places() -> list[str]:
    """Where to make a group: beside that of this process, if somebody has been given the one above; else below it."""
    own = place_of(_read("/proc/self/cgroup"), _read("/proc/self/mountinfo"))
    if own is None:
        return []
    above = os.path.dirname(own)
    if not _is_delegated(above):
        return [own]
    for name in _CONTROLLERS:
        _write(f"{above}/cgroup.subtree_control", f"+{name}")
    return [above, own]


def place_of(groups: str, mounts: str) -> str | None:
    """The folder of a process's group, by its ``/proc/<pid>/cgroup`` and ``mountinfo``; None when it cannot be seen."""
    own = next((line[3:] for line in groups.splitlines() if line.startswith("0::/")), None)
    if own is None or own.startswith("/.."):  # a group above all that this name space shows
        return None
    for line in mounts.splitlines():
        mount, _, source = line.partition(" - ")
        if source.startswith("cgroup2 "):
            root, point = (_unescaped(path).rstrip("/") for path in mount.split(" ")[3:5])
            if f"{own}/".startswith(f"{root}/"):
                return point + own[len(root) :].rstrip("/")
    return None


def _unescaped(path: str) -> str:
    for code, character in _ESCAPED:
        path = path.replace(code, character)
    return path


def _is_delegated(group: str) -> bool:
    """Whether the machine's manager has given the group, and all below it, to whom it belongs."""
    try:
        return os.getxattr(group, "user.delegate") == b"1"
    except OSError:
        return False


def _name() -> str:
    return f"{_PREFIX}-{_family()}-{os.getpid()}-{started(os.getpid())}"


def _family() -> str:
    """The name space in which numbers of processes hold."""
    return os.readlink("/proc/self/ns/pid").strip("pid:[]")


def _remove_what_is_left(place: str) -> None:
    """End and remove the groups whose supervisors are dead; those of other users and other families are theirs."""
    prefix = f"{_PREFIX}-{_family()}-"
    for folder in _below(place):
        name = os.path.basename(folder)
        pid, _, start = name.removeprefix(prefix).partition("-")
        if name.startswith(prefix) and pid.isdigit() and str(started(int(pid))) != start and _is_own(folder):
            _write(f"{folder}/cgroup.kill", "1")
            _remove(folder)


def _is_own(folder: str) -> bool:
    try:
        return os.stat(folder).st_uid == os.geteuid()
    except OSError:
        return False


def _remove(folder: str) -> bool:
    """Remove a group and what was made below it; one whose processes are still dying is waited for, a moment."""
    for _ in range(_TRIES):
        if _removed(folder):
            return True
        found = _below(folder)
        for path in found:
            found += _below(path)
        for path in reversed(found):
            _removed(path)
        time.sleep(_PAUSE)
    return False


def _removed(folder: str) -> bool:
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _below(folder: str) -> list[str]:
    """The groups in a group."""
    try:
        return [entry.path for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _write(path: str, text: str) -> bool:
    """Write to a file of the kernel; whether it took it."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.write(descriptor, text.encode())
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _read(path: str) -> str:
    """What a file of the kernel says; nothing when there is none."""
    try:
        with open(path, "rb") as file:
            return os.fsdecode(file.read())
    except OSError:
        return ""
