"""Trials before the training: agents of their own, several at once, compared without the evaluation rows."""

from __future__ import annotations

import json
import os
import signal
import statistics
import sys
import time

import pytest

from end_to_end.projects import lay_out

SEARCH = {"metric": "roc_auc", "trials": 6, "space": {"C": {"low": 0.0001, "high": 10, "log": True}}}
SKLEARN = {
    "agent_profile": "sklearn-classifier",
    "hyperparameters": {"estimator": "logistic_regression"},
    "code": None,
    "seed": 3,
    "evaluation": {"split": {"share": "20%"}, "metric_thresholds": {"roc_auc": 0.8}},
}


def entry(folder, kind):
    """The only entry of its kind."""
    (found,) = [line for line in folder.entries() if line["noa_entry"]["type"] == kind]
    return found


def lines(folder):
    """The trials that ended, as the table in the workspace has them."""
    path = folder.workspace("little-1") / "search.jsonl"
    return path.read_bytes().splitlines(keepends=True) if path.exists() else []


def tried(folder):
    """By number what was tried and what came of it."""
    trials = [json.loads(line) for line in lines(folder)]
    return {trial["number"]: (trial["hyperparameters"], trial["value"], trial["error"]) for trial in trials}


def test_the_best_of_the_trials_is_trained_again_and_measured_once(folder):
    assert folder.tell("init").status == 0
    ran = folder.tell("run", folder.plan(**SKLEARN, search=SEARCH), "--json")
    assert ran.status == 0, ran.said
    found = entry(folder, "TrainingCompleted")["predicate"]["noa:run"]["search"]
    table = json.loads((folder.path / "storage/db/evidence/objects" / found["table"]).read_text())
    values = [trial["value"] for trial in table["trials"]]
    assert [trial["number"] for trial in table["trials"]] == [1, 2, 3, 4, 5, 6]
    assert found["best"] == 1 + values.index(max(values))
    best = table["trials"][found["best"] - 1]["hyperparameters"]
    assert found["hyperparameters"] == best
    facts = json.loads((folder.path / ran.document["artifact"] / "model" / "model.json").read_text())
    assert facts["hyperparameters"] == {"estimator": "logistic_regression", **best}
    assert facts["rows"] == 160
    assert entry(folder, "EvaluationLogged")["predicate"]["look"] == 1
    assert folder.tell("verify").status == 0


def test_a_search_that_was_killed_half_way_goes_on_with_the_very_trials_that_were_left(folder, home):
    another = lay_out(home / "another")
    plan = {**SKLEARN, "search": {**SEARCH, "trials": 30}}
    for one in (folder, another):
        assert one.tell("init").status == 0
    killed = folder.start("run", folder.plan(**plan))
    while len(lines(folder)) < 12:
        assert killed.poll() is None
        time.sleep(0.005)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    before = lines(folder)
    assert 12 <= len(before) < 30
    assert folder.tell("run", folder.plan(**plan)).status == 0
    assert lines(folder)[: len(before)] == before
    assert another.tell("run", another.plan(**plan)).status == 0
    assert len(lines(folder)) == 30
    assert sorted(tried(folder)) == list(range(1, 31))
    assert tried(folder) == tried(another)
    assert entry(folder, "EvaluationLogged")["predicate"]["look"] == 1


CLAIMS = """\
import time

def train(job):
    if job.params["x"] > 0.95:
        raise ValueError("too much")
    for step in (1, 2, 3, 4):
        job.progress(step=step, of=6, accuracy=job.params["x"])
        time.sleep(0.2)
    (job.out / "x").write_text(str(job.params["x"]))

def predict(job):
    x = float((job.model / "x").read_text())
    return [[1 - x, x]] * job.data.table().num_rows
"""
"""A trainer that says how good it is."""

PYTHON = {
    "agent_profile": "python",
    "hyperparameters": {},
    "code": ["src/claims.py"],
    "seed": 3,
    "search": {"metric": "accuracy", "trials": 14, "space": {"x": {"low": 0.0, "high": 1.0}}},
    "evaluation": {"split": {"share": "20%"}, "metric_thresholds": {"accuracy": 0.1}},
}


def test_a_trial_that_does_worse_than_half_of_those_before_it_is_given_up(folder):
    folder.write("src/claims.py", CLAIMS)
    folder.done("init")
    folder.done("run", folder.plan(**PYTHON))
    trials = [json.loads(line) for line in lines(folder)]
    pruned = [trial for trial in trials if trial["pruned_at"] is not None]
    assert pruned
    for trial in pruned:
        known = [
            other["hyperparameters"]["x"]
            for other in trials
            if other["number"] <= trial["number"] - 4 and other["value"] is not None
        ]
        assert len(known) >= 5
        assert trial["hyperparameters"]["x"] < statistics.median(known)
        assert (trial["value"], trial["pruned_at"]) == (None, 2)  # not before a third of its steps
    assert not list((folder.path / "storage/artifacts/workspaces").glob("*trial*"))


def test_a_trial_that_fails_is_noted_and_the_others_go_on(folder):
    folder.write("src/claims.py", CLAIMS)
    folder.done("init")
    space = {"x": [0.1, 0.2, 0.99]}
    folder.done("run", folder.plan(**{**PYTHON, "search": {**PYTHON["search"], "trials": 3, "space": space}}))
    failed = [error for _, _, error in tried(folder).values() if error is not None]
    assert len(tried(folder)) == 3
    assert ["too much" in error for error in failed] == [True]


def test_a_search_in_which_every_trial_fails_is_a_failed_training_that_says_why(folder):
    folder.write("src/claims.py", CLAIMS)
    folder.done("init")
    plan = folder.plan(**{**PYTHON, "search": {**PYTHON["search"], "trials": 2, "space": {"x": [0.97, 0.99]}}})
    failed = folder.tell("run", plan)
    assert failed.status == 6
    assert "no trial of the search could be trained and scored; the first:" in failed.said
    assert "too much" in failed.said


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor runs one trial at a time")
def test_trials_run_side_by_side_as_far_as_the_processors_go(folder):
    folder.write("src/claims.py", CLAIMS)
    folder.done("init")
    folder.done("run", folder.plan(**{**PYTHON, "search": {**PYTHON["search"], "trials": 2}}))
    first, second = sorted((json.loads(line) for line in lines(folder)), key=lambda trial: trial["started_at"])
    assert second["started_at"] < first["finished_at"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"search": {**SEARCH, "metric": "rmse"}}, "search.metric: rmse measures regression"),
        ({"search": {**SEARCH, "space": {"CC": [1]}}}, 'search.space: a trial with {"CC":1} would be refused'),
        ({"search": {**SEARCH, "space": {"C": [1, -1]}}}, 'search.space: a trial with {"C":-1} would be refused'),
        (
            {"search": SEARCH, "agent_profile": "import", "hyperparameters": {"path": "src", "module": "m"}},
            "search: a model that was made elsewhere",
        ),
    ],
)
def test_a_search_that_cannot_work_is_refused_before_anything_runs(folder, changes, message):
    folder.done("init")
    assert message in folder.done("run", folder.plan(**{**SKLEARN, **changes}), status=2).err


def test_the_version_shows_its_trials_and_what_mattered_in_the_terminal_in_json_and_on_its_page(folder, home):
    space = {**SEARCH["space"], "fit_intercept": [True, False]}
    folder.done("init")
    folder.done("run", folder.plan(**SKLEARN, search={**SEARCH, "space": space}))
    view = folder.done("show", "little@1", "--json").document["search"]
    assert len(view["trials"]) == 6
    assert sorted(view["importance"]) == ["C", "fit_intercept"]
    told = folder.done("show", "little@1").out
    assert f"6 trials, 6 scored; trained with what trial {view['best']} had" in told
    assert "Mattered" in told
    page = home / "page.html"
    folder.done("show", "little@1", "--html", str(page))
    text = page.read_text()
    assert "<h2>Search</h2>" in text
    assert "aria-label='Importance" in text or 'aria-label="Importance' in text
    for trial in view["trials"]:
        assert f"<data value={trial['hyperparameters']['C']!r}>" in text


def test_a_version_that_came_from_a_search_is_trained_again_without_searching(folder):
    folder.done("init")
    folder.done("run", folder.plan(**SKLEARN, search=SEARCH))
    told = folder.done("run", "little@1", "--reproduce", "--json")
    assert told.document["sameness"] == "bit-equal", told.said
    assert not list((folder.path / "storage/artifacts/workspaces").glob("*reproduce*/search.jsonl"))


def test_without_the_package_that_proposes_a_search_is_refused_with_the_way_to_get_it(folder, monkeypatch):
    folder.done("init")
    monkeypatch.setitem(sys.modules, "optuna", None)
    refused = folder.done("run", folder.plan(**SKLEARN, search=SEARCH), status=2)
    assert "search: the package optuna is not installed here" in refused.err
    assert "pip install 'noa-mlops[search]'" in refused.err


def test_a_table_of_trials_that_is_none_is_named_with_the_way_on(folder):
    folder.write("src/claims.py", CLAIMS)
    folder.done("init")
    plan = {**PYTHON, "search": {**PYTHON["search"], "trials": 6}}
    killed = folder.start("run", folder.plan(**plan))
    while not lines(folder):
        time.sleep(0.005)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    folder.write("storage/artifacts/workspaces/little-1/search.jsonl", "[]\n")
    assert "search.jsonl is not a table of trials" in folder.done("run", folder.plan(**plan), status=6).said
