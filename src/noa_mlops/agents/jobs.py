"""What the runtime is asked to run, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Rung = Literal["basic", "sealed"]

Cause = Literal[
    "completed",
    "exit_status",
    "signal",
    "time_limit",
    "memory_limit",
    "disk_limit",
    "process_limit",
    "left_processes",
    "cancelled",
    "lost",
]
"""Why a job ended. ``left_processes``: the program ended well but left others running, which were killed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a job may use: bytes, seconds, processor cores, processes, GPUs; ``log`` in bytes for each output stream."""

    memory: int = 2 << 30
    time: int = 600
    disk: int = 5 << 30
    cpus: int = 1
    processes: int = 256
    log: int = 8 << 20
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """One program to run in a workspace.

    ``cwd`` is the workspace, which receives the logs. When sealed, the program reads ``readable``, writes
    ``writable``, reads what programs of this machine need to start, and nothing else; of ``hidden`` (the project,
    the keys, the data) it reads nothing but what the first two name. ``environment`` is added to a short allow-list.
    """

    argv: tuple[str, ...]
    cwd: Path
    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = Limits()
    isolation: Rung = "basic"
    preload: str = ""
    """A module that imports what the program would, when ``argv`` is ``python -I -m MODULE ...``: the job is then forked
    from a process that did so, where that could be done. It must start no thread; numeric libraries have one each."""


@dataclass(frozen=True, slots=True)
class IsolationFacts:
    """What confined a job, as the kernel confirmed it.

    ``landlock_abi`` is 0 without Landlock. ``network``: ``denied`` (no socket can be made), ``tcp_denied`` (Landlock
    alone) or ``open``. ``signals_scoped``: the job could not signal a process outside. ``namespaces``: the kinds it had of
    its own (``ipc``, ``mount``, ``network``, ``user``, ``uts``); ``cgroup``: what a control group of its own did (``cpu``, ``memory``
    and ``pids`` held to its limits, ``kill`` to end it in one step). Both sorted, and empty where the machine allowed none.
    """

    rung: Rung
    landlock_abi: int = 0
    seccomp: bool = False
    network: Literal["denied", "tcp_denied", "open"] = "open"
    labels_hidden: bool = False
    signals_scoped: bool = False
    namespaces: tuple[str, ...] = ()
    cgroup: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        rung: Rung,
        landlock_abi: int,
        *,
        seccomp: bool,
        namespaces: Iterable[str] = (),
        cgroup: Iterable[str] = (),
    ) -> IsolationFacts:
        """The facts that follow from the kernel's answers."""
        return cls(
            rung=rung,
            landlock_abi=landlock_abi,
            seccomp=seccomp,
            network="denied" if seccomp else "tcp_denied" if landlock_abi >= 4 else "open",
            labels_hidden=landlock_abi >= 1,
            signals_scoped=landlock_abi >= 6,
            namespaces=tuple(namespaces),
            cgroup=tuple(cgroup),
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended; no process of it is alive.

    ``exit_status`` and ``signal`` are those of the main process when it ended by itself. Times are RFC 3339 UTC.
    ``peak_memory`` is in bytes, the most that was seen, or that the kernel counted for the control group; it counts files
    too that it keeps in memory for the group. ``left_behind`` counts processes that outlived the main one.
    """

    cause: Cause
    exit_status: int | None
    signal: int | None
    started_at: str
    finished_at: str
    peak_memory: int
    isolation: IsolationFacts
    left_behind: int = 0
    detail: str = ""

    @property
    def completed(self) -> bool:
        """Whether the program ended by itself, with status 0, leaving nothing behind."""
        return self.cause == "completed"
