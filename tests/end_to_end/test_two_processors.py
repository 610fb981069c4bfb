"""A sealed agent with several processors trains and predicts as one with one does."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("estimator", ["hist_gradient_boosting", "random_forest", "logistic_regression"])
def test_a_sealed_agent_with_two_processors_trains_and_predicts(folder, estimator):
    folder.done("init")
    plan = {"agent_profile": "sklearn-classifier", "code": None, "resources": {"cpus": 2}}
    ran = folder.done("run", folder.plan(**plan, hyperparameters={"estimator": estimator}), "--json")
    assert ran.document["isolation"] == "sealed"
