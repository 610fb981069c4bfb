"""Thresholds that no model can reach on the data are mistakes of the plan: refused before anything runs."""

from __future__ import annotations

import pytest

from noa_mlops.agents import AgentFactory
from noa_mlops.errors import PlanInvalid
from noa_mlops.lifecycle.intake import accept
from noa_mlops.records.plan import TrainingPlan

ROWS = {
    "train": ["age,colour,bought", "1,red,yes", "2,blue,no", "3,green,yes", "4,red,no"],
    "eval": ["age,colour,bought", "5,red,yes", "6,blue,no"],
}


@pytest.fixture
def accepted(tmp_path):
    """Takes in a plan over small data of which some lines are replaced."""

    def take(profile="sklearn-classifier", replaced=(), thresholds=None, data="data/train.csv", **fields):
        (tmp_path / "data").mkdir(exist_ok=True)
        for name, lines in ROWS.items():
            text = "\n".join(lines) + "\n"
            for file, old, new in replaced:
                text = text.replace(old, new) if file == name else text
            (tmp_path / f"data/{name}.csv").write_text(text)
        text = _plan(profile, thresholds or {"accuracy": 0.5}, {"dataset_path": data, **fields})
        plan = TrainingPlan.parse(text.encode(), "plan.yaml")
        return accept(plan, tmp_path, (), AgentFactory())

    return take


def _plan(profile, thresholds, fields):
    lines = [f"{name}: {value}" for name, value in {"target": "bought", **fields}.items()]
    gate = ", ".join(f"{metric}: {bound}" for metric, bound in thresholds.items())
    return "\n".join(
        [
            "lifecycle_id: shop",
            f"agent_profile: {profile}",
            *lines,
            "evaluation:",
            "  dataset_path: data/eval.csv",
            f"  metric_thresholds: {{{gate}}}\n",
        ]
    )


def test_a_plan_that_fits_its_data_is_taken(accepted):
    given = accepted(positive="'yes'", thresholds={"roc_auc": 0.6})
    assert (given.task, given.classes, given.positive) == ("classification", ("no", "yes"), "yes")


def test_refuses_a_regression_on_text_and_names_the_column(accepted):
    with pytest.raises(
        PlanInvalid, match="the target 'bought' is text; sklearn-regressor would have to predict"
    ) as told:
        accepted("sklearn-regressor", thresholds={"mae": 3})
    assert "classification" in told.value.hint


def test_refuses_a_metric_of_two_classes_for_three_and_names_those_that_fit(accepted):
    with pytest.raises(PlanInvalid, match="roc_auc is defined for two classes; 'colour' has 3: 'blue', ") as told:
        accepted(target="colour", thresholds={"accuracy": 0.1, "roc_auc": 0.5})
    assert "roc_auc_ovr" in told.value.hint
    assert "roc_auc," not in told.value.hint


def test_refuses_evaluation_labels_that_are_written_otherwise(accepted):
    with pytest.raises(PlanInvalid, match=r"is a class of the training data \('no', 'yes'\); it has 'No', 'Yes'"):
        accepted(replaced=[("eval", "yes", "Yes"), ("eval", "no", "No")])


def test_refuses_evaluation_data_without_the_positive_class_when_a_threshold_speaks_of_it(accepted):
    gone = [("eval", "yes", "Yes")]
    with pytest.raises(PlanInvalid, match="no row has the positive class 'yes' in 'bought'; it has "):
        accepted(replaced=gone, positive="'yes'", thresholds={"recall": 0.1})
    assert accepted(replaced=gone, positive="'yes'").positive == "yes"


@pytest.mark.parametrize(("line", "role"), [("ignore: [bought]", "ignore"), ("key: bought", "key")])
def test_refuses_a_target_that_no_agent_would_see(accepted, tmp_path, line, role):
    (tmp_path / "shop.dataset.yaml").write_text(f"files: [data/train.csv]\n{line}\n")
    with pytest.raises(PlanInvalid, match=f"target 'bought' stands under '{role}' in shop.dataset.yaml"):
        accepted(data="shop.dataset.yaml")
