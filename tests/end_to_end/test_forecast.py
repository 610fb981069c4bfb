"""A forecast by horizon, from the dataset definition to the evidence."""

import datetime as dt
import math
import random

import pytest

from end_to_end.projects import Project
from end_to_end.test_published_schemas import validator

MODEL = """\
import json


def train(job):
    table = job.data.arrays()
    days, values = table["day"].astype("datetime64[D]").astype(int), table["y"]
    means = [float(values[days % 7 == day].mean()) for day in range(7)]
    (job.out / "means.json").write_text(json.dumps(means))


def predict(job):
    means = json.loads((job.model / "means.json").read_text())
    return [means[day] for day in job.data.arrays()["day"].astype("datetime64[D]").astype(int) % 7]
"""
"""Every day of the week has its mean."""

DEFINITION = "files: [data/{0}.csv]\ntime: day\nhorizon: h\nseason: 7\ntarget: y\n"


def rows(first, count, seed):
    draw, start = random.Random(seed), dt.date(2025, 1, 1)
    lines = ["day,h,y"]
    for step in range(first, first + count):
        y = 20 + 5 * math.sin(2 * math.pi * step / 7) + draw.gauss(0, 1)
        lines.append(f"{start + dt.timedelta(days=step)},{1 + step % 3},{y:.4f}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def project(home):
    project = Project(home / "project")
    project.write("data/train.csv", rows(0, 400, 1))
    project.write("data/eval.csv", rows(400, 300, 2))
    for part in ("train", "eval"):
        project.write(f"data/{part}.dataset.yaml", DEFINITION.format(part))
    project.write("model.py", MODEL)
    assert project.tell("init").status == 0
    return project


def run(project, thresholds, **changes):
    fields = {
        "lifecycle_id": "sales",
        "agent_profile": "python",
        "dataset_path": "data/train.dataset.yaml",
        "target": None,
        "code": ["model.py"],
        "hyperparameters": None,
        "evaluation": {"dataset_path": "data/eval.dataset.yaml", "metric_thresholds": thresholds},
    }
    return project.tell("run", project.plan(**{**fields, **changes}))


def measured(project):
    return [e for e in project.entries() if e["noa_entry"]["type"] == "EvaluationLogged"][-1]["predicate"]


def test_a_forecast_is_scaled_measured_by_horizon_and_counted_in_blocks(project):
    first = run(project, {"mase": {"max": 0.9, "confidence": 0.95}, "wape": 0.1})
    assert first.status == 0, first.said
    record = measured(project)
    assert list(validator("lifecycle").iter_errors(record)) == []
    assert record["metrics"]["mase"] == pytest.approx(0.71, abs=0.06)  # sqrt(1/2): a mean beside last week's value
    assert record["forecast"]["season"] == 7
    assert record["forecast"]["scale"] == pytest.approx(2 / math.sqrt(math.pi), abs=0.1)
    assert record["group_by"] == {"column": "day", "groups": 43, "blocks": True}
    assert record["spreads"]["mase"]["units"] == 43
    by_horizon = record["slices"]["h"]
    assert by_horizon["values"] == [1, 2, 3]
    assert set(by_horizon["metrics"]) == {"mase", "wape"}
    shown = project.tell("show", "sales@1").out
    assert "blocks" in shown

    project.write("model.py", MODEL.replace("means[day] for", "means[day] + 4 for"))
    worse = run(project, {"mase": 9}, seed=2)
    assert worse.status == 3, worse.said
    assert "against the champion @1" in worse.out
    replayed = project.tell("verify", "--decisions", "--deep")
    assert replayed.status == 0, replayed.said


def test_a_threshold_may_ask_for_each_horizon(project):
    result = run(project, {"mase": {"max": 0.3, "slices": ["h"], "min_rows": 50, "versus_champion": "none"}})
    assert result.status == 3
    assert "h" in result.out


def test_a_scaled_error_without_a_series_is_refused_before_anything_runs(project):
    result = run(project, {"mase": 1}, dataset_path="data/train.csv", target="y")
    assert result.status == 2
    assert "needs a training series" in result.said
