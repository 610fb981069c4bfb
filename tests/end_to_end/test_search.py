"""Trials before the training: drawn by the plan, compared without the evaluation rows; the best one alone is measured."""

from __future__ import annotations

import json

import pytest

SEARCH = {"metric": "roc_auc", "trials": 4, "space": {"C": {"low": 0.0001, "high": 10, "log": True}}}
SKLEARN = {
    "agent_profile": "sklearn-classifier",
    "hyperparameters": {"estimator": "logistic_regression"},
    "code": None,
    "seed": 3,
    "evaluation": {"split": {"share": "20%"}, "metric_thresholds": {"roc_auc": 0.8}},
}


def test_the_best_of_the_trials_is_trained_again_and_measured_once(folder):
    assert folder.tell("init").status == 0
    ran = folder.tell("run", folder.plan(**SKLEARN, search=SEARCH), "--json")
    assert ran.status == 0, ran.said
    model = folder.path / ran.document["artifact"] / "model"
    table = json.loads((model / "search.json").read_text())
    values = [trial["roc_auc"] for trial in table["trials"]]
    assert len(values) == 4
    assert table["best"] == 1 + values.index(max(values))
    best = table["trials"][table["best"] - 1]["hyperparameters"]
    facts = json.loads((model / "model.json").read_text())
    assert facts["hyperparameters"] == {"estimator": "logistic_regression", **best}
    assert facts["rows"] == 160
    payload = json.loads((folder.workspace("little-1") / "payload.json").read_text())
    assert payload["search"]["validation_rows"] == 32
    assert [entry["noa_entry"]["type"] for entry in folder.entries()].count("EvaluationLogged") == 1
    assert "trial 4: roc_auc" in (folder.workspace("little-1") / "progress.jsonl").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"search": {**SEARCH, "metric": "rmse"}}, "search.metric: rmse measures regression"),
        ({"search": {**SEARCH, "space": {"CC": [1]}}}, "search.space: trial 1 would be refused"),
        ({"search": {**SEARCH, "space": {"C": [-1]}}}, "search.space: trial 1 would be refused"),
        ({"search": SEARCH, "agent_profile": "python"}, "search: python cannot search"),
    ],
)
def test_a_search_that_cannot_work_is_refused_before_anything_runs(folder, changes, message):
    assert folder.tell("init").status == 0
    result = folder.tell("run", folder.plan(**{**SKLEARN, **changes}))
    assert result.status == 2
    assert message in result.err
