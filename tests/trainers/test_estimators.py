"""Every estimator trains and predicts on every kind of column; one process for all of them, as starting one is slow."""

from __future__ import annotations

import json
import math
import sys

import pytest

from noa_mlops.trainers.estimators import estimators
from trainers.workspaces import mixed_table, run

MANY = """
import os, sys, warnings
warnings.simplefilter("ignore")
from noa_mlops.trainers.sklearn import train, predict
from noa_mlops.trainers.launch import launch
for payload in sys.argv[2:]:
    os.environ["NOA_PAYLOAD"] = payload
    os.chdir(os.path.dirname(payload))
    print(launch(train, predict, [sys.argv[1]]), flush=True)
"""
QUICK = {"mlp": {"max_iter": 20}, "random_forest": {"n_estimators": 10}, "extra_trees": {"n_estimators": 10}}
CASES = {
    "bought": [
        *((name, QUICK.get(name, {})) for name in estimators("classifier")),
        ("hist_gradient_boosting", {"early_stopping": True, "max_bins": 2, "class_weight": {"yes": 2, "no": 1}}),
        ("logistic_regression", {"solver": "saga", "l1_ratio": 0.5, "class_weight": "balanced", "max_iter": 1000}),
        ("k_nearest_neighbors", {"algorithm": "ball_tree", "metric": "chebyshev", "weights": "distance"}),
        ("mlp", {"solver": "sgd", "hidden_layer_sizes": [8, 4], "early_stopping": True, "max_iter": 10}),
        ("random_forest", {"class_weight": {"yes": 3}, "max_features": 0.5, "n_estimators": 5}),
        ("gradient_boosting", {"loss": "exponential", "n_estimators": 5, "subsample": 0.5}),
    ],
    "spent": [
        *((name, QUICK.get(name, {})) for name in estimators("regressor")),
        ("hist_gradient_boosting", {"loss": "quantile", "quantile": 0.4, "max_iter": 5}),
        ("hist_gradient_boosting", {"loss": "poisson", "max_iter": 5}),
        ("hist_gradient_boosting", {"loss": "gamma", "max_iter": 5}),
        ("mlp", {"loss": "poisson", "max_iter": 10}),
        ("gradient_boosting", {"loss": "huber", "n_estimators": 5}),
        ("k_nearest_neighbors", {"metric": "cosine"}),
        ("ridge", {"solver": "saga", "alpha": 2}),
    ],
}
PROFILES = {"bought": "sklearn-classifier", "spent": "sklearn-regressor"}


@pytest.mark.parametrize("target", CASES)
def test_every_estimator_trains_and_predicts_on_mixed_columns(target, training, prediction):
    trained = [
        training(f"{i}", target=target, profile=PROFILES[target], hyperparameters={"estimator": name, **values})
        for i, (name, values) in enumerate(CASES[target])
    ]
    assert_all_end_well(trained)
    for workspace in trained:
        assert {path.name for path in workspace.out.iterdir()} == {"model.skops", "model.json"}
    asked = [prediction(workspace, f"{workspace.path.name}p") for workspace in trained]
    assert_all_end_well(asked)
    for workspace in asked:
        assert_good_answers(workspace)


def assert_all_end_well(workspaces):
    payloads = [str(workspace.path / "payload.json") for workspace in workspaces]
    done = run([sys.executable, "-I", "-c", MANY, workspaces[0].payload["step"], *payloads], workspaces[0])
    assert done.stdout.split() == ["0"] * len(workspaces), done.stderr


def assert_good_answers(workspace):
    answers = workspace.answers
    assert answers.num_rows == 80
    if workspace.payload["hyperparameters"]["estimator"] == "linear_svm":
        assert set(answers.column("prediction").to_pylist()) <= {"no", "yes"}
    elif workspace.payload["task"] == "classification":
        assert answers.column_names == ["p_0", "p_1"]
        sums = [a + b for a, b in zip(*(c.to_pylist() for c in answers.columns), strict=True)]
        assert all(math.isclose(s, 1) for s in sums)
    else:
        assert all(math.isfinite(v) for v in answers.column("prediction").to_pylist())


def test_the_default_model_has_learnt_something(training, prediction):
    trained = training()
    assert trained.run("sklearn").returncode == 0
    table = mixed_table(400, seed=5)
    asked = prediction(trained, table=table)
    assert asked.run("sklearn").returncode == 0
    guesses = [p > 0.5 for p in asked.answers.column("p_1").to_pylist()]
    right = [
        guess == (label == "yes") for guess, label in zip(guesses, table.column("bought").to_pylist(), strict=True)
    ]
    assert sum(right) / len(right) > 0.8
    facts = json.loads((trained.out / "model.json").read_text())
    assert facts["classes"] == ["no", "yes"]
    assert facts["estimator"] == "hist_gradient_boosting"
