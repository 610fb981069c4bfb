"""`noa drift` asks the champion: what it says drifts like a column; labels count when they are due; estimates only explain."""

import json
import random
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from end_to_end.projects import PREDICT, Project, lay_out
from end_to_end.test_published_schemas import validator
from noa_mlops.lifecycle import TrainingOrchestrator

DEFINITION = "files: [data/{name}.csv]\ntime: day\ntarget: label\n"


def days(seed, *, until, moved=0.0, count=2000, labels=lambda x: x > 0.6):
    """Rows of ``x``, ``y``, ``label`` and ``day``, the last one ``until`` days ago, a row each hour before."""
    draw, last = random.Random(seed), datetime.now(UTC) - timedelta(days=until)
    lines = ["x,y,label,day"]
    for place in range(count):
        x, y, day = draw.random(), draw.random(), last - timedelta(hours=count - place)
        label = int(labels(x + 0.2 * draw.random()))
        lines.append(f"{x + moved:.4f},{y:.4f},{label},{day:%Y-%m-%dT%H:%M:%S}")
    return "\n".join(lines) + "\n"


def put(project, name, text):
    project.write(f"data/{name}.csv", text)
    project.write(f"data/{name}.dataset.yaml", DEFINITION.format(name=name))
    return f"data/{name}.dataset.yaml"


def planned(project, **drift):
    evaluation = {"dataset_path": "data/measured.dataset.yaml", "metric_thresholds": {"roc_auc": 0.8}}
    return project.plan(dataset_path="data/learnt.dataset.yaml", target=None, evaluation=evaluation, drift=drift)


@pytest.fixture(scope="session")
def timed(once):
    """A project whose rows have their time, and no version yet."""

    def make(folder):
        project = lay_out(folder / "project")
        put(project, "learnt", days(1, until=300, count=4000))
        put(project, "measured", days(2, until=200, count=4000))
        assert project.tell("init").status == 0

    return once("timed", make)


@pytest.fixture
def project(home, timed):
    for name in ("project", "keys"):
        shutil.copytree(timed / name, home / name, symlinks=True)
    return Project(home / "project")


def promote(project, **drift):
    result = project.tell("run", planned(project, **drift))
    assert result.status == 0, result.said


def scan(project, path, *arguments):
    return project.tell("drift", "little", "--current", path, *arguments, "--json")


def test_labels_count_when_they_are_as_old_as_the_plan_says(project):
    promote(project, labels={"delay": "14d"})
    turned = put(project, "turned", days(3, until=1, count=200, labels=lambda x: x < 0.6))
    fresh = scan(project, turned)
    labels = fresh.document["labels"]
    assert (labels["rows"], labels["due"], labels["window"], labels["finding"]) == (0, 0, 200, "undecided")
    assert fresh.status == 0, fresh.said
    due = scan(project, put(project, "due", days(4, until=20, count=400, labels=lambda x: x < 0.6)))
    assert due.document["labels"]["due"] == 400
    assert (due.status, due.document["labels"]["finding"]) == (3, "hurts")


def test_rows_that_await_their_labels_are_cleared_by_no_others(project):
    promote(project, labels={"delay": "14d"})
    window = days(5, until=1, count=2000, moved=0.08)
    result = scan(project, put(project, "moved", window))
    labels = result.document["labels"]
    assert labels["due"] < labels["window"] == 2000
    assert [metric["finding"] for metric in labels["metrics"]] == ["clears"]
    assert (labels["finding"], result.document["verdict"]) == ("undecided", "fail")
    told = project.tell("drift", "little", "--current", "data/moved.dataset.yaml")
    assert "are too young" in told.out


def test_labels_cannot_be_awaited_where_no_column_says_how_old_a_row_is(project):
    plan = planned(project, labels={"delay": "14d"})
    project.write("data/learnt.dataset.yaml", "files: [data/learnt.csv]\ntarget: label\n")
    result = project.tell("run", plan)
    assert result.status == 2, result.said
    assert "'time: COLUMN'" in result.said
    assert "no lifecycle" in project.tell("show", "little").said


def test_the_column_of_times_is_known_from_the_training_where_the_new_data_are_a_plain_file(project):
    promote(project, labels={"delay": "14d"})
    project.write("data/plain.csv", days(6, until=1, count=200))
    assert scan(project, "data/plain.csv").document["labels"]["due"] == 0


def test_where_only_some_rows_have_labels_they_show_no_drop(project):
    promote(project)
    lines = [line.split(",") for line in days(7, until=5, labels=lambda x: x < 0.6).splitlines()]
    some = [f"{x},{y},{label if place % 3 else ''},{day}" for place, (x, y, label, day) in enumerate(lines)]
    some[0] = "x,y,label,day"
    labels = scan(project, put(project, "some", "\n".join(some) + "\n")).document["labels"]
    assert labels["metrics"][0]["finding"] == "hurts"
    assert labels["finding"] == "undecided"


def test_what_the_champion_says_drifts_like_a_column_and_is_estimated_where_labels_are_not_there(project):
    promote(project)
    lines = [line.split(",") for line in days(8, until=5, moved=0.3).splitlines()]
    project.write("data/moved.csv", "\n".join(f"{x},{y},{day}" for x, y, _, day in lines) + "\n")
    project.write("data/moved.dataset.yaml", "files: [data/moved.csv]\ntime: day\n")
    document = scan(project, "data/moved.dataset.yaml").document
    said = next(column for column in document["columns"] if column.get("is_prediction"))
    assert (said["name"], said["drifted"], said["rows"]) == ("prediction", True, [4000, 2000])
    assert set(document["estimated"]) == {"roc_auc"}
    assert 0.5 < document["estimated"]["roc_auc"]["estimated"] <= 1
    assert "clears nothing" in project.tell("drift", "little", "--current", "data/moved.dataset.yaml").out
    assert project.verifies()


def test_drift_that_only_warns_blocks_nothing_and_what_hurts_still_does(project):
    promote(project, on_drift="warn")
    moved = scan(project, put(project, "moved", days(9, until=5, moved=0.5, labels=lambda x: x > 0.6)))
    assert (moved.status, moved.document["data_verdict"]) == (0, "pass")
    assert any(column["drifted"] for column in moved.document["columns"])
    turned = scan(project, put(project, "turned", days(10, until=5, labels=lambda x: x < 0.6)))
    assert (turned.status, turned.document["labels"]["finding"]) == (3, "hurts")
    assert project.verifies()


def test_too_few_data_block_where_the_plan_says_so(project):
    promote(project, on_insufficient="block")
    lines = days(11, until=5, count=20).splitlines()
    few = scan(project, put(project, "few", "\n".join(lines) + "\n"))
    assert (few.status, few.document["verdict"], few.document["data_verdict"]) == (3, "fail", "fail")
    assert project.verifies()


def test_too_few_data_are_no_pass_where_drift_only_warns(project):
    promote(project, on_drift="warn")
    few = put(project, "few", days(17, until=5, count=20))
    assert scan(project, few).document["data_verdict"] == "inconclusive"


def test_labels_that_are_there_and_cannot_be_asked_are_no_pass(project):
    project.programs(predict='[ "$(wc -l < "$NOA_DATA")" -ne 1778 ] || exit 3\n' + PREDICT)
    promote(project)
    assert scan(project, put(project, "quiet", days(18, until=5, count=1500))).document["verdict"] == "pass"
    document = scan(project, put(project, "unlucky", days(19, until=5, count=1777))).document
    assert (document["data_verdict"], document["verdict"]) == ("pass", "inconclusive")
    assert "exit" in document["labels"]["problem"]
    assert project.tell("verify", "--decisions").status == 0


def test_a_column_has_a_margin_of_its_own(project):
    promote(project, overrides={"x": {"margin": 5}, "prediction": {"margin": 5}})
    document = scan(project, put(project, "moved", days(12, until=5, moved=0.3))).document
    (x,) = (column for column in document["columns"] if column["name"] == "x")
    assert (x["tests"][0]["margin"], x["drifted"]) == (5, False)


def test_a_champion_that_cannot_be_asked_is_said_and_the_data_are_judged_alone(project):
    promote(project)
    lines = [line.split(",") for line in days(13, until=5).splitlines()]
    project.write("data/lacking.csv", "\n".join(f"{x},{day},{label}" for x, _, label, day in lines) + "\n")
    document = scan(project, "data/lacking.csv").document
    assert "y" in document["not_asked"]
    assert [change["column"] for change in document["schema"]] == ["y"]
    report = json.loads(project.path.joinpath("cicd/ml/reports/drift_report.jsonl").read_text().splitlines()[-1])
    assert report == document


def turned(project):
    """The champion of one world, and a plan for another in which the border lies elsewhere."""

    def plan(learnt, measured):
        evaluation = {"dataset_path": f"data/{measured}.dataset.yaml", "metric_thresholds": {"accuracy": 0.8}}
        return project.plan(dataset_path=f"data/{learnt}.dataset.yaml", target=None, evaluation=evaluation)

    assert project.tell("run", plan("learnt", "measured")).status == 0
    put(project, "learnt2", days(21, until=30, labels=lambda x: x > 0.3))
    put(project, "measured2", days(22, until=20, labels=lambda x: x > 0.3))
    return plan("learnt2", "measured2")


def test_a_champion_that_dropped_beside_its_challenger_blocks_and_the_challenger_is_held(project):
    plan = turned(project)
    result = project.tell("run", plan, "--json")
    assert result.status == 3, result.said
    assert (result.document["state"], result.document["reasons"]) == ("held", ["drift"])
    assert any("the champion little@1 measures accuracy" in note for note in result.document["notes"])
    *_, measured, scan, decided = project.entries()
    kinds = [entry["noa_entry"]["type"] for entry in (measured, scan, decided)]
    assert kinds == ["EvaluationLogged", "DriftScanned", "PromotionReady"]
    assert (scan["noa_entry"]["status"], scan["predicate"]["beside"]) == ("blocked", 2)
    assert ["accuracy", "metric", "worse"] in scan["predicate"]["signs"]
    for entry in (measured, scan):
        assert validator("lifecycle").is_valid(entry["predicate"]), entry["noa_entry"]["type"]
    assert project.champion() == 1
    deep = project.tell("verify", "--decisions", "--deep", "--json").document
    assert (deep["findings"], deep["measured"]) == ([], 2)

    assert project.tell("investigate", "little", "--finding", "the border moved").status == 0
    assert project.tell("run", plan).status == 3
    assert project.tell("enable", "little@3", "--reason", "it knows the new border").status == 0
    assert project.champion() == 3
    assert [entry["noa_entry"]["type"] for entry in project.entries()].count("DriftScanned") == 1
    assert project.tell("verify", "--decisions").status == 0


def test_a_run_that_was_cut_off_after_the_measurement_still_records_what_it_showed(project, monkeypatch):
    plan, scan = turned(project), TrainingOrchestrator._scan_beside

    def cut_off(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainingOrchestrator, "_scan_beside", cut_off)
    assert project.tell("run", plan).status == 130
    assert project.last_entry()[0] == "EvaluationLogged"
    monkeypatch.setattr(TrainingOrchestrator, "_scan_beside", scan)
    assert project.tell("run", plan).status == 3
    kinds = [entry["noa_entry"]["type"] for entry in project.entries()]
    assert kinds[-3:] == ["EvaluationLogged", "DriftScanned", "PromotionReady"]


def test_a_challenger_that_means_another_class_shows_nothing_of_the_champion(project):
    for seed, name in enumerate(("learnt", "measured", "measured2")):
        put(project, name, days(30 + seed, until=20, labels=lambda x: x > 0.9))

    def plan(measured, positive):
        evaluation = {"dataset_path": f"data/{measured}.dataset.yaml", "metric_thresholds": {"precision": 0.3}}
        return project.plan(
            dataset_path="data/learnt.dataset.yaml", target=None, evaluation=evaluation, positive=positive
        )

    assert project.tell("run", plan("measured", 0)).status == 0
    result = project.tell("run", plan("measured2", 1), "--json")
    assert result.document["state"] == "champion", result.said
    *_, measured, _ = project.entries()
    assert "dropped" not in measured["predicate"]["champion"]
    assert validator("lifecycle").is_valid(measured["predicate"])
    assert project.tell("verify", "--decisions", "--deep").status == 0
