"""A thousand rows, as in the German credit data: too few to tell two good models apart, and the gate says so."""

from __future__ import annotations

import math
import random
import re

import pytest

from end_to_end.projects import Project

NUMBERS = ("duration", "amount", "rate", "residence", "age", "credits", "liable")
WORDS = {
    "checking": ("none", "under 0", "under 200", "over 200"),
    "history": ("critical", "delayed", "paid here", "paid", "none taken"),
    "purpose": ("car", "furniture", "radio", "education", "business", "repairs"),
    "savings": ("unknown", "under 100", "under 500", "over 500"),
    "employed": ("not", "under 1", "under 4", "under 7", "over 7"),
    "status": ("single", "married", "divorced"),
    "debtors": ("none", "applicant", "guarantor"),
    "property": ("house", "savings", "car", "none"),
    "plans": ("none", "bank", "stores"),
    "housing": ("own", "rent", "free"),
    "job": ("skilled", "unskilled", "management", "none"),
    "telephone": ("yes", "none"),
    "foreign": ("yes", "no"),
}


def credit(rows=1000, seed=1994):
    """Seven columns of numbers and thirteen of words; three applicants in ten turn out bad, as there."""
    draw = random.Random(seed)
    lines = [",".join([*NUMBERS, *WORDS, "risk"])]
    for _ in range(rows):
        months, age = draw.choice((6, 12, 18, 24, 36, 48)), 19 + int(draw.expovariate(1 / 16))
        amount = int(months * draw.lognormvariate(5, 0.6))
        numbers = [months, amount, draw.randint(1, 4), draw.randint(1, 4), age, draw.randint(1, 4), draw.randint(1, 2)]
        words = {name: draw.choice(values) for name, values in WORDS.items()}
        odds = -1.8 + 0.035 * (months - 24) + amount / 12_000 - 0.015 * (age - 35)
        odds += {"none": -1.2, "under 0": 0.9, "under 200": 0.4, "over 200": -0.4}[words["checking"]]
        odds += {"critical": -0.7, "delayed": 0.0, "paid here": 0.6, "paid": 0.1, "none taken": 0.8}[words["history"]]
        odds += -0.6 * (words["savings"] == "over 500") + 0.4 * (words["housing"] != "own")
        bad = draw.random() < 1 / (1 + math.exp(-odds))
        lines.append(",".join(map(str, [*numbers, *words.values(), "bad" if bad else "good"])))
    return "\n".join(lines) + "\n"


@pytest.fixture
def project(home):
    """A project whose champion was measured on the 300 rows that were held back."""
    project = Project(home / "project")
    project.write("data/credit.csv", credit())
    assert project.tell("init").status == 0
    first = project.tell("run", plan(project))
    assert first.status == 0, first.said
    return project


def plan(project, estimator="logistic_regression"):
    """All columns, measured on three tenths of the rows."""
    return project.plan(
        lifecycle_id="credit",
        agent_profile="sklearn-classifier",
        dataset_path="data/credit.csv",
        target="risk",
        positive="bad",
        code=None,
        hyperparameters={"estimator": estimator},
        evaluation={"split": {"share": "30%", "seed": 7}, "metric_thresholds": {"roc_auc": 0.65}},
    )


def test_a_challenger_about_as_good_is_inconclusive_and_is_told_how_many_rows_would_decide(project):
    again = project.tell("run", plan(project, estimator="gaussian_nb"), "--json")
    assert again.status == 7, again.said
    measured = [entry["predicate"] for entry in project.entries() if entry["noa_entry"]["type"] == "EvaluationLogged"]
    improvement = measured[-1]["champion"]["improvements"]["roc_auc"]
    assert (improvement["rows"], abs(improvement["value"]) < 0.02) == (300, True)
    decision = project.last_entry()[1]["noa:decision"]
    assert (decision["verdict"], decision["reasons"]) == ("inconclusive", ["inconclusive"])
    [note] = decision["notes"]
    said = re.search(r"against the champion @1 \(.*allowed -0\.02: about ([\d,]+) rows would decide", note)
    assert said, note
    assert 300 < int(said[1].replace(",", "")) < 10_000
    assert again.document["state"] == "inconclusive"
    assert f"about {said[1]} rows would decide" in project.tell("show", "credit@2").out
    assert project.champion("credit") == 1
    assert project.tell("verify", "--decisions").status == 0
