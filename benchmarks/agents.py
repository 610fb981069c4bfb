"""Agents in processes of their own: what isolation adds to a lifecycle that does nothing, and what it costs to start one.

The programs use the standard library only and are run by ``timeit``, so that they can be started or forked from a process that
has imported it.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from benchmarks.lifecycle import PREDICT, TRAIN, RuntimeInProcess, orchestrator, project, run_once, two_bare_starts
from benchmarks.measure import Line, Rate, medians, scratch
from noa_mlops.agents import AgentProfile, Job, RuntimeManager, Workspace
from noa_mlops.records.layout import Layout

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue
    from multiprocessing.synchronize import Barrier

ONCE = (sys.executable, "-I", "-m", "timeit", "-n", "1", "-r", "1", "-s")
SKLEARN = "noa_mlops.trainers.preload"
CORES = os.cpu_count() or 1
SECONDS = 3.0
"""How long a rate is counted."""

NOA = Path(sys.executable).with_name("noa")
PEER = 1700.0
"""Milliseconds of the fastest peer's smallest plan after it was installed."""

PLAN = """\
lifecycle_id: first
agent_profile: sklearn-classifier
dataset_path: data/train.csv
target: y
hyperparameters: {estimator: logistic_regression}
evaluation:
  dataset_path: data/holdout.csv
  metric_thresholds: {log_loss: 1.0}
"""


def lines() -> Iterator[Line | Rate]:
    """Isolated lifecycles against those in process, forked agents against started ones, each alone and on all cores."""
    yield lifecycle_forked()
    yield from sklearn_forked()
    floors = {"cold": _rate(_bare), "forked": _rate(_in_process)}
    yield Rate("isolated lifecycles, started", f"pairs of bare starts, {CORES} cores", floors["cold"], _rate(_cold), 40)
    yield Rate("isolated lifecycles, forked", f"in process, {CORES} cores", floors["forked"], _rate(_forked), 100)
    yield first_result()


def profile(preload: str = "") -> AgentProfile:
    """The profile whose steps do nothing, as modules that can be forked."""
    return AgentProfile(
        name="noop",
        summary="does nothing",
        train=(*ONCE, TRAIN, "pass"),
        predict=(*ONCE, PREDICT, "pass"),
        task="classification",
        data_format="csv",
        preload=preload,
    )


def lifecycle_forked(rounds: int = 15) -> Line:
    """The whole lifecycle with both agents forked from a light process, in turns with the same in process."""
    with ExitStack() as stack:
        direct = stack.enter_context(orchestrator(stack.enter_context(project()), RuntimeInProcess()))
        forked = stack.enter_context(orchestrator(stack.enter_context(project()), RuntimeManager(), profile("timeit")))
        times = medians({"direct": partial(run_once, direct), "forked": partial(run_once, forked)}, rounds=rounds)
    return Line("no-op lifecycle, forked agents", "the same in process", times["direct"], times["forked"], 1.3)


def sklearn_forked() -> Iterator[Line | Rate]:
    """One process with scikit-learn imported, from engaging it to its end: forked against started; and how many a second."""
    with scratch() as folder:
        runtime = RuntimeManager()
        run = partial(_run, runtime, _workspaces(folder, CORES))
        started = medians({"started": partial(run, 0, "")}, rounds=3, warm_up=1)["started"]
        run(0, SKLEARN)
        forked = medians({"forked": partial(run, 0, SKLEARN)}, rounds=15)["forked"]
        yield Line("process with scikit-learn, forked", "started", started, forked, 1 / 50)
        taken = [0] * CORES
        until = time.monotonic() + SECONDS
        threads = [Thread(target=_count, args=(run, place, until, taken)) for place in range(CORES)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        yield Rate("processes with scikit-learn, forked", "started", CORES * 1000 / started, sum(taken) / SECONDS)


def first_result(rounds: int = 3) -> Line:
    """``noa run`` of the smallest plan with scikit-learn, as the first thing in a new project."""
    taken = []
    for _ in range(rounds):
        with project() as folder:
            (folder / "plan.yaml").write_text(PLAN)
            subprocess.run([NOA, "init", "-C", folder], stdout=subprocess.DEVNULL, check=True)
            began = time.perf_counter()
            subprocess.run([NOA, "run", "plan.yaml", "-C", folder, "--json"], stdout=subprocess.DEVNULL, check=True)
            taken.append(time.perf_counter() - began)
    return Line("noa run, smallest plan", "a peer's, on another day", PEER, min(taken) * 1000, 1)


def _workspaces(folder: Path, number: int) -> list[Workspace]:
    claimed = [Workspace.claim(Layout.of(folder), f"bench-{place}") for place in range(number)]
    workspaces = [workspace for workspace in claimed if workspace is not None]
    for workspace in workspaces:
        workspace.prepare()
    return workspaces


def _run(runtime: RuntimeManager, workspaces: list[Workspace], place: int, preload: str) -> None:
    workspace = workspaces[place]
    argv = (*ONCE, f"import {SKLEARN}", "pass")
    outcome = runtime.run(Job(argv=argv, cwd=workspace.path, writable=workspace.writable, preload=preload))
    if not outcome.completed:
        raise RuntimeError(f"the benchmark's process ended otherwise: {outcome}")


def _count(run: Callable[[int, str], None], place: int, until: float, taken: list[int]) -> None:
    while time.monotonic() < until:
        run(place, SKLEARN)
        taken[place] += 1


Worker = Callable[[Callable[[], bool]], int]
"""Works as long as its argument says so; how often."""


def _rate(worker: Worker) -> float:
    """How often a second, by one process on each core, from when all are ready."""
    context = multiprocessing.get_context("spawn")
    ready, counts = context.Barrier(CORES), context.SimpleQueue()
    processes = [context.Process(target=_work, args=(worker, ready, counts)) for _ in range(CORES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return sum(int(counts.get()) for _ in processes) / SECONDS


def _work(worker: Worker, ready: Barrier, counts: SimpleQueue[int]) -> None:
    until: list[float] = []

    def goes_on() -> bool:
        if not until:
            ready.wait()
            until.append(time.monotonic() + SECONDS)
        return time.monotonic() < until[0]

    counts.put(worker(goes_on))


def _bare(goes_on: Callable[[], bool]) -> int:
    return _repeated(two_bare_starts, goes_on)


def _in_process(goes_on: Callable[[], bool]) -> int:
    with project() as folder, orchestrator(folder, RuntimeInProcess()) as opened:
        return _repeated(partial(run_once, opened), goes_on)


def _cold(goes_on: Callable[[], bool]) -> int:
    with project() as folder, orchestrator(folder, RuntimeManager()) as opened:
        return _repeated(partial(run_once, opened), goes_on)


def _forked(goes_on: Callable[[], bool]) -> int:
    with project() as folder, orchestrator(folder, RuntimeManager(), profile("timeit")) as opened:
        return _repeated(partial(run_once, opened), goes_on)


def _repeated(work: Callable[[], object], goes_on: Callable[[], bool]) -> int:
    work()
    number = 0
    while goes_on():
        work()
        number += 1
    return number
