"""`noa diff LIFECYCLE@N LIFECYCLE@M`: what differs in plans, data and measurements, as they were recorded."""

import shutil

import pytest

from end_to_end.projects import Project, lay_out
from end_to_end.test_diff_incident import EVALUATION, people

STRICT = {**EVALUATION, "dataset_path": "data/now.dataset.yaml", "metric_thresholds": {"roc_auc": 0.9999}}


@pytest.fixture(scope="session")
def three_made(once):
    """Version 2 replaced version 1 after training on more and other rows; version 3 was measured on other data and rejected."""

    def make(folder):
        project = lay_out(folder / "project")
        parts = {
            "train": people(1, 0, 2000),
            "more": people(4, 0, 3000, moved=0.1),
            "eval": people(2, 5000, 1200),
            "now": people(5, 9000, 1200, moved=0.2),
        }
        for name, text in parts.items():
            project.write(f"data/{name}.csv", text)
            project.write(f"data/{name}.dataset.yaml", f"files: [data/{name}.csv]\nkey: id\nignore: [town]\n")
        project.done("init")
        more = {"dataset_path": "data/more.dataset.yaml", "seed": 4}
        project.done("run", project.plan(dataset_path="data/train.dataset.yaml", evaluation=EVALUATION))
        project.done("run", project.plan(evaluation=EVALUATION, **more))
        project.done("run", project.plan(evaluation=STRICT, **more), status=3)
        project.done("run", project.plan(lifecycle_id="other", evaluation=EVALUATION, **more))

    return once("three_made", make)


@pytest.fixture
def three(home, three_made):
    for name in ("project", "keys"):
        shutil.copytree(three_made / name, home / name, symlinks=True)
    return Project(home / "project")


def compared(project, *names):
    return project.done("diff", *names, "--json").document


def test_plans_data_and_measurements_stand_side_by_side(three):
    before = three.state()
    document = compared(three, "little@1", "little@2")
    plan = {field["field"]: (field["before"], field["now"]) for field in document["plan"]}
    assert plan == {"dataset_path": ("data/train.dataset.yaml", "data/more.dataset.yaml"), "seed": (None, 4)}
    assert [data["rows"] for data in document["data"]["train"]] == [2000, 3000]
    assert (document["training"]["verdict"], document["training"]["rows"]) == ("fail", [2000, 3000])
    assert document["label_rates"]["target"] == "label"
    assert {column["name"] for column in document["training"]["columns"]} == {"x", "y", "label"}
    assert document["not_compared"] == []
    shown = three.done("show", "little@2", "--json").document["evaluation"]["estimates"]
    metrics = {metric["name"]: metric for metric in document["metrics"]}
    assert metrics.keys() == shown.keys()
    assert metrics["recall"]["now"]["interval"] == shown["recall"]["interval"]
    assert {cell["name"] for cell in document["slices"]} == {"roc_auc, town 'Bonn'", "roc_auc, town 'Ulm'"}
    assert three.state() == before


def test_a_metric_with_a_threshold_stands_first_and_then_what_changed_most(three):
    metrics = compared(three, "little@1", "little@2")["metrics"]
    assert metrics[0]["name"] == "roc_auc"
    apart = [metric["intervals_apart"] for metric in metrics[1:]]
    assert apart[0]
    assert not apart[-1]


def test_the_improvement_row_by_row_is_that_which_was_recorded_beside_the_champion(three):
    shown = three.done("show", "little@2", "--json").document["evaluation"]["champion"]["improvements"]
    for metric in compared(three, "little@1", "little@2")["metrics"]:
        assert metric["improvement"]["value"] == shown[metric["name"]]["value"]
    for names in (("little@2", "little@1"), ("little@1", "little@3"), ("other@1", "little@2")):
        assert all(metric["improvement"] is None for metric in compared(three, *names)["metrics"])


def test_that_a_version_has_no_summary_or_was_measured_on_other_data_is_said(three):
    document = compared(three, "little@2", "little@3")
    assert document["training"] is None
    assert len(document["not_compared"]) == 2
    shown = three.done("diff", "little@2", "little@3").out
    assert "little@3 has no stored summary of its training data" in shown
    assert "measured on different data" in shown
    assert "CHAMPION → REJECTED" in shown


def test_versions_of_two_lifecycles_are_compared(three):
    document = compared(three, "little@2", "other@1")
    assert [field["field"] for field in document["plan"]] == ["lifecycle_id"]
    assert document["training"]["verdict"] == "pass"
    assert all(metric["change"] == 0 for metric in document["metrics"])


def test_a_plan_that_was_redacted_is_not_compared_and_the_rest_is(three):
    digest = compared(three, "little@1", "little@2")["before"]["plan_digest"]
    three.done("redact", digest, "--reason", "names a customer")
    document = compared(three, "little@1", "little@2")
    assert document["plan"] is None
    assert "the plan of little@1 is not to be had" in document["not_compared"][0]
    assert document["metrics"]


def test_a_summary_that_was_changed_is_refused(three):
    path = three.path / "storage/artifacts/little/command/1/summary.json"
    path.parent.chmod(0o755)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b'"missing":0', b'"missing":1', 1))
    assert "summary of the training data" in three.done("diff", "little@1", "little@2", status=4).said


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("little@1", "little@9"), "there is no little@9"),
        (("little@1", "data/now.csv"), "a version is compared with a version"),
        (("little@1",), "noa diff little"),
        (("nothing@1", "little@1"), "there is no lifecycle 'nothing' here"),
    ],
)
def test_what_is_no_pair_of_versions_is_refused(three, names, said):
    assert said in three.done("diff", *names, status=2).said


def test_the_page_draws_both_intervals_and_loads_nothing(three):
    path = three.path / "versions.html"
    three.done("diff", "little@1", "little@2", "--html", str(path))
    page = path.read_text()
    for part in ("<h2>Plan</h2>", "<h2>Metrics</h2>", "<h2>Slices</h2>", "<h2>Training data</h2>", "more.dataset.yaml"):
        assert part in page
    assert page.count("before and now</title>") == page.count(' before and now"') > 10
    assert "http" not in page
    assert "<script" not in page


def test_a_version_that_failed_is_compared_by_its_plan_and_markup_of_a_plan_stays_text(three):
    three.programs(predict="echo 'no luck' >&2; exit 3\n")
    evaluation = {**EVALUATION, "notes": "<script>alert(1)</script> see data/train.csv"}
    three.done("run", three.plan(dataset_path="data/train.dataset.yaml", evaluation=evaluation), status=6)
    path = three.path / "versions.html"
    shown = three.done("diff", "little@1", "little@4", "--html", str(path)).out
    assert "little@4 was not measured" in shown
    assert "evaluation.notes" in shown
    assert "<script" not in path.read_text()
    assert "&lt;script&gt;" in path.read_text()
    document = compared(three, "little@1", "little@4")
    assert document["now"]["state"] == "failed"
    assert all(metric["now"]["value"] is None and metric["change"] is None for metric in document["metrics"])
