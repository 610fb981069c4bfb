"""The runtime: runs one job under a supervisor and returns when all its processes are dead."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from noa_mlops.agents import environment, gpus, landlock, reach
from noa_mlops.agents.gpus import Gpu, Gpus
from noa_mlops.agents.jobs import Cause, IsolationFacts, Job, Outcome, Rung
from noa_mlops.agents.kernel import Kernel
from noa_mlops.agents.processes import end_marked
from noa_mlops.agents.progress import ProgressTail
from noa_mlops.agents.supervisors import Fields, Line, Supervisors
from noa_mlops.agents.workspace import JOURNAL, mark_of
from noa_mlops.errors import NotAuthorised, TrainingFailed

OnProgress = Callable[[dict[str, Any]], None]


@functools.cache
def best_isolation() -> Rung:
    """The highest rung that this kernel offers, asked of the kernel."""
    return "sealed" if landlock.abi(Kernel()) >= 1 else "basic"


def isolation_for(asked: Rung | None) -> Rung:
    """The rung that a job runs on: the one that is asked for, else the best. Raises `NotAuthorised` when it is not to be had."""
    best = best_isolation()
    if asked == "sealed" and best != "sealed":
        raise NotAuthorised(
            f"the plan asks for sealed agents, this machine can only do {best!r}",
            hint="Run it on a kernel with Landlock (5.13 or newer, enabled), or ask for 'isolation: basic'.",
        )
    return asked or best


class RuntimeManager:
    """Runs jobs, each in a process tree of its own; threads and orchestrators may share one."""

    def __init__(self, machine: Gpus | None = None) -> None:
        self._supervisors = Supervisors()
        self.gpus = machine or Gpus()
        """The GPUs that jobs may ask for."""

    def warm(self, preload: str = "") -> None:
        """Prepare for the first job with this `Job.preload` without waiting; it then starts sooner."""
        self._supervisors.warm(preload)

    def run(self, job: Job, *, on_progress: OnProgress | None = None, cancel: threading.Event | None = None) -> Outcome:
        """Run ``job`` to its end and return when every process it started is dead.

        ``on_progress`` is called in this thread with each object that the program adds to ``progress.jsonl``; when it
        raises, the job is killed first. Setting ``cancel`` ends the job. A job that asks for GPUs waits for free ones
        before its time begins. Raises `TrainingFailed` when the job cannot be started as asked, `OSError` when its workspace
        cannot be used, `PlanInvalid` when the machine has too few GPUs.
        """
        if not job.limits.gpus:
            return self._carry_out(job, _order(job), on_progress, cancel)
        waiting = cancel or threading.Event()
        with self.gpus.lease(job.limits.gpus, lambda text: _tell(on_progress, text), waiting) as leased:
            if not leased:
                return _never("cancelled", "cancelled while it waited for a GPU")
            return self._carry_out(job, [*_order(job), *self._devices(job, leased)], on_progress, cancel)

    def _devices(self, job: Job, leased: tuple[Gpu, ...]) -> Fields:
        """What an order adds for the GPUs that a job was given."""
        fields = [(f"environment.{name}", value) for name, value in gpus.variables(leased).items()]
        if job.isolation == "sealed":
            fields += [(f"grant.{landlock.DEVICE | landlock.LIST}", node) for node in self.gpus.nodes(leased)]
            fields += [(f"grant.{landlock.READ}", path) for path in gpus.READ]
        return fields

    def _carry_out(
        self, job: Job, order: Fields, on_progress: OnProgress | None, cancel: threading.Event | None
    ) -> Outcome:
        tail = ProgressTail(job.cwd / "progress.jsonl")

        def look() -> bool:
            for said in tail.new():
                if on_progress is not None:
                    on_progress(said)
            return cancel is not None and cancel.is_set()

        try:
            with self._line(job) as line:
                report = line.carry_out(order, look, job.limits.time)
            look()
        finally:
            tail.close()
        return _outcome(dict(report)) if report is not None else _lost()

    @contextlib.contextmanager
    def _line(self, job: Job) -> Iterator[Line]:
        """A line to a supervisor; when it did not report, whatever is left of its tree is found and killed."""
        line = None
        try:
            with _journal(job.cwd) as journal, self._supervisors.engage(journal, job.preload) as line:
                yield line
        finally:
            if line is not None and not line.reported:
                end_marked(mark_of(job.cwd))


@contextlib.contextmanager
def _journal(workspace: Path) -> Iterator[int]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(workspace / JOURNAL, flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)  # held by the supervisor too, and so until that is dead
        yield descriptor
    finally:
        os.close(descriptor)


def _order(job: Job) -> Fields:
    """The job as the fields of an assignment."""
    if job.isolation == "sealed" and best_isolation() != "sealed":
        raise TrainingFailed(
            "this kernel cannot seal an agent: it offers no Landlock",
            hint="Use Linux 5.13 or newer with Landlock enabled, or ask for isolation: basic.",
        )
    fields = [("argv", argument) for argument in job.argv]
    fields += [("cwd", str(job.cwd)), ("isolation", job.isolation), ("preloaded", job.preload)]
    fields += [(f"environment.{name}", value) for name, value in environment.of_job(job).items()]
    fields += [("writable", str(path)) for path in job.writable]
    limits = job.limits
    for name in ("memory", "time", "disk", "cpus", "processes", "log", "gpus"):
        fields.append((f"limit.{name}", str(getattr(limits, name))))
    if job.isolation == "sealed":
        granted = reach.grants((job.cwd, *job.readable), job.writable, job.hidden)
        fields += [(f"grant.{rights}", path) for rights, path in granted]
    if any("\0" in text for pair in fields for text in pair):
        raise TrainingFailed("a NUL byte cannot be part of an argument, a path or a variable of a job")
    return fields


def _outcome(report: dict[str, str]) -> Outcome:
    landlock_abi = int(report.get("fact.landlock", 0))
    return Outcome(
        cause=cast("Cause", report["cause"]),
        exit_status=int(report["exit_status"]) if "exit_status" in report else None,
        signal=int(report["signal"]) if "signal" in report else None,
        started_at=_moment(float(report["started"])),
        finished_at=_moment(float(report["finished"])),
        peak_memory=int(report.get("peak_memory", 0)),
        isolation=IsolationFacts.of(
            "sealed" if landlock_abi else "basic",
            landlock_abi,
            seccomp=report.get("fact.seccomp") == "1",
            namespaces=report.get("fact.namespaces", "").split(),
            cgroup=report.get("fact.cgroup", "").split(),
        ),
        left_behind=int(report.get("left_behind", 0)),
        detail=report["detail"],
    )


def _tell(on_progress: OnProgress | None, text: str) -> None:
    if on_progress is not None:
        on_progress({"message": text})


def _lost() -> Outcome:
    return _never("lost", "the supervisor of the job ended without a report; controller.log may say more")


def _never(cause: Cause, detail: str) -> Outcome:
    """The outcome of a job of which nothing is known but why."""
    now = _moment(time.time())
    return Outcome(cause, None, None, now, now, 0, IsolationFacts("basic"), detail=detail)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
