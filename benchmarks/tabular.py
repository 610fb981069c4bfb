"""A CSV file to a promoted gradient boosting, by one cold command, beside scikit-learn's own reading and fitting.

Both fit the same histogram gradient boosting on the same four fifths of 300,000 rows and 40 columns, with as many threads.
The plain process reads the file, fits and ends; ours also fingerprints and summarises the data, fits in isolation, lets a
second process predict the held-back fifth, measures it, decides, signs and promotes. What that adds is held against the
time of scikit-learn's fit alone.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

from benchmarks.measure import scratch

ROWS, COLUMNS, ITERATIONS, CPUS = 300_000, 40, 250, 2
GOAL = 0.15
"""What we may add, as a share of scikit-learn's fit."""

PLAIN = """
import sys, time
from pyarrow import csv
import numpy as np
{imports}
table = csv.read_csv(sys.argv[1]).slice(0, {rows})
x = np.column_stack([table[name].to_numpy() for name in table.column_names[1:]])
y = table["y"].to_numpy()
began = time.perf_counter()
{fit}
print(time.perf_counter() - began)
"""
SKLEARN = PLAIN.format(
    imports="from sklearn.ensemble import HistGradientBoostingClassifier",
    rows=ROWS * 4 // 5,
    fit=f"HistGradientBoostingClassifier(max_iter={ITERATIONS}, early_stopping=False, random_state=0).fit(x, y)",
)
LIGHTGBM = PLAIN.format(
    imports="import lightgbm",
    rows=ROWS * 4 // 5,
    fit="settings = dict(objective='binary', deterministic=True, force_col_wise=True, verbosity=-1, "
    f"num_threads={CPUS}, seed=0)\nlightgbm.train(settings, lightgbm.Dataset(x, y), {ITERATIONS})",
)
PROFILES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "sklearn-classifier": (SKLEARN, {"max_iter": ITERATIONS, "early_stopping": False}),
    "lightgbm": (LIGHTGBM, {"num_iterations": ITERATIONS}),
}
STEPS = ("read", "train", "predict and measure", "decide and promote")


@dataclass(frozen=True, slots=True)
class Overhead:
    """One row of the output; all in seconds: scikit-learn's fit, its whole process, our whole command."""

    what: str
    fit: float
    floor: float
    ours: float
    goal: float = 0
    steps: str = ""

    def __str__(self) -> str:
        share = (self.ours - self.floor) / self.fit
        kept = "ok" if share <= self.goal else "MISSED"
        judged = f"goal {self.goal:.0%}  {kept}" if self.goal else ""
        numbers = f"{self.ours:6.2f} s, read and fit {self.floor:6.2f} s, fit {self.fit:6.2f} s"
        return f"  {self.what:<34}{numbers}   adds {share:.1%} of the fit   {judged}  ({self.steps}; s)"


def lines(rounds: int = 3) -> Iterator[Overhead]:
    """Each profile in turns with its plain process; the medians."""
    with scratch() as folder:
        project = folder / "project"
        (project / "data").mkdir(parents=True)
        data = _write(project / "data" / "rows.csv")
        _noa(project, "init")
        for profile, (plain, hyperparameters) in PROFILES.items():
            floors, ours = [], []
            for turn in range(rounds):
                floors.append(_plain(plain, data))
                ours.append(_ours(project, f"{profile}-{turn}", profile, hyperparameters))
            whole, fit = (statistics.median(seconds) for seconds in zip(*floors, strict=True))
            seconds = statistics.median(run.seconds for run in ours)
            middle = min(ours, key=lambda run: abs(run.seconds - seconds))
            goal = GOAL if profile == "sklearn-classifier" else 0
            yield Overhead(f"CSV to champion, {profile}", fit, whole, seconds, goal, middle.steps)


def _write(path: Path) -> Path:
    """Two classes that depend on some of 39 columns of numbers, with noise."""
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, COLUMNS - 1)).round(4)
    y = (x[:, :5].sum(axis=1) + x[:, 5] * x[:, 6] + random.normal(0, 1, ROWS) > 0).astype(int)
    csv.write_csv(pa.table({"y": y, **{f"x{place}": x[:, place] for place in range(COLUMNS - 1)}}), path)
    return path


def _plain(program: str, data: Path) -> tuple[float, float]:
    """Seconds of the whole process, and of its fit; threads that wait give way, as they do in agents."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(CPUS))
    environment = {**os.environ, **threads, "OMP_WAIT_POLICY": "PASSIVE"}
    argv = [sys.executable, "-I", "-c", program, str(data)]
    began = time.perf_counter()
    done = subprocess.run(argv, env=environment, check=True, capture_output=True, text=True)
    return time.perf_counter() - began, float(done.stdout)


@dataclass(frozen=True, slots=True)
class Run:
    """Seconds of the whole command, and of the steps between its entries in the ledger."""

    seconds: float
    steps: str


def _ours(project: Path, lifecycle: str, profile: str, hyperparameters: Mapping[str, Any]) -> Run:
    plan = {
        "lifecycle_id": lifecycle,
        "agent_profile": profile,
        "dataset_path": "data/rows.csv",
        "target": "y",
        "hyperparameters": hyperparameters,
        "evaluation": {"split": {"share": "20%"}, "metric_thresholds": {"roc_auc": 0.8}},
        "resources": {"cpus": CPUS, "memory": "4GiB", "time": "30m"},
    }
    (project / "plan.json").write_text(json.dumps(plan))
    began, start = datetime.now(UTC), time.perf_counter()
    _noa(project, "run", "plan.json")
    seconds = time.perf_counter() - start
    lines = (project / "storage/db/evidence/ledger.jsonl").read_text().splitlines()[-len(STEPS) :]
    moments = [datetime.fromisoformat(json.loads(line)["noa_entry"]["ts"]) for line in lines]
    each = [(later - sooner).total_seconds() for sooner, later in pairwise([began, *moments])]
    rest = f"end {seconds - sum(each):.1f}"
    return Run(seconds, ", ".join((*(f"{name} {step:.1f}" for name, step in zip(STEPS, each, strict=True)), rest)))


def _noa(project: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "noa_mlops", *arguments, "-C", str(project)], check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"noa {arguments[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")
