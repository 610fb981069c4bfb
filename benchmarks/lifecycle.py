"""A whole lifecycle whose steps do nothing: what remains is what promises cost.

Trainer and predictor use the standard library only. Their model is 1 MB; they answer with the same probability for
every row. In process, a runtime of the benchmark calls them directly, so no isolation is measured; isolated, they are
the processes that every run has.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measure import Line, medians, scratch
from noa_mlops.agents import AgentFactory, AgentProfile, IsolationFacts, Job, Outcome, RuntimeManager
from noa_mlops.lifecycle import TrainingOrchestrator, open_orchestrator
from noa_mlops.records.layout import Layout
from noa_mlops.records.plan import EvaluationPlan, Threshold, TrainingPlan

MODEL = bytes(1_000_000)
ROWS = 200
TRAIN = "open('out/model.bin', 'wb').write(bytes(1_000_000))"
PREDICT = (
    "rows = open('data/features.csv').read().count('\\n') - 1; "
    "open('out/predictions.csv', 'w').write('p_0,p_1\\n' + '0.5,0.5\\n' * rows)"
)
BARE = (sys.executable, "-I", "-S", "-c")


def lines(rounds: int = 15) -> Iterator[Line]:
    """In process against plain calls that sync as much; isolated against two bare starts of the interpreter."""
    with project() as folder, orchestrator(folder, RuntimeInProcess()) as direct:
        floor = partial(plain_lifecycle, folder / "floor")
        times = medians({"floor": floor, "ours": partial(run_once, direct)}, rounds=rounds)
    yield Line("no-op lifecycle, in process", "4 lines, 3 files synced", times["floor"], times["ours"], 1.5)
    with project() as folder, orchestrator(folder, RuntimeManager()) as isolated:
        times = medians({"floor": two_bare_starts, "ours": partial(run_once, isolated)}, rounds=rounds)
    yield Line("no-op lifecycle, isolated, cold", "2 x python -I -S -c pass", times["floor"], times["ours"], 2)


@contextmanager
def project() -> Iterator[Path]:
    """A project with data and keys of its own, on the disk that the current folder is on."""
    with scratch() as folder:
        data = folder / "project" / "data"
        data.mkdir(parents=True)
        for name, shift in (("train", 0), ("holdout", 1)):
            rows = "".join(f"{row + shift},{row % 2}\n" for row in range(ROWS))
            (data / f"{name}.csv").write_text(f"x,y\n{rows}")
        yield data.parent


@contextmanager
def orchestrator(
    folder: Path, runtime: RuntimeManager, profile: AgentProfile | None = None
) -> Iterator[TrainingOrchestrator]:
    """The usual orchestrator with one profile, whose steps do nothing."""
    profile = profile or AgentProfile(
        name="noop",
        summary="does nothing",
        train=(*BARE, TRAIN),
        predict=(*BARE, PREDICT),
        task="classification",
        data_format="csv",
    )
    with open_orchestrator(Layout.of(folder), AgentFactory({"noop": profile}), runtime) as opened:
        yield opened


def run_once(opened: TrainingOrchestrator) -> None:
    """Submit, train, predict, measure, promote. Raises `RuntimeError` when that is not what happened."""
    report = opened.run_plan(PLAN)
    if report.state != "champion":
        raise RuntimeError(f"the benchmark's model was not promoted: {report.state}, {report.failure}")


PLAN = TrainingPlan(
    lifecycle_id="noop",
    agent_profile="noop",
    dataset_path="data/train.csv",
    target="y",
    evaluation=EvaluationPlan(dataset_path="data/holdout.csv", metric_thresholds=(Threshold.of("log_loss", 1.0),)),
)


class RuntimeInProcess(RuntimeManager):
    """Does what the two programs do without starting a process."""

    def warm(self, preload: str = "") -> None:
        """Nothing to get ready."""

    def run(
        self,
        job: Job,
        *,
        on_progress: Callable[[dict[str, Any]], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> Outcome:
        """Write the model or the predictions."""
        del on_progress, cancel
        if TRAIN in job.argv:
            (job.cwd / "out" / "model.bin").write_bytes(MODEL)
        else:
            (job.cwd / "out" / "predictions.csv").write_text("p_0,p_1\n" + "0.5,0.5\n" * ROWS)
        moment = "2026-01-01T00:00:00.000Z"
        facts = IsolationFacts.of("basic", 0, seccomp=False)
        return Outcome("completed", 0, None, moment, moment, 0, facts, detail="")


def plain_lifecycle(folder: Path) -> None:
    """The floor: three files of 1 MB and four chained lines, each durable before the next."""
    folder.mkdir(exist_ok=True)
    head = b""
    with (folder / "log").open("ab", buffering=0) as log:
        for step in range(4):
            if step:
                write_durably(folder / f"{os.urandom(8).hex()}.bin", MODEL)
            line = hashlib.sha256(head).hexdigest().encode() + b"x" * 1000 + b"\n"
            log.write(line)
            os.fdatasync(log.fileno())
            head = line


def write_durably(path: Path, data: bytes) -> None:
    """A file that is on the disk when this returns."""
    with path.open("xb", buffering=0) as stream:
        stream.write(data)
        os.fsync(stream.fileno())


def two_bare_starts() -> None:
    """What two isolated processes cannot cost less than."""
    for _ in range(2):
        subprocess.run([*BARE, "pass"], check=True)
