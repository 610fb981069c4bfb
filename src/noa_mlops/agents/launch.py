"""Start one program: its own session, few descriptors, few variables, limits, and the seal when asked.

A program whose modules this process has imported is not executed but forked, with the same confinement. What fails
between ``fork`` and ``exec`` is reported to the supervisor; the program is never started with less
confinement than its assignment names.
"""

from __future__ import annotations

import os
import resource

from noa_mlops.agents import forked, sandbox, wire
from noa_mlops.agents.assignment import SEALED, Assignment
from noa_mlops.agents.capture import Capture
from noa_mlops.agents.groups import Group
from noa_mlops.agents.kernel import LAST_SIGNAL, PR_SET_PDEATHSIG, SIGKILL, Kernel
from noa_mlops.agents.processes import SPARE_TASKS, fork, take_precedence

_OPEN_FILES = 4096
_FAILED = "failed"


class LaunchFailed(Exception):
    """The program could not be started; the message says why."""


class Launched:
    """A started program: its process, what it prints, and the facts about its isolation."""

    __slots__ = ("facts", "pid", "stderr", "stdout")

    def __init__(self, pid: int, stdout: Capture, stderr: Capture, facts: dict[str, str]) -> None:
        self.pid = pid
        self.stdout = stdout
        self.stderr = stderr
        self.facts = facts


def launch(kernel: Kernel, assignment: Assignment, group: Group | None) -> Launched:
    """Start the program of ``assignment``, in ``group`` if that can be. Raises `LaunchFailed`."""
    printed, complained = _logs(assignment)
    warm = forked.is_possible(assignment)
    stdout, stderr, report = os.pipe(), os.pipe(), os.pipe()
    try:
        pid = fork() if group is None else group.fork(kernel)
    except OSError as error:
        raise LaunchFailed(f"the machine has no room for its process: {error}") from error
    if pid == 0:
        _child(kernel, assignment, (stdout[1], stderr[1], report[1]), warm=warm)
    take_precedence()
    for _, writing in (stdout, stderr, report):
        os.close(writing)
    facts = _receive_facts(report[0])
    facts["cgroup"] = " ".join(group.facts) if group is not None else ""
    printed.follow(stdout[0])
    complained.follow(stderr[0])
    return Launched(pid, printed, complained, facts)


def _logs(assignment: Assignment) -> list[Capture]:
    """The logs of both output streams, opened before the program can touch their names."""
    try:
        return [Capture(f"{assignment.cwd}/{name}", assignment.limits["log"]) for name in ("stdout.log", "stderr.log")]
    except OSError as error:
        raise LaunchFailed(f"the logs cannot be written: {error}") from error


def _receive_facts(report: int) -> dict[str, str]:
    """What the child found out before ``exec``; the pipe closes when ``exec`` succeeds."""
    try:
        facts = wire.receive(report)
        failure = wire.receive(report)
    finally:
        os.close(report)
    for fields in (facts, failure):
        if fields is not None and _FAILED in dict(fields):
            raise LaunchFailed(dict(fields)[_FAILED])
    if facts is None:
        raise LaunchFailed("the process ended before it was set up")
    return dict(facts)


def _child(kernel: Kernel, assignment: Assignment, descriptors: tuple[int, int, int], *, warm: bool) -> None:
    stdout, stderr, report = descriptors
    try:
        facts = _prepare(kernel, assignment, stdout, stderr)
        program = "" if warm else _find(assignment)
        wire.send(report, list(facts.items()))
        if warm:
            forked.become(kernel, assignment)
        os.execve(program, assignment.argv, assignment.environment)  # noqa: S606  a shell is what must not be there
    except Exception as error:  # noqa: BLE001  a forked process has no caller: whatever fails is told, then it ends
        wire.send(report, [(_FAILED, f"{assignment.argv[0]!r} cannot be started: {error}")])
    finally:
        os._exit(127)


def _prepare(kernel: Kernel, assignment: Assignment, stdout: int, stderr: int) -> dict[str, str]:
    """Become the process that the program will run in; the facts about its isolation."""
    os.setsid()
    kernel.prctl(PR_SET_PDEATHSIG, SIGKILL)
    os.umask(0o022)
    os.chdir(assignment.cwd)
    os.dup2(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), 0)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    _limit(assignment.limits)
    kernel.set_signals(0, range(1, LAST_SIGNAL + 1))
    kernel.unblock_signals()
    sandbox.confine(kernel)
    if assignment.isolation != SEALED:
        return {}
    return sandbox.seal(
        kernel, assignment.grants, shared=assignment.limits["memory"] if assignment.limits["gpus"] else 0
    )


def _find(assignment: Assignment) -> str:
    """The program's path; a bare name is looked up on the PATH that the program will see."""
    name = assignment.argv[0]
    if "/" in name:
        return name
    for folder in assignment.environment.get("PATH", "").split(":"):
        candidate = os.path.join(folder, name)
        if folder.startswith("/") and os.access(candidate, os.X_OK):
            return candidate
    raise FileNotFoundError(f"no program {name!r} on the PATH")


def _limit(limits: dict[str, int]) -> None:
    """Limits of the kernel: a backstop for what a process can do between two looks of the supervisor."""
    memory, seconds = limits["memory"], limits["time"] * max(1, limits["cpus"])
    _set(resource.RLIMIT_NPROC, _tasks_of_the_machine() + limits["processes"] + SPARE_TASKS)
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_FSIZE, limits["disk"])
    _set(resource.RLIMIT_NOFILE, _OPEN_FILES)
    if not limits["gpus"]:  # a driver maps far more than it uses; the supervisor's looks, and a group, still count
        _set(resource.RLIMIT_DATA, memory + memory // 2 + (1 << 30))
    _set(resource.RLIMIT_CPU, seconds * 2 + 10)
    _set(resource.RLIMIT_MSGQUEUE, 0)


def _tasks_of_the_machine() -> int:
    """How many processes and threads there are; the limit counts all those of one user. Source: proc_loadavg(5)."""
    with open("/proc/loadavg", encoding="ascii") as file:
        return int(file.read().split()[3].partition("/")[2])


def _set(limit: int, value: int) -> None:
    ceiling = resource.getrlimit(limit)[1]
    if ceiling != resource.RLIM_INFINITY:
        value = min(value, ceiling)
    resource.setrlimit(limit, (value, value))
