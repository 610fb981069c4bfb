"""Rows that training has seen prove nothing, unless data repeat by nature."""

from __future__ import annotations

import random

import pytest

from end_to_end.projects import lay_out, rows
from noa_mlops.records.overlap import Overlap

NONE = {"min": 0.6, "versus_champion": "none"}


@pytest.fixture
def project(home):
    project = lay_out(home / "project")
    assert project.tell("init").status == 0
    return project


def census(count, seed):
    """Two columns of few values, so that nearly half of all new rows have a twin among 1,650."""
    draw = random.Random(seed)
    lines = ["x,y,label"]
    for _ in range(count):
        x, y = draw.randrange(40) / 40, draw.randrange(60) / 60
        lines.append(f"{x:.4f},{y:.4f},{int(x + 0.2 * draw.random() > 0.6)}")
    return "\n".join(lines) + "\n"


def measured(project, data="data/eval.csv"):
    """Run the usual plan on ``data``; how it ended, and the overlap and the decision that were recorded."""
    evaluation = {"dataset_path": data, "metric_thresholds": {"roc_auc": NONE}}
    run = project.tell("run", project.plan(evaluation=evaluation))
    entries = {entry["noa_entry"]["type"]: entry["predicate"] for entry in project.entries()}
    return run, Overlap.from_document(entries["EvaluationLogged"]["overlap"]), entries["PromotionReady"]["noa:decision"]


def test_a_holdout_of_which_a_tenth_was_trained_on_fails(project):
    fresh, trained = rows(180, 2).splitlines(), rows(500, 1)
    project.write("data/train.csv", trained)
    project.write("data/eval.csv", "\n".join([*fresh, *trained.splitlines()[1:21]]) + "\n")
    run, seen, decision = measured(project)
    assert run.status == 3, run.said
    assert (seen.shared, seen.rows, decision["verdict"], decision["reasons"]) == (20, 200, "fail", ["hygiene"])
    assert "20 of 200 rows (10.00%) are in the training data too" in run.out
    assert "Seen        20 of 200 rows" in project.tell("show", "little@1").out
    assert project.champion() is None
    assert project.tell("verify", "--decisions").status == 0


def test_data_that_repeat_by_nature_pass_and_the_share_is_recorded_and_shown(project):
    project.write("data/train.csv", census(1650, 1))
    project.write("data/eval.csv", census(600, 2))
    run, seen, decision = measured(project)
    assert run.status == 0, run.said
    assert seen.share == pytest.approx(0.47, abs=0.02)
    assert seen.expected == pytest.approx(seen.share, abs=0.04)
    assert decision["verdict"] == "pass"
    assert "expected by chance" in project.tell("show", "little@1").out


@pytest.mark.parametrize("leaked", [300, 600])
def test_a_holdout_of_such_data_that_was_trained_on_fails_all_the_same(project, leaked):
    header, *trained = census(1650, 1).splitlines()
    project.write("data/train.csv", census(1650, 1))
    project.write(
        "data/eval.csv", "\n".join([header, *trained[:leaked], *census(600 - leaked, 2).splitlines()[1:]]) + "\n"
    )
    run, seen, decision = measured(project)
    assert run.status == 3, run.said
    assert seen.expected == pytest.approx(0.47, abs=0.04)
    assert (decision["verdict"], decision["reasons"]) == ("fail", ["hygiene"])
    assert project.champion() is None


def keyed(project):
    """Data whose rows have a key, the 200th of which both have; and definitions that say so."""
    for name, first, seed in (("train", 0, 1), ("eval", 199, 2)):
        header, *lines = rows(200, seed).splitlines()
        numbered = [f"id,{header}", *(f"c{first + n},{line}" for n, line in enumerate(lines))]
        project.write(f"data/{name}.csv", "\n".join(numbered) + "\n")
        project.write(f"data/{name}.dataset.yaml", f"files: [data/{name}.csv]\nkey: id\n")


@pytest.mark.parametrize(("declared", "kind"), [({}, "dataset.yaml"), ({"key": "id"}, "csv")])
def test_by_a_key_one_row_in_both_is_enough(project, declared, kind):
    keyed(project)
    evaluation = {"dataset_path": f"data/eval.{kind}", "metric_thresholds": {"roc_auc": NONE}, **declared}
    run = project.tell("run", project.plan(dataset_path=f"data/train.{kind}", evaluation=evaluation))
    assert run.status == 3, run.said
    assert "1 of 200 rows (0.50%) are in the training data too, by their key" in run.out


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("idd", "evaluation.key names the column 'idd', which is not in the data"),
        ("y", "evaluation.key is 'y', but data/eval.dataset.yaml declares the key 'id'"),
        ("label", "evaluation.key: 'label' is the target, which identifies no row"),
    ],
)
def test_a_key_that_is_none_is_refused_before_anything_runs(project, key, says):
    keyed(project)
    before = project.state()
    evaluation = {"dataset_path": "data/eval.dataset.yaml", "metric_thresholds": {"roc_auc": NONE}, "key": key}
    refused = project.tell("run", project.plan(evaluation=evaluation))
    assert refused.status == 2
    assert says in refused.err
    assert project.state() == before


def test_the_share_of_an_ordinary_holdout_is_named_and_passes(project):
    run, seen, _ = measured(project)
    assert run.status == 0, run.said
    assert (seen.shared, seen.by_key) == (0, False)
