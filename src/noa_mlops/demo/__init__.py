"""The demo: real weather data, and the whole procedure on it as the commands that people would type.

The data is described in ATTRIBUTION.md beside this file. Rows are in time order; the first 6,000 train and the next 3,000
are held back, so the model is measured on a later time than it has seen. Until row 12,000 columns move and the model is as
good as it was; then the weather that is predicted becomes another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from noa_mlops.files import make_directories, write_durably
from noa_mlops.records.layout import Layout

PARTS = {
    "train": slice(0, 6_000),
    "holdout": slice(6_000, 9_000),
    "calm": slice(11_500, 12_000),
    "changed": slice(12_000, 12_500),
    "train-again": slice(12_000, 14_500),
    "holdout-again": slice(14_500, 16_000),
    "later": slice(16_000, 16_500),
}
"""The files of data, by the rows that they hold."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """A part of the story: what the arguments of ``noa`` show, and the exit status that they must have."""

    title: str
    arguments: tuple[str, ...]
    status: int = 0


STORY = (
    Chapter("A project", ("init",)),
    Chapter("A first model", ("run", "plans/rainfall.yaml")),
    Chapter("A worse challenger is rejected", ("run", "plans/worse.yaml"), 3),
    Chapter(
        "New weather: columns moved, and labels show that it does not hurt",
        ("drift", "rainfall", "--current", "data/calm.parquet"),
    ),
    Chapter(
        "Later weather: the model fails, and the rollout is blocked",
        ("drift", "rainfall", "--current", "data/changed.parquet"),
        3,
    ),
    Chapter("What changed", ("diff", "rainfall")),
    Chapter(
        "Somebody has looked",
        ("investigate", "rainfall", "--finding", "the season turned: the same readings mean another weather now"),
    ),
    Chapter("Trained again on the new weather: it passes, and is held", ("run", "plans/again.yaml"), 3),
    Chapter(
        "An operator enables it: the rollout is ready again",
        ("enable", "rainfall@3", "--reason", "measured on the new weather"),
    ),
    Chapter("The next weather", ("drift", "rainfall", "--current", "data/later.parquet")),
    Chapter("The checklist", ("audit",)),
    Chapter("The evidence", ("verify",)),
)
"""What `noa demo` runs, in order."""

GOOD = """\
lifecycle_id: rainfall
agent_profile: sklearn-classifier
dataset_path: data/train.parquet
target: rain
hyperparameters: {estimator: hist_gradient_boosting, learning_rate: 0.1}
evaluation:
  dataset_path: data/holdout.parquet
  metric_thresholds: {roc_auc: 0.80, log_loss: 0.60}
  notes: first model for the Bellevue site
"""

WORSE = """\
lifecycle_id: rainfall
agent_profile: sklearn-classifier
dataset_path: data/train.parquet
target: rain
hyperparameters: {estimator: decision_tree, max_depth: 1}
evaluation:
  dataset_path: data/holdout.parquet
  metric_thresholds: {roc_auc: 0.80, log_loss: 0.60}
  notes: a stump, to see the gate close
"""


AGAIN = """\
lifecycle_id: rainfall
agent_profile: sklearn-classifier
dataset_path: data/train-again.parquet
target: rain
hyperparameters: {estimator: hist_gradient_boosting, learning_rate: 0.1}
evaluation:
  dataset_path: data/holdout-again.parquet
  metric_thresholds: {roc_auc: 0.80, log_loss: 0.60}
  notes: after the drift, trained on the new weather
"""


def lay_out(layout: Layout) -> tuple[Path, Path]:
    """Put data and plans into a project folder; files that are there stay. The good plan and the worse one."""
    from pyarrow import parquet

    data = layout.project / "data"
    make_directories(data)
    make_directories(layout.plans)
    source = resources.files(__name__) / "rainfall.parquet"
    with resources.as_file(source) as path:
        table = parquet.read_table(path)
    for name, rows in PARTS.items():
        target = data / f"{name}.parquet"
        if not target.exists():
            parquet.write_table(table.slice(rows.start, rows.stop - rows.start), target)
    plans = {
        layout.plans / "rainfall.yaml": GOOD,
        layout.plans / "worse.yaml": WORSE,
        layout.plans / "again.yaml": AGAIN,
    }
    for plan, text in plans.items():
        if not plan.exists():
            write_durably(plan, text.encode())
    good, worse, _ = plans
    return good, worse
