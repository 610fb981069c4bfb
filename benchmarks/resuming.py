"""After a kill: how long until a training that was cut off goes on, in a project with a long history."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.lifecycle import PLAN, RuntimeInProcess, orchestrator, project, run_once
from benchmarks.measure import Candidate, Line, medians
from benchmarks.transition import step
from noa_mlops.agents import Job, Outcome, RuntimeManager
from noa_mlops.ledger import KeyStore, Ledger
from noa_mlops.records.layout import Layout

ENTRIES = 10_000
NOA = Path(sys.executable).with_name("noa")
TRAINING = "import time; open('out/begun', 'w').close(); time.sleep(60)"
PLAN_FILE = f"""\
lifecycle_id: slow
agent_profile: command
dataset_path: data/train.csv
target: y
hyperparameters: {{command: [{sys.executable}, -I, -S, -c, "{TRAINING}"], predict: [no], data_format: csv}}
"""


def lines(rounds: int = 7) -> Iterator[Line]:
    """From the next start until the trainer is engaged again, by the orchestrator alone and as a whole ``noa run``."""
    with project() as folder:
        layout = Layout.of(folder)
        with orchestrator(folder, RuntimeInProcess()):
            pass
        begin_and_kill(folder)
        short = medians({"noa": partial(command_again, folder)}, rounds=3, warm_up=1)["noa"]
        with Ledger.open(layout, KeyStore()) as ledger:
            ledger.append_many([step] * ENTRIES)
        with orchestrator(folder, RuntimeInProcess()) as whole:
            run_once(whole)
        for _ in range(2):
            training_again(folder)
        candidates: dict[str, Candidate] = {"open": partial(opened, layout), "again": partial(training_again, folder)}
        clocked = medians(candidates, rounds=rounds)
        busy = medians(candidates, rounds=rounds, clock=time.process_time)
        long = medians({"noa": partial(command_again, folder)}, rounds=3, warm_up=1)["noa"]
    note = f"processor {busy['again']:.0f} ms; the ledger alone {clocked['open']:.0f}, processor {busy['open']:.0f}"
    yield Line(f"training goes on, {ENTRIES} entries", "the goal of 100 ms", 100, clocked["again"], 1, note)
    yield Line(f"noa run goes on, {ENTRIES} entries", "the same, no entries", short, long)


def begin_and_kill(folder: Path) -> None:
    """Begin both trainings that are cut off: one by ``noa run``, whose trainer is at work, one by an orchestrator."""
    (folder / "plan.yaml").write_text(PLAN_FILE)
    command_again(folder)
    training_again(folder)


def command_again(folder: Path) -> None:
    """``noa run`` until its trainer has begun; then it is killed."""
    begun = Layout.of(folder).workspace("slow-1") / "out" / "begun"
    begun.unlink(missing_ok=True)
    run = subprocess.Popen([NOA, "run", "plan.yaml", "-C", folder], stderr=subprocess.DEVNULL)
    while not begun.exists():
        if run.poll() is not None:
            raise RuntimeError("the benchmark's training ended before it began")
        time.sleep(0.001)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()


class _Reached(Exception):
    """The trainer would be engaged now."""


class _Stopping(RuntimeInProcess):
    def run(self, job: Job, **_: object) -> Outcome:
        """End here, as a kill would: nothing is recorded."""
        raise _Reached(job.argv[0])


def training_again(folder: Path, runtime: type[RuntimeManager] = _Stopping) -> None:
    """Open the project and run its plan up to the trainer."""
    try:
        with orchestrator(folder, runtime()) as again:
            again.run_plan(PLAN)
    except _Reached:
        return
    raise RuntimeError("the benchmark's training was not reached")


def opened(layout: Layout) -> None:
    """Open the ledger: read, folded, its newest head checked."""
    with Ledger.open(layout, KeyStore()):
        pass
