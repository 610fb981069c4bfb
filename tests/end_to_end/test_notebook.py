"""A pipeline in memory goes through the gate like any plan: unfitted, isolated, and so that it can be run again."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import threading

import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

import noa_mlops as noa
from end_to_end.projects import Project
from noa_mlops.notebook import Outcome
from noa_mlops.records.layout import Layout
from noa_mlops.trainers.packing import pack

OWN = """\
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


class Winsorise(TransformerMixin, BaseEstimator):
    def __init__(self, share=0.05):
        self.share = share

    def fit(self, X, y=None):
        self.low_, self.high_ = np.quantile(np.asarray(X, float), [self.share, 1 - self.share], axis=0)
        return self

    def transform(self, X):
        return np.clip(np.asarray(X, float), self.low_, self.high_)
"""


def customers(rows=150):
    draw = random.Random(1)
    frame = pd.DataFrame(
        {"age": [draw.random() for _ in range(rows)], "region": [draw.choice("nsew") for _ in range(rows)]}
    )
    frame["gone"] = ["yes" if age + 0.2 * draw.random() > 0.6 else "no" for age in frame["age"]]
    return frame


@pytest.fixture
def project(home, monkeypatch):
    """A folder with data and a class of one's own, in which the notebook runs."""
    project = Project(home / "shop")
    project.write("customers.csv", customers().to_csv(index=False))
    project.write("own_features.py", OWN)
    monkeypatch.chdir(project.path)
    monkeypatch.syspath_prepend(str(project.path))
    yield project
    sys.modules.pop("own_features", None)


def own_pipeline():
    from own_features import Winsorise

    columns = make_column_transformer((OneHotEncoder(sparse_output=False), ["region"]), (Winsorise(), ["age"]))
    return make_pipeline(columns, LogisticRegression())


ASKED = {
    "lifecycle": "churn",
    "data": "customers.csv",
    "target": "gone",
    "positive": "yes",
    "thresholds": {"roc_auc": 0.8},
    "code": ["own_features.py"],
}


def test_a_pipeline_becomes_a_champion_that_answers_and_a_plan_that_makes_it_again(project):
    async def cell():
        return noa.run(own_pipeline(), **ASKED)

    outcome = asyncio.run(cell())
    assert (outcome.state, outcome.address) == ("champion", "churn@1"), str(outcome)
    answers = noa.load("churn").predict(customers().drop(columns="gone").head(5))
    assert set(answers["prediction"]) <= {"yes", "no"}
    saved = outcome.save_plan("plans/churn.yaml")
    assert outcome.save_plan("plans/churn.yaml") == saved
    assert noa.TrainingPlan.load(saved).digest == outcome.plan.digest
    project.write("plans/other.yaml", "lifecycle_id: other\nagent_profile: python\ndataset_path: x.csv\n")
    with pytest.raises(noa.PlanInvalid, match="nothing is overwritten"):
        outcome.save_plan("plans/other.yaml")
    again = project.tell("run", "plans/churn.yaml", "--json")
    assert again.status == 0, again.said
    assert again.document["checksum"] == outcome.report.checksum
    assert project.verifies()


def test_equal_pipelines_are_one_plan(project):
    first, second = (pack(own_pipeline(), ["own_features.py"], ()) for _ in range(2))
    assert first == second


def test_a_table_in_memory_is_kept_and_a_rejected_model_is_an_outcome(project):
    frame = customers()[["age"]].assign(noise=random.Random(4).sample(range(150), 150))
    outcome = noa.run(LinearRegression(), lifecycle="n", data=frame, target="noise", thresholds={"r2": 0.9})
    assert outcome.state == "rejected"
    kept = pa.parquet.read_table(project.path / outcome.plan.dataset_path)
    assert kept.to_pydict() == frame.to_dict("list")
    shown = outcome._repr_html_()
    assert "REJECTED" in shown
    assert "at least 0.9" in shown


def test_what_is_shown_is_escaped(tmp_path):
    failure = {"cause": "exit", "message": "<script>alert(1)</script>"}
    plan = noa.TrainingPlan(lifecycle_id="n", agent_profile="python", dataset_path="a.csv")
    report = noa.PipelineReport(
        "n", 1, "python", "failed", None, None, (), {}, {}, (), None, None, None, 3, "sealed", failure, ("<b>",)
    )
    shown = Outcome(plan, report, Layout.of(tmp_path))._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;alert(1)" in shown
    assert "<b>" not in shown


def test_everything_that_a_threshold_asks_is_shown(tmp_path):
    asked = {"roc_auc": {"min": 0.8, "confidence": 0.95, "versus_champion": {"max_drop": 0.005}}}
    plan = noa.TrainingPlan(lifecycle_id="n", agent_profile="python", dataset_path="a.csv")
    report = noa.PipelineReport(
        *("n", 1, "python", "inconclusive", "blocked", "inconclusive", ("inconclusive",), {"roc_auc": 0.81}, asked),
        *((), None, None, None, 3, "sealed"),
        unsure=("roc_auc: 900 rows would decide",),
    )
    shown = Outcome(plan, report, Layout.of(tmp_path))._repr_html_()
    assert "at least 0.8, sure to 95 %, 0.005 below the champion at most" in shown
    assert "900 rows would decide" in shown


SCRIPT = """\
import noa_mlops as noa
from own_features import Winsorise
from sklearn.pipeline import make_pipeline
from sklearn.linear_model import LogisticRegression

class InCell(Winsorise):
    pass

try:
    noa.run(make_pipeline(InCell(), LogisticRegression()), lifecycle="churn", data="customers.csv", target="gone")
except noa.PlanInvalid as error:
    print(error, error.hint)
"""


def test_a_class_of_the_notebook_is_told_where_to_go(project):
    project.write("cell.py", SCRIPT)
    told = subprocess.run([sys.executable, "cell.py"], capture_output=True, text=True, check=True, timeout=60).stdout
    assert "'InCell' is defined in a cell of the notebook or in the main script" in told
    assert "from features import InCell" in told
    assert not (project.path / "storage").exists()


class Local(StandardScaler):
    pass


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        (FunctionTransformer(lambda x: x), "a lambda has no name"),
        (make_pipeline(Local(), LogisticRegression()), "Local, which nobody allowed"),
        (LogisticRegression, "LogisticRegression is a class and no scikit-learn estimator"),
        (
            make_pipeline(FunctionTransformer(kw_args={"a": threading.Lock()})),
            "functiontransformer__kw_args: cannot pickle",
        ),
        (make_pipeline(FunctionTransformer(kw_args={"a": (n for n in "ab")})), "functiontransformer__kw_args: "),
        ("a pipeline", "str is no scikit-learn estimator"),
    ],
)
def test_what_cannot_travel_is_refused_with_the_way_out(project, pipeline, message):
    with pytest.raises(noa.PlanInvalid, match=message) as refused:
        noa.run(pipeline, lifecycle="churn", data="customers.csv", target="gone", thresholds={"log_loss": 0.6})
    assert refused.value.hint
    assert not (project.path / "plans").exists()


def test_wrong_fields_are_refused_in_words_of_the_plan(project):
    with pytest.raises(noa.PlanInvalid, match="roc_acu"):
        noa.run(own_pipeline(), **{**ASKED, "thresholds": {"roc_acu": 0.8}})
    assert not (project.path / "storage").exists()


def test_a_search_tries_the_parameters_of_the_pipeline(project):
    space = {"logisticregression__C": {"low": 0.001, "high": 100.0, "log": True}}
    outcome = noa.run(own_pipeline(), **ASKED, search={"metric": "roc_auc", "trials": 3, "space": space})
    assert outcome.state == "champion", str(outcome)
    found = project.tell("show", "churn@1", "--json").document["search"]
    assert len({trial["hyperparameters"]["logisticregression__C"] for trial in found["trials"]}) == 3
    assert all(trial["error"] is None for trial in found["trials"])


def test_a_search_for_what_the_pipeline_does_not_have_is_refused_with_the_nearest_name(project):
    space = {"logisticregression__c": [1]}
    with pytest.raises(noa.PlanInvalid, match="did you mean 'logisticregression__C'"):
        noa.run(own_pipeline(), **ASKED, search={"metric": "roc_auc", "space": space})
