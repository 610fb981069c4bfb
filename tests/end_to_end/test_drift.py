"""`noa drift`: silent where nothing moved; one odd window warns, the second blocks; every scan is evidence."""

import json
import shutil

import pytest

from end_to_end.projects import Project, rows, window
from noa_mlops.agents import AgentFactory, RuntimeManager
from noa_mlops.ledger import Draft, KeyStore, Ledger
from noa_mlops.lifecycle import open_orchestrator
from noa_mlops.records.layout import Layout

MODEL = "storage/artifacts/little/command/1"


@pytest.fixture
def project(home, watched):
    """A copy of that project, and windows of data."""
    for name in ("project", "keys"):
        shutil.copytree(watched / name, home / name, symlinks=True)
    project = Project(home / "project")
    project.write("data/quiet.csv", window(11))
    project.write("data/odd.csv", window(12, moved=0.08))
    project.write("data/odder.csv", window(13, moved=0.08))
    project.write("data/wild.csv", window(14, moved=0.5))
    return project


def drift(project, name, *arguments):
    return project.tell("drift", "little", "--current", f"data/{name}.csv", *arguments)


def test_a_quiet_scan_is_recorded_and_verifies(project):
    result = drift(project, "quiet", "--json")
    assert result.status == 0, result.said
    document = result.document
    assert (document["verdict"], document["blocks"], document["rollout"]) == ("pass", False, "ready")
    kind, predicate = project.last_entry()
    assert (kind, predicate["verdict"], predicate["signs"]) == ("DriftScanned", "pass", [])
    assert project.verifies()
    line = project.path.joinpath("cicd/ml/reports/drift_report.jsonl").read_text()
    assert json.loads(line) == document


def test_the_first_odd_window_warns_and_the_second_blocks(project):
    first = drift(project, "odd")
    assert first.status == 0, first.said
    assert "SUSPECT" in first.out
    assert "a second window like it would block" in first.out
    assert drift(project, "odd").status == 0, "the same data again confirm nothing"
    second = drift(project, "odder")
    assert second.status == 3, second.said
    assert "BLOCKED  little   champion @1" in second.out
    assert "as entry" in second.out
    assert project.entries()[-1]["noa_entry"]["status"] == "blocked"
    assert "BLOCKED" in project.tell("status").out
    assert project.verifies()


def test_a_window_beyond_doubt_blocks_at_once_and_what_passes_is_held(project):
    assert drift(project, "wild").status == 3
    run = project.tell("run", project.plan(seed=5))
    assert run.status == 3, run.said
    assert "drift" in run.said
    view = project.tell("show", "little", "--json").document
    assert (view["champion"]["version"], view["versions"][0]["state"], view["rollout"]["status"]) == (
        1,
        "held",
        "blocked",
    )


def test_labels_that_show_that_it_does_not_hurt_clear_drift(project):
    project.write("data/harmless.csv", window(12, moved=0.08, labels=lambda x: x > 0.6))
    for _ in range(2):
        result = drift(project, "harmless")
        assert result.status == 0, result.said
        assert "the labels show that it does not hurt" in result.out
    predicate = project.last_entry()[1]
    assert (predicate["verdict"], predicate["data_verdict"], predicate["signs"]) == ("pass", "fail", [])
    assert predicate["labels"]["finding"] == "clears"
    assert project.verifies()


def test_labels_that_show_that_it_hurts_block_at_once_though_nothing_moved(project):
    project.write("data/turned.csv", window(16, labels=lambda x: x < 0.6))
    result = drift(project, "turned")
    assert result.status == 3, result.said
    assert "and it hurts" in result.out
    assert "roc_auc" in result.out
    predicate = project.last_entry()[1]
    assert (predicate["verdict"], predicate["data_verdict"], predicate["certain"]) == ("fail", "pass", True)
    assert project.verifies()


def test_too_few_labels_decide_nothing(project):
    lines = window(12, moved=0.08, labels=lambda x: x > 0.6).splitlines()
    few = [line if place < 8 else line.rpartition(",")[0] + "," for place, line in enumerate(lines)]
    project.write("data/few.csv", "\n".join(few) + "\n")
    result = drift(project, "few", "--json")
    assert result.document["labels"]["finding"] == "undecided"
    assert (result.status, result.document["suspect"]) == (0, True)


def test_labels_clear_no_other_schema(project):
    lines = window(15, labels=lambda x: x > 0.6).splitlines()
    project.write("data/wider.csv", "\n".join(f"{line},{place and 'z'}" for place, line in enumerate(lines)))
    result = drift(project, "wider", "--dry-run")
    assert result.status == 3
    assert "is new (text)" in result.out


def test_subscribers_get_a_blocking_scan_as_a_blocked_promotion(project):
    drift(project, "quiet")
    drift(project, "wild")
    with open_orchestrator(Layout.of(project.path), AgentFactory(), RuntimeManager()) as orchestrator:
        events = orchestrator.subscribe(since=0)
    told = [(event.name, getattr(event, "status", None)) for event in iter(lambda: events.get(0), None)]
    assert told[-2:] == [("DriftScanned", None), ("PromotionReady", "blocked")]


def test_subscribers_are_told_of_a_scan_when_it_is_recorded(project):
    with open_orchestrator(Layout.of(project.path), AgentFactory(), RuntimeManager()) as orchestrator:
        events = orchestrator.subscribe()
        for name in ("odd", "odder"):
            orchestrator.scan_drift("little", f"data/{name}.csv")
        suspect, blocked = events.get(1), events.get(1)
    assert (suspect.name, suspect.suspect, suspect.version) == ("DriftScanned", True, 1)
    assert (blocked.name, blocked.status, blocked.reasons, blocked.promotes) == (
        "PromotionReady",
        "blocked",
        ("drift",),
        False,
    )
    assert project.verifies()


def test_a_column_that_gates_nothing_is_shown_and_blocks_nothing(project):
    plan = project.plan(
        seed=9, drift={"overrides": {"x": {"gate": False}, "prediction": {"gate": False}}, "margins": {"numeric": 0.2}}
    )
    assert project.tell("run", plan).status == 0
    result = drift(project, "wild")
    assert result.status == 0, result.said
    assert "0.20" in result.out
    assert "drifted, not gated" in result.out


def test_a_dry_run_writes_nothing(project):
    before = project.state()
    result = drift(project, "wild", "--dry-run", "--html", str(project.path / "page.html"))
    assert (result.status, project.state()) == (3, before)
    assert "nothing was recorded" in result.out
    assert "little@1" in project.path.joinpath("page.html").read_text()
    assert not project.path.joinpath("cicd/ml/reports/drift_report.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing", "--current", "data/quiet.csv"), "there is no lifecycle 'nothing' here"),
        (("little@1", "--current", "data/quiet.csv"), "name the lifecycle"),
        (("little",), "--current"),
        (("little", "--current", "data/none.csv"), "no such file"),
    ],
)
def test_what_cannot_be_scanned_is_refused_and_nothing_is_recorded(project, arguments, said):
    before = project.state()
    result = project.tell("drift", *arguments)
    assert (result.status, project.state()) == (2, before), result.said
    assert said in result.said


def test_a_summary_that_was_changed_or_is_gone_is_found_and_not_used(project):
    path = project.path / MODEL / "summary.json"
    data = path.read_bytes()
    path.parent.chmod(0o755)
    path.chmod(0o644)
    path.write_bytes(data.replace(b'"missing":0', b'"missing":1', 1))
    for arguments in (("verify",), ("drift", "little", "--current", "data/quiet.csv")):
        result = project.tell(*arguments)
        assert result.status == 4, result.said
        assert "summary of the training data" in result.said
    path.unlink()
    assert project.tell("verify").status == 4


def test_a_scan_that_says_less_than_its_report_is_found_though_the_verifier_signed_it(project):
    drift(project, "odd")
    drift(project, "quiet")
    assert project.tell("verify", "--decisions").status == 0
    with Ledger.open(Layout.of(project.path), KeyStore()) as ledger:
        seen = ledger.entry(ledger.state.size - 2)
        quiet = {**seen.predicate, "verdict": "pass", "signs": [], "confirms": None}
        forged = Draft("DriftScanned", seen.predicate_type, quiet, seen.subject, lifecycle_id="little", version=1)
        ledger.append(lambda _: forged)
    assert project.tell("doctor", "--repair").status == 0
    assert project.verifies(), "the law admits it"
    told = project.tell("verify", "--decisions")
    assert told.status == 4
    assert "its scan says verdict 'pass', but from its report and the labels follows 'fail'" in told.said


def test_the_way_out_has_an_order_and_ends_ready(project):
    drift(project, "wild")
    assert project.tell("run", project.plan(seed=5)).status == 3
    shown = project.tell("diff", "little", "--json").document
    assert (shown["verdict"], shown["reference_path"]) == ("fail", "the training data of little@1")
    assert shown["current_path"] == "data/wild.csv"
    assert "noa investigate little" in project.tell("doctor").out
    early = project.tell("enable", "little@2", "--reason", "quick")
    assert early.status == 5
    assert "nobody has investigated the incident" in early.said
    assert "noa investigate little" in early.said
    looked = project.tell("investigate", "little", "--finding", "the sensor was moved")
    assert looked.status == 0, looked.said
    assert "investigated by entry" in project.tell("show", "little").out
    assert project.tell("enable", "little@2", "--reason", "quick").status == 5, "it was submitted before"
    again = project.tell("drift", "little", "--current", "data/wild.csv", "--dry-run").out
    assert "noa investigate" not in again, "nobody can look twice"
    assert "3. noa run PLAN" in again

    assert "put data of now where the plan's evaluation data lie" in project.tell("doctor").out
    project.write("data/now.csv", rows(100, 21))
    same = project.tell("run", project.plan(seed=6))
    assert same.status == 3, same.said
    assert (
        "measured on the data that @1 was measured on"
        in project.tell("enable", "little@3", "--reason", "same data").said
    )
    evaluation = {"dataset_path": "data/now.csv", "metric_thresholds": {"roc_auc": 0.8}}
    assert project.tell("run", project.plan(seed=7, evaluation=evaluation)).status == 3
    assert "noa enable little@4" in project.tell("doctor").out
    done = project.tell("enable", "little@4", "--reason", "measured on data of now")
    assert done.status == 0, done.said
    assert "little@4 is the champion" in done.out
    view = project.tell("show", "little", "--json").document
    assert (view["champion"]["version"], view["rollout"]) == (
        4,
        {"status": "ready", "incident": None, "suspect": False, "override": None, "deployed": []},
    )
    assert ", enabled" in project.tell("show", "little").out
    assert view["champion"]["proven"]["roc_auc"]["version"] == 4, "after drift the model that is enabled begins anew"
    assert project.tell("verify", "--decisions").status == 0
    assert project.verifies()
    assert drift(project, "quiet").status == 0
    assert project.tell("rollback", "little", "--reason", "after all").status == 0
    assert project.champion() == 1


def test_an_investigation_can_be_signed_elsewhere(project):
    drift(project, "wild")
    file = str(project.path / "finding.request")
    assert project.tell("investigate", "little", "--finding", "moved", "--request", file).status == 0
    assert project.last_entry()[0] == "DriftScanned"
    assert project.tell("investigate", "little", "--admit", file).status == 0
    assert project.last_entry()[0] == "Investigated"


def test_what_is_not_blocked_is_neither_investigated_nor_enabled(project):
    before = project.state()
    assert "has no open incident to show" in project.tell("diff", "little").said
    assert "has no open incident" in project.tell("investigate", "little", "--finding", "x").said
    assert "is champion" in project.tell("enable", "little@1", "--reason", "x").said
    assert "name the version" in project.tell("enable", "little", "--reason", "x").said
    assert project.state() == before


def test_a_plan_that_speaks_of_a_column_that_is_not_there_runs_nothing(project):
    before = project.state()
    result = project.tell("run", project.plan(drift={"overrides": {"z": {"gate": False}}}))
    assert (result.status, project.state()) == (2, before), result.said
    assert "drift.overrides names the column 'z'" in result.said
