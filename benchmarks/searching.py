"""A search of 30 trials side by side, against the very same trials one after another.

Both are the search of a whole run; only how many trials it runs at once differs. Each trial has one processor.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np

from benchmarks.measure import Line, scratch
from noa_mlops.agents import AgentFactory, RuntimeManager
from noa_mlops.lifecycle import open_orchestrator, searching
from noa_mlops.records.layout import Layout
from noa_mlops.records.plan import TrainingPlan

TRIALS, ROWS, COLUMNS = 30, 20_000, 20


def lines() -> Iterator[Line]:
    """One run each."""
    with scratch() as folder:
        one_by_one = _search(folder / "one", at_once=1)
        ours = _search(folder / "two")
    yield Line(f"search, {TRIALS} trials of boosting", "one after another", one_by_one, ours, 1 / 1.6)


def _search(folder: Path, at_once: int | None = None) -> float:
    """Milliseconds of one run in a new project; ``at_once`` overrules how many trials the machine runs."""
    folder.mkdir()
    draw = np.random.default_rng(1)
    numbers = draw.normal(size=(ROWS, COLUMNS))
    label = (numbers[:, 0] * numbers[:, 1] + numbers[:, 2] + draw.normal(size=ROWS) > 0).astype(int)
    names = [*(f"c{n}" for n in range(COLUMNS)), "label"]
    table = np.column_stack([numbers.round(4), label])
    np.savetxt(folder / "data.csv", table, delimiter=",", header=",".join(names), comments="", fmt="%.5g")
    plan = TrainingPlan.parse(_PLAN.encode(), "plan.yaml")
    with open_orchestrator(Layout.of(folder), AgentFactory(), RuntimeManager()) as runs:
        began = time.perf_counter()
        if at_once is None:
            runs.run_plan(plan)
        else:
            with mock.patch.object(searching, "_at_once", return_value=at_once):
                runs.run_plan(plan)
        return (time.perf_counter() - began) * 1000


_PLAN = f"""
lifecycle_id: searched
agent_profile: sklearn-classifier
dataset_path: data.csv
target: label
seed: 1
search:
  metric: log_loss
  trials: {TRIALS}
  space:
    learning_rate: {{low: 0.02, high: 0.3, log: true}}
    max_leaf_nodes: {{low: 8, high: 64}}
hyperparameters: {{max_iter: 60}}
evaluation:
  split: {{share: 20%}}
  metric_thresholds: {{log_loss: 0.9}}
"""
