"""Real weather: columns that move and do not hurt block nothing; the first chunk after the break does."""

import json
from pathlib import Path

import pyarrow.parquet
import pytest

from end_to_end.projects import Project
from noa_mlops import demo

PLAN = {
    "lifecycle_id": "rainfall",
    "agent_profile": "sklearn-classifier",
    "dataset_path": "data/train.parquet",
    "target": "rain",
    "hyperparameters": {"estimator": "hist_gradient_boosting", "learning_rate": 0.1},
    "evaluation": {"dataset_path": "data/eval.parquet", "metric_thresholds": {"roc_auc": 0.75}},
}


BREAK = 12_000
"""The row from which on another weather is called rain."""

CHUNKS = range(9000, BREAK + 1, 500)


@pytest.fixture
def weather(home):
    rows = pyarrow.parquet.read_table(Path(demo.__file__).with_name("rainfall.parquet"))
    project = Project(home / "project")
    project.write("plan.json", json.dumps(PLAN))
    (project.path / "data").mkdir()
    parts = {"train": (0, 6000), "eval": (6000, 3000)} | {str(start): (start, 500) for start in CHUNKS}
    for name, (start, count) in parts.items():
        pyarrow.parquet.write_table(rows.slice(start, count), project.path / f"data/{name}.parquet")
    for arguments in (("init",), ("run", "plan.json")):
        result = project.tell(*arguments)
        assert result.status == 0, result.said
    return project


def test_no_block_before_the_break_and_one_at_once_after_it(weather):
    for start in CHUNKS:
        scan = weather.tell("drift", "rainfall", "--current", f"data/{start}.parquet", "--json")
        (roc_auc,) = scan.document["labels"]["metrics"]
        if start == BREAK:
            assert (scan.status, roc_auc["finding"], roc_auc["certain"]) == (3, "hurts", True)
            assert scan.document["estimated"]["roc_auc"]["estimated"] < roc_auc["then"] - 0.05
        else:
            assert (scan.status, scan.document["verdict"], roc_auc["finding"]) == (0, "pass", "clears"), start
            assert (scan.document["data_verdict"], scan.document["columns"][0]["name"]) == ("fail", "visibility")
    assert weather.verifies()
