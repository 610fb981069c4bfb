"""Small projects whose agents are shell programs, and processes that run plans and die where they are told to."""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from noa_mlops.agents import AgentFactory, AgentProfile, RuntimeManager
from noa_mlops.audit import verify
from noa_mlops.errors import LifecycleError
from noa_mlops.ledger import Ledger
from noa_mlops.lifecycle import open_orchestrator
from noa_mlops.records.layout import Layout
from noa_mlops.records.plan import TrainingPlan

TRAIN = 'echo "$NOA_PAYLOAD" > out/model.txt; mkdir "$PWD/out/part"; echo more > out/part/weights.txt'
PREDICT = "{ echo prediction; tail -n +2 data/features.csv | awk '{print $1 % 2}'; } > out/predictions.csv"
WARM = ("noa_mlops.lifecycle", "noa_mlops.audit", "noa_mlops.drift", "pyarrow.parquet", "pyarrow.csv", "pydantic")
"""What every process here needs; imported once, by the server that they are forked from."""


def shell(name: str, train: str = TRAIN, predict: str = PREDICT) -> AgentProfile:
    """A profile whose agents are two lines for a shell."""
    train_by, predict_by = (("/bin/sh", "-ec", program) for program in (train, predict))
    return AgentProfile(name=name, summary=name, train=train_by, predict=predict_by, data_format="csv")


PROFILES = {
    profile.name: profile
    for profile in (
        shell("shell"),
        shell("waits-in-training", train=f"echo $$ > checkpoint/pid; touch tmp/here; sleep 600 & {TRAIN}; wait"),
        shell("waits-in-prediction", predict=f"echo $$ > checkpoint/pid; sleep 600; {PREDICT}"),
        shell("waits-for-a-sign", train=f"until [ -e checkpoint/sign ]; do sleep 0.02; done; {TRAIN}"),
        shell("predicts-after-a-sign", predict=f"until [ -e checkpoint/sign ]; do sleep 0.02; done; {PREDICT}"),
        shell("wide", train=f"{TRAIN}; for i in $(seq 40); do head -c 50000 /dev/urandom > out/part/$i; done"),
        shell("fails", train="echo nothing learned >&2; exit 3"),
        shell("says-one", predict=PREDICT.replace("$1 % 2", "1")),
        shell("talks", train=f'for i in 1 2 3 4 5; do echo "{{\\"step\\":$i}}" >> progress.jsonl; done; {TRAIN}'),
    )
}


def orchestrator(layout: Layout):
    """The orchestrator of a project, as a program would make it."""
    return open_orchestrator(layout, AgentFactory(PROFILES), RuntimeManager())


LENIENT = {"accuracy": {"min": 0.9, "versus_champion": {"max_drop": 0.5}}}
"""Forty rows are enough to pass beside any champion."""


def plan(lifecycle_id: str = "odd", profile: str = "shell", **members: object) -> TrainingPlan:
    """A plan whose model tells odd numbers from even ones, without a mistake."""
    document = {
        "lifecycle_id": lifecycle_id,
        "agent_profile": profile,
        "dataset_path": "data/train.csv",
        "target": "odd",
        "evaluation": {"dataset_path": "data/holdout.csv", "metric_thresholds": LENIENT},
    }
    return TrainingPlan.parse(json.dumps(document | members).encode(), name="plan.json")


def write_data(project: Path, start: int = 0) -> None:
    """Training rows and later ones."""
    for name, first in (("train", start), ("holdout", start + 1000)):
        rows = "".join(f"{number},{number % 2}\n" for number in range(first, first + 40))
        (project / "data").mkdir(exist_ok=True)
        (project / "data" / f"{name}.csv").write_text("number,odd\n" + rows)


@dataclass(frozen=True)
class Project:
    """A project and what can be asked about it without running anything."""

    layout: Layout

    @classmethod
    def at(cls, folder: Path) -> Project:
        """Make one, founded and with data."""
        folder.mkdir(parents=True)
        write_data(folder)
        orchestrator(Layout.of(folder)).close()
        return cls(Layout.of(folder))

    @property
    def state(self):
        return Ledger.read_only(self.layout).state

    def statuses(self, lifecycle_id: str = "odd") -> list[str]:
        """The states of the versions, from 1 on."""
        return [version.status for version in self.state.lifecycle(lifecycle_id).versions.values()]

    def entries(self) -> list:
        """Every entry that is sealed."""
        return [entry for entry, _ in Ledger.read_only(self.layout).entries()]

    def findings(self) -> list[str]:
        """What does not verify."""
        return [str(finding) for finding in verify(self.layout).findings]

    def run(self, *, plan: TrainingPlan | None = None):
        """Run a plan in this process."""
        with orchestrator(self.layout) as running:
            return running.run_plan(plan or globals()["plan"]())


_forked = multiprocessing.get_context("forkserver")
_forked.set_forkserver_preload([*WARM, "crash.projects"])


def start(work, *arguments) -> multiprocessing.Process:
    """A real process, forked from a warm server, that calls ``work``; its exit code is what that returns."""
    process = _forked.Process(target=_live, args=(dict(os.environ), work, arguments))
    process.start()
    return process


def end_of(process: multiprocessing.Process) -> int:
    """The exit code of a process; negative when a signal ended it."""
    process.join(60)
    assert process.exitcode is not None, "the process hangs"
    return process.exitcode


def _live(environment, work, arguments) -> None:
    os.environ.clear()
    os.environ.update(environment)
    try:
        status = work(*arguments)
    except (LifecycleError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        status = error.exit_code if isinstance(error, LifecycleError) else 5
    sys.exit(status or 0)


def until(holds: Callable[[], object], seconds: float = 30) -> None:
    """Wait for something that happens soon."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def is_stopped(pid: int) -> bool:
    """Whether a process is held still by a signal."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def processes_below(pid: int) -> list[int]:
    """The descendants of a process, parents before their children; one that ends meanwhile has none."""
    children: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (task / "children").read_text().split())
    return [*children, *(below for child in children for below in processes_below(child))]


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and that nobody has collected yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def processes_of(layout: Layout) -> list[int]:
    """Every living process whose environment names the project."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{layout.workspaces}/".encode() in (process / "environ").read_bytes():
                found.append(int(process.name))
    return found


def run_plan(layout: Layout, given: TrainingPlan | None = None) -> int:
    """Run a plan to its end; the exit status that the command line would have."""
    with orchestrator(layout) as running:
        return running.run_plan(given or plan()).exit_code


MOMENTS = {
    "before the version is submitted": ("write in growing", 1),
    "before the submission is synced": ("fdatasync in growing", 1),
    "before the trainer starts": ("write in wire", 1),
    "before the training is recorded": ("write in growing", 2),
    "before the predictor starts": ("write in wire", 2),
    "before the measurement is recorded": ("write in growing", 3),
    "before the model is moved": ("rename in moving", 1),
    "before the predictions are moved": ("rename in moving", 2),
    "before the manifest is written": ("write in staging", 1),
    "before the version is in the store": ("rename in store", 1),
    "before the decision is recorded": ("write in growing", 4),
    "before the decision is sealed": ("write in growing", 5),
    "before the mirror": ("write in mirror", 1),
    "before the mirror is signed": ("fdatasync in mirror", 1),
}
"""Telling moments of a run: the call before which they are, as `die_at` wants it."""


def count_calls(layout: Layout, report: Path, given: TrainingPlan | None = None) -> int:
    """Run a plan and write to ``report``, a line each, which calls could have changed something on the disk."""
    calls = Calls()
    with calls.watched():
        status = run_plan(layout, given)
    report.write_text("\n".join(calls.seen))
    return status


def die_at(layout: Layout, where: str, nth: int = 1, given: TrainingPlan | None = None) -> int:
    """Run a plan and be killed before the ``nth`` call (from 1) whose line of `count_calls` begins with ``where``."""
    with Calls(where, nth, lambda: os.kill(os.getpid(), signal.SIGKILL)).watched():
        return run_plan(layout, given)


def evaluate(layout: Layout, version: int) -> int:
    """Measure a version once more."""
    with orchestrator(layout) as running:
        running.evaluate_version("odd", version)
    return 0


def die_evaluating(layout: Layout, version: int, where: str, nth: int) -> int:
    """Measure a version once more and be killed before a call; see `die_at`."""
    with Calls(where, nth, lambda: os.kill(os.getpid(), signal.SIGKILL)).watched():
        return evaluate(layout, version)


def stop_at(layout: Layout, where: str, nth: int = 1, given: TrainingPlan | None = None) -> int:
    """Run a plan and be held still before that call, until somebody lets it go on."""
    with Calls(where, nth, lambda: os.kill(os.getpid(), signal.SIGSTOP)).watched():
        return run_plan(layout, given)


def fail_at(layout: Layout, where: str, nth: int, number: int, given: TrainingPlan | None = None) -> int:
    """Run a plan in which that call fails with the error ``number``."""

    def fail() -> None:
        raise OSError(number, os.strerror(number))

    with Calls(where, nth, fail).watched():
        return run_plan(layout, given)


def die_after_entry(layout: Layout, kind: str, given: TrainingPlan | None = None) -> int:
    """Run a plan and be killed as soon as a subscriber hears of an entry of this type."""
    with orchestrator(layout) as running:
        events = running.subscribe()
        threading.Thread(target=_watch, args=(events, kind), daemon=True).start()
        running.run_plan(given or plan())
    return 0


def _watch(events, kind: str) -> None:
    while (event := events.get()) is not None:
        if event.name == kind:
            os.kill(os.getpid(), signal.SIGKILL)


class Calls:
    """Looks at every call into the C library that our code makes in this thread and that could change the disk.

    A line names the call and the module of ours that made it: ``fdatasync in growing``. Before the ``nth``
    call whose line begins with ``where``, ``act`` is called; what it raises is what the call raises.
    """

    NAMES = frozenset(
        [
            "write",
            "writelines",
            "flush",
            "fsync",
            "fdatasync",
            "ftruncate",
            "rename",
            "replace",
            "mkdir",
            "rmdir",
            "unlink",
            "chmod",
            "fchmod",
            "flock",
        ]
    )

    def __init__(
        self, where: str = "", nth: int = 0, act: Callable[[], None] = lambda: None, within: str | None = None
    ) -> None:
        """With ``within``, only calls made by that function of ours count, and those that open a file do too."""
        self.seen: list[str] = []
        self._within = within
        self._names = self.NAMES if within is None else self.NAMES | {"open"}
        self._where = where
        self._nth = nth
        self._act = act

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        sys.setprofile(self._look)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _look(self, frame: FrameType, event: str, function: Callable) -> None:
        if (
            event != "c_call"
            or function.__name__ not in self._names
            or isinstance(function.__self__, str | io.StringIO)
        ):
            return
        ours = next((caller for caller in _callers(frame) if "/noa_mlops/" in caller.f_code.co_filename), None)
        if ours is None or not self._counts(frame):
            return
        line = f"{function.__name__} in {Path(ours.f_code.co_filename).stem}"
        if line.startswith(self._where):
            self.seen.append(line)
            if len(self.seen) == self._nth:
                self._act()

    def _counts(self, frame: FrameType) -> bool:
        return self._within is None or any(caller.f_code.co_name == self._within for caller in _callers(frame))


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
