"""The demo: real weather data and two plans, one good and one worse.

The data is described in ATTRIBUTION.md beside this file. Rows are in time order; the first 6,000 train and the
next 3,000 are held back, so the model is measured on a later time than it has seen.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from noa_mlops.files import make_directories, write_durably
from noa_mlops.records.layout import Layout

TRAIN = slice(0, 6_000)
HOLDOUT = slice(6_000, 9_000)

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


def lay_out(layout: Layout) -> tuple[Path, Path]:
    """Put data and plans into a project folder; files that are there stay. The good plan and the worse one."""
    from pyarrow import parquet

    data = layout.project / "data"
    make_directories(data)
    make_directories(layout.plans)
    source = resources.files(__name__) / "rainfall.parquet"
    with resources.as_file(source) as path:
        table = parquet.read_table(path)
    for name, rows in (("train", TRAIN), ("holdout", HOLDOUT)):
        target = data / f"{name}.parquet"
        if not target.exists():
            parquet.write_table(table.slice(rows.start, rows.stop - rows.start), target)
    plans = {layout.plans / "rainfall.yaml": GOOD, layout.plans / "worse.yaml": WORSE}
    for plan, text in plans.items():
        if not plan.exists():
            write_durably(plan, text.encode())
    good, worse = plans
    return good, worse
