"""A plan that asks for quantiles, from the plan to the answers of the champion."""

import random

import numpy as np
import pytest

import noa_mlops
from end_to_end.projects import Project

TRAIN = """\
import json
import numpy as np


def train(job):
    table = job.data.arrays()
    left = table["y"] - 2 * table["x"]
    (job.out / "ends.json").write_text(json.dumps(np.quantile(left, job.quantiles).tolist()))


def predict(job):
    ends = json.loads((job.model / "ends.json").read_text())
    return 2 * job.data.arrays()["x"][:, None] + np.array(ends)
"""
"""A line and the quantiles of what is left over."""

THRESHOLDS = {
    "interval_coverage": {"min": 0.85, "max": 0.95},
    "interval_score": 20,
    "pinball_mean": 1.0,
    "mae": 3.0,
    "quantile_crossing": 0.0,
}


def rows(count, seed):
    draw = random.Random(seed)
    lines = ["x,y"]
    for _ in range(count):
        x = draw.random() * 10
        lines.append(f"{x:.4f},{2 * x + draw.gauss(0, 1):.4f}")
    return "\n".join(lines) + "\n"


def plan(project, **changes):
    fields = {
        "lifecycle_id": "load",
        "agent_profile": "python",
        "dataset_path": "data/train.csv",
        "target": "y",
        "code": ["model.py"],
        "hyperparameters": None,
        "quantiles": [0.05, 0.5, 0.95],
        "evaluation": {"dataset_path": "data/eval.csv", "metric_thresholds": THRESHOLDS},
    }
    return project.plan(**{**fields, **changes})


@pytest.fixture
def project(home):
    project = Project(home / "project")
    project.write("data/train.csv", rows(1000, 1))
    project.write("data/eval.csv", rows(1500, 2))
    project.write("model.py", TRAIN)
    assert project.tell("init").status == 0
    return project


def measured(project):
    return [e for e in project.entries() if e["noa_entry"]["type"] == "EvaluationLogged"][-1]["predicate"]


def test_quantiles_are_measured_compared_and_served(project):
    first = project.tell("run", plan(project))
    assert first.status == 0, first.said
    record = measured(project)
    assert record["spreads"]["interval_coverage"]["kind"] == "proportion"
    assert record["metrics"]["interval_width"] == pytest.approx(3.29, abs=0.4)

    worse = TRAIN.replace("np.array(ends)", "0.7 * np.array(ends)")
    project.write("model.py", worse)
    thresholds = {"interval_score": 20, "interval_coverage": {"min": 0.6, "max": 0.99}}
    evaluation = {"dataset_path": "data/eval.csv", "metric_thresholds": thresholds}
    second = project.tell("run", plan(project, seed=2, evaluation=evaluation))
    assert second.status == 3, second.said
    assert "interval_coverage" in second.out
    assert measured(project)["champion"]["improvements"]["interval_coverage"]["value"] < -0.02
    replayed = project.tell("verify", "--decisions", "--deep")
    assert replayed.status == 0, replayed.said

    model = noa_mlops.load("load", project=project.path)
    answers = model.predict({"x": [0.0, 5.0]})
    assert answers.column_names == ["q_5", "q_50", "q_95"]
    assert answers["q_50"].to_pylist() == pytest.approx([0, 10], abs=0.3)
    assert model.manifest.predict["quantiles"] == [0.05, 0.5, 0.95]


@pytest.mark.parametrize(
    ("profile", "hyperparameters"),
    [
        ("sklearn-regressor", {"learning_rate": 0.3, "max_iter": 60, "max_leaf_nodes": 6}),
        ("sklearn-regressor", {"estimator": "gradient_boosting", "learning_rate": 0.3, "n_estimators": 60}),
        ("sklearn-regressor", {"estimator": "quantile", "alpha": 0}),
        ("lightgbm", {"learning_rate": 0.3, "num_iterations": 60, "num_leaves": 6}),
    ],
)
def test_estimators_learn_each_quantile(project, profile, hyperparameters):
    levels = [0.1, 0.5, 0.9]
    thresholds = {"interval_coverage": {"min": 0.7, "max": 0.9}, "mae": 1.5}
    result = project.tell(
        "run",
        plan(
            project,
            agent_profile=profile,
            code=None,
            hyperparameters=hyperparameters,
            quantiles=levels,
            evaluation={"dataset_path": "data/eval.csv", "metric_thresholds": thresholds},
        ),
    )
    assert result.status == 0, result.said
    answers = noa_mlops.load("load", project=project.path).predict({"x": np.linspace(0, 10, 50)})
    assert answers.column_names == ["q_10", "q_50", "q_90"]
    width = np.mean(answers["q_90"].to_numpy() - answers["q_10"].to_numpy())
    assert width == pytest.approx(2.56, abs=0.6)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"quantiles": [5, 50, 95]}, "did you mean 0.05?"),
        ({"quantiles": [0.5, 0.1]}, "must be greater than the one before"),
        ({"quantiles": [0.1, 0.1]}, "must be greater than the one before"),
        ({"quantiles": [0, 0.5]}, "between 0 and 1"),
        ({"quantiles": None}, "needs quantiles"),
        ({"quantiles": [0.1, 0.5]}, "needs two quantiles that lie as far from the median"),
        ({"quantiles": [0.1, 0.9]}, "needs the quantile 0.5"),
        ({"agent_profile": "sklearn-regressor", "hyperparameters": {"estimator": "ridge"}}, "cannot learn quantiles"),
        ({"agent_profile": "sklearn-regressor", "hyperparameters": {"quantile": 0.5}}, "own field 'quantiles'"),
        ({"agent_profile": "lightgbm", "code": None, "hyperparameters": {"alpha": 0.5}}, "own field 'quantiles'"),
        ({"agent_profile": "sklearn-classifier"}, "sklearn-classifier"),
    ],
)
def test_a_plan_that_asks_for_what_cannot_be_is_refused_before_anything_runs(project, changes, said):
    entries = len(project.entries())
    result = project.tell("run", plan(project, **changes))
    assert result.status == 2, result.said
    assert said in result.said
    assert len(project.entries()) == entries


def test_a_model_that_answers_one_number_where_quantiles_were_asked_for_fails(project):
    project.write("model.py", TRAIN.replace("[:, None] + np.array(ends)", ""))
    result = project.tell("run", plan(project))
    assert result.status == 6
    assert "the plan asks for quantiles (n, 3)" in result.said
