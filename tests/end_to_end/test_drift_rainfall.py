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


@pytest.fixture
def weather(home):
    rows = pyarrow.parquet.read_table(Path(demo.__file__).with_name("rainfall.parquet"))
    project = Project(home / "project")
    project.write("plan.json", json.dumps(PLAN))
    (project.path / "data").mkdir()
    parts = {"train": (0, 6000), "eval": (6000, 3000), "calm": (11_500, 500), "broken": (12_000, 500)}
    for name, (start, count) in parts.items():
        pyarrow.parquet.write_table(rows.slice(start, count), project.path / f"data/{name}.parquet")
    for arguments in (("init",), ("run", "plan.json")):
        result = project.tell(*arguments)
        assert result.status == 0, result.said
    return project


def test_no_block_before_the_break_and_one_at_once_after_it(weather):
    calm = weather.tell("drift", "rainfall", "--current", "data/calm.parquet", "--json")
    assert calm.status == 0, calm.said
    assert (calm.document["verdict"], calm.document["data_verdict"]) == ("pass", "fail")
    assert calm.document["columns"][0]["name"] == "visibility"
    broken = weather.tell("drift", "rainfall", "--current", "data/broken.parquet", "--json")
    assert broken.status == 3, broken.said
    (roc_auc,) = broken.document["labels"]["metrics"]
    assert (roc_auc["metric"], roc_auc["finding"]) == ("roc_auc", "hurts")
    assert weather.verifies()
