"""`noa operate`: scans what arrives, blocks, retrains once somebody has looked, and waits for people where it must."""

import json
import shutil
import signal
import time

import pytest

from end_to_end.projects import PLAN, TRAIN, Project, lay_out, rows, until, window
from noa_mlops.errors import LedgerConflict
from noa_mlops.ledger import Ledger
from noa_mlops.lifecycle import granting
from noa_mlops.lifecycle.acts import record
from noa_mlops.lifecycle.incidents import request_enabling
from noa_mlops.records.layout import Layout

NOW = {**PLAN["evaluation"], "dataset_path": "data/now.csv"}
WAITS = 'until [ -e "$NOA_CHECKPOINT/go" ]; do sleep 0.05; done\n'


def once(project, status=0):
    """One round, with every file taken for whole."""
    return project.done("operate", "--once", "--poll", "0s", status=status)


def kinds(project):
    """The types of the entries after the first champion."""
    return [entry["noa_entry"]["type"] for entry in project.entries()][5:]


def scans(project):
    """The data of every scan, in order."""
    return [e["predicate"]["dataset"] for e in project.entries() if e["noa_entry"]["type"] == "DriftScanned"]


def states(project):
    """The states of the versions, from 1 on."""
    versions = project.tell("show", "little", "--json").document["versions"]
    return [version["state"] for version in reversed(versions)]


def schedule(project, **task):
    usual = {"data": "data/arrivals/*.csv", "plan": "plan.json"}
    project.write("noa.yaml", json.dumps({"name": "project", "schedule": {"little": {**usual, **task}}}))


@pytest.fixture(scope="session")
def operated(once):
    """A project with a champion and a schedule; two windows have arrived."""

    def make(folder):
        project = lay_out(folder / "project")
        project.write("data/train.csv", rows(2000, 1))
        for arguments in (("init",), ("run", "plan.json")):
            project.done(*arguments)
        schedule(project)
        project.write("data/arrivals/1.csv", window(11))
        project.write("data/arrivals/2.csv", window(14, moved=0.5))

    return once("operated", make)


@pytest.fixture
def project(home, operated):
    for name in ("project", "keys"):
        shutil.copytree(operated / name, home / name, symlinks=True)
    return Project(home / "project")


@pytest.fixture
def investigated(project):
    """Its rollout is blocked, somebody has looked, and the plan names data of now."""
    once(project, 3)
    project.done("investigate", "little", "--finding", "the sensor was moved")
    project.write("data/now.csv", rows(1200, 21))
    project.plan(evaluation=NOW)
    return project


def test_it_scans_blocks_waits_for_people_retrains_and_proposes(project):
    first = once(project, 3)
    assert "scanned data/arrivals/1.csv: pass, entry" in first.out
    assert "scanned data/arrivals/2.csv: fail, and the rollout is blocked" in first.out
    assert 'noa investigate little --finding "..."' in first.out
    assert kinds(project) == ["DriftScanned", "DriftScanned"], "nothing is trained before somebody has looked"
    project.done("investigate", "little", "--finding", "the sensor was moved")
    assert "name data of now" in once(project, 3).out, "the plan would be measured on the champion's data"
    project.write("data/now.csv", rows(1200, 21))
    project.plan(evaluation=NOW)
    proposed = once(project, 3)
    assert "runs plan.json: the incident was investigated" in proposed.out
    assert 'little@2 passed and is held: noa enable little@2 --reason "..."' in proposed.out
    before = len(project.entries())
    once(project, 3)
    assert len(project.entries()) == before, "nothing is done twice"
    assert project.tell("status", "--json").document["loop"] is None
    project.done("enable", "little@2", "--reason", "measured on data of now")
    assert "waits: new data" in once(project).out
    project.write("data/arrivals/3.csv", window(17))
    once(project)
    assert [scan["path"] for scan in scans(project)] == [f"data/arrivals/{number}.csv" for number in (1, 2, 3)]
    lines = (project.path / "cicd/ml/reports/drift_report.jsonl").read_text().splitlines()
    assert (len(lines), project.champion(), project.verifies()) == (3, 2, True)


def test_it_scans_no_more_often_than_is_scheduled(project):
    schedule(project, every="1h")
    once(project, 3)
    assert len(scans(project)) == 2, "what has arrived by then is scanned at once"
    project.write("data/arrivals/3.csv", window(17))
    once(project, 3)
    assert len(scans(project)) == 2
    schedule(project, every="1s")
    time.sleep(1)
    once(project, 3)
    assert len(scans(project)) == 3


def test_a_data_file_is_a_new_window_when_its_content_changed(project):
    schedule(project, data="data/now.csv")
    for seed in (11, 12):
        path = project.write("data/now.csv", window(seed))
        once(project)
        path.touch()
        once(project)
    assert [scan["path"] for scan in scans(project)] == ["data/now.csv"] * 2


def test_a_definition_is_a_new_window_when_a_file_that_it_names_changed(project):
    project.write("data/now.dataset.yaml", "files: [data/a.csv, data/b.csv]\n")
    schedule(project, data="data/*.dataset.yaml")
    project.write("data/a.csv", window(11))
    assert "data/b.csv: no such file" in once(project, 2).out
    for seed in (12, 13):
        project.write("data/b.csv", window(seed))
        once(project)
        once(project)
    assert [scan["rows"] for scan in scans(project)] == [4000, 4000]


def test_windows_may_lie_in_a_data_root_of_the_policy_and_nowhere_else_outside(project, home):
    (home / "feed").mkdir()
    (home / "feed/1.csv").write_text(window(11))
    schedule(project, data=f"{home}/feed/*.csv")
    assert "lies outside the project" in once(project, 2).out
    policy = project.path / "policy.yaml"
    policy.write_text(policy.read_text().replace("data_roots: []", f"data_roots: [{home}/feed]"))
    project.done("policy", "sign")
    once(project)
    assert [scan["path"] for scan in scans(project)] == [f"{home}/feed/1.csv"]


def test_what_a_plan_came_to_is_not_tried_again_until_something_changed(investigated):
    project = investigated
    strict = {**NOW, "metric_thresholds": {"roc_auc": 0.9999}}
    project.plan(evaluation=strict)
    assert "is rejected; new data, or another plan.json" in once(project, 3).out
    once(project, 3)
    assert states(project) == ["champion", "rejected"]
    project.write("data/now.csv", rows(1200, 22))
    assert "its evaluation data changed" in once(project, 3).out
    assert states(project) == ["champion", "rejected", "rejected"]


def test_a_training_that_failed_is_tried_again_when_it_is_due_and_not_before(investigated):
    project = investigated
    project.programs(train="exit 3\n")
    assert "little@2 failed: noa logs little@2; it is tried again at" in once(project, 3).out
    once(project, 3)
    assert states(project) == ["champion", "failed"]
    schedule(project, every="1s")
    time.sleep(1)
    once(project, 3)
    assert states(project) == ["champion", "failed", "failed"]


def test_with_retrain_new_data_make_a_new_version_and_old_data_make_none(project):
    schedule(project, data="data/none/*.csv", retrain=True)
    once(project)
    assert states(project) == ["champion"]
    project.write("data/train.csv", rows(2100, 31))
    assert "runs plan.json: its training data changed" in once(project).out
    once(project)
    assert states(project) == ["former", "champion"]
    schedule(project, data="data/none/*.csv", retrain=True, every="1h")
    project.write("data/train.csv", rows(2100, 32))
    assert "its training data changed: plan.json is run at" in once(project).out
    assert states(project) == ["former", "champion"]


def test_with_retrain_a_lifecycle_begins_by_itself(home):
    project = lay_out(home / "fresh")
    project.done("init")
    schedule(project, retrain=True)
    assert "nothing was made by it yet" in once(project).out
    assert states(project) == ["champion"]


def test_what_fails_for_one_is_told_and_stops_no_other(project):
    project.write("data/arrivals/0.csv", "x,y\n1\n")
    tasks = {
        "other": {"data": "data/none.csv", "plan": "none.yaml", "retrain": True},
        "little": {"data": "data/arrivals/*.csv"},
    }
    project.write("noa.yaml", json.dumps({"name": "project", "schedule": tasks}))
    lines = [
        json.loads(line)
        for line in project.done("operate", "--once", "--poll", "0s", "--json", status=3).out.splitlines()
    ]
    told = [(line["lifecycle_id"], line["event"]) for line in lines]
    assert told == [
        ("other", "failed"),
        ("little", "failed"),
        ("little", "scanned"),
        ("little", "scanned"),
        ("little", "waits"),
    ]
    assert "none.yaml" in lines[0]["text"]
    assert "data/arrivals/0.csv" in lines[1]["text"]


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(project):
    before = project.state()
    said = project.done("operate", "--dry-run", "--poll", "0s").out
    assert "little  would scan data/arrivals/1.csv" in said
    assert "is still being written" in project.done("operate", "--dry-run", "--poll", "1h").out
    document = project.done("operate", "--dry-run", "--poll", "0s", "--json").document
    assert document["lifecycles"][0]["scans"] == ["data/arrivals/1.csv", "data/arrivals/2.csv"]
    assert (project.state(), (project.path / "storage/operate.lock").exists()) == (before, False)


def test_nothing_to_operate_is_said(project):
    project.write("noa.yaml", "name: project\n")
    assert "schedules nothing" in project.done("operate", "--once", status=2).err
    project.write("noa.yaml", "name: project\nschedule:\n  little: {dat: x}\n")
    assert "noa.yaml:3:12  unknown field 'schedule.little.dat'" in project.done("operate", "--once", status=2).err


def grant(project):
    """Give the loop a key of its own, by a policy that root signs."""
    project.done("keys", "new", "loop")
    project.done("policy", "sign")


def test_it_enables_by_itself_only_where_the_policy_grants_it(investigated):
    project = investigated
    once(project, 3)
    assert states(project) == ["champion", "held"], "the operator's key is here, and is not the loop's"
    grant(project)
    assert "little@2 is the champion" in once(project).out
    assert (states(project), project.verifies()) == (["former", "champion"], True)
    policy = json.loads(project.tell("keys", "list", "--json").out)
    [key] = [key["keyid"] for key in policy if key["roles"] == ["loop"]]
    signed = project.entries()[-1]["predicate"]["act"]["signatures"]
    assert [signature["keyid"] for signature in signed] == [key]
    assert "enabled little@2 by the loop's key, as the policy grants it" in project.done("audit", status=4).out


def test_a_grant_reaches_no_version_that_asks_for_people(investigated):
    project = investigated
    grant(project)
    project.plan(evaluation=NOW, approvals={"required": 1})
    assert "not by the loop: it waits for people's approval" in once(project, 3).out
    assert states(project) == ["champion", "held"]


def test_the_law_counts_the_key_of_the_loop_for_nothing_that_people_must_say(investigated):
    project = investigated
    grant(project)
    project.plan(evaluation=NOW, approvals={"required": 1})
    once(project, 3)
    ledger = Ledger.read_only(Layout.of(project.path))
    request = request_enabling(ledger, "little", 2, "as if it were a person")
    signed = granting._sign(request, granting._role(ledger), ledger, None)
    assert signed.signed.signers
    with pytest.raises(LedgerConflict, match="nobody whose approval counts"):
        record(ledger.layout, signed)
    assert states(project) == ["champion", "held"]


def test_a_grant_whose_key_is_elsewhere_enables_nothing(investigated):
    project = investigated
    grant(project)
    [folder] = (project.path.parent / "keys").iterdir()
    named = {path.name for path in folder.iterdir()}
    for name in named - {"verifier.pem", "operator.pem", "root.pem", "model.pem"}:
        (folder / name).unlink()
    assert "whose key is not on this machine" in once(project, 3).out
    assert states(project) == ["champion", "held"]


@pytest.fixture
def running(project):
    """Starts the loop as a process of its own, looking every second."""
    return lambda *more: project.start("operate", "--poll", "1s", *more)


def end(process, number):
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    return process.returncode, out


def test_a_file_is_read_when_nobody_writes_it_any_more_and_settings_are_read_again(project, running):
    shutil.rmtree(project.path / "data/arrivals")
    loop = running("--json")
    assert json.loads(loop.stdout.readline())["text"] == "waits: new data"
    project.write("data/arrivals/0.csv", "x,y\n1\n")
    assert "data/arrivals/0.csv" in json.loads(loop.stdout.readline())["text"]
    assert json.loads(loop.stdout.readline())["event"] == "waits"  # read here: `end` does not see what was buffered
    content = window(12).encode()
    path = project.write("data/arrivals/1.csv", b"")
    parts = 12
    for part in range(parts):
        with path.open("ab") as stream:
            stream.write(content[part * len(content) // parts : (part + 1) * len(content) // parts])
        time.sleep(0.2)
    until(lambda: scans(project))
    assert [(scan["path"], scan["rows"]) for scan in scans(project)] == [("data/arrivals/1.csv", 2000)]
    project.write("noa.yaml", "name: project\nschedule: {little: {dta: x}}\n")
    project.write("data/arrivals/2.csv", window(13))
    until(lambda: len(scans(project)) == 2)
    project.write("data/now.csv", window(15))
    schedule(project, data="data/now.csv")
    until(lambda: len(scans(project)) == 3)
    status, out = end(loop, signal.SIGINT)
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["event"] for line in lines] == ["scanned", "failed", "scanned", "scanned", "stopped"]
    assert (status, lines[-1]["exit"]) == (130, 130)


def test_there_is_one_loop_and_its_status_is_seen(project, running):
    loop = running()
    until(lambda: "investigate" in project.tell("status").out.partition("noa operate runs as process")[2])
    assert f"noa operate runs as process {loop.pid} since" in project.tell("status").out
    second = project.done("operate", "--once", status=5)
    assert f"noa operate runs here already, as process {loop.pid}" in second.err
    loop.kill()
    loop.wait()
    assert project.tell("status", "--json").document["loop"] is None
    assert once(project, 3).status == 3


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_stopped_or_killed_while_it_trains_it_goes_on_with_the_same_version(investigated, running, number, status):
    project = investigated
    project.programs(train=WAITS + TRAIN)
    loop = running()
    until(lambda: project.workspace("little-2").joinpath("stdout.log").exists())
    assert end(loop, number)[0] == status
    assert kinds(project)[-1] == "Submitted"
    project.workspace("little-2").joinpath("checkpoint/go").touch()
    once(project, 3)
    once(project, 3)
    assert states(project) == ["champion", "held"]
    assert kinds(project).count("PromotionReady") == 1
    assert len(scans(project)) == 2
    assert project.verifies()


def test_a_version_that_somebody_else_runs_is_left_to_them(investigated):
    project = investigated
    project.programs(train=WAITS + TRAIN)
    run = project.start("run", "plan.json")
    until(lambda: project.workspace("little-2").joinpath("stdout.log").exists())
    assert "little@2 is being run by another process" in once(project, 3).out
    project.workspace("little-2").joinpath("checkpoint/go").touch()
    assert run.wait(60) == 3
    assert "little@2 passed and is held" in once(project, 3).out


def test_a_plan_of_another_lifecycle_is_never_run(project):
    project.plan("other.json", lifecycle_id="other")
    schedule(project, data="data/none/*.csv", plan="other.json", retrain=True)
    assert "other.json is a plan of other, and noa.yaml schedules it for little" in once(project, 2).out
    assert len(project.entries()) == 5


def test_data_of_the_plan_that_cannot_be_read_are_told_once_and_read_again_when_they_changed(project, running):
    schedule(project, data="data/none/*.csv", retrain=True)
    project.write("data/train.csv", "x,y\n1\n")
    loop = running("--json")
    while (first := json.loads(loop.stdout.readline()))["event"] == "waits":
        assert "still being written" in first["text"]
    assert (first["event"], first["exit"]) == ("failed", 2)
    time.sleep(2.5)
    project.write("data/train.csv", rows(2100, 31))
    until(lambda: states(project) == ["former", "champion"])
    _, out = end(loop, signal.SIGTERM)
    told = [json.loads(line)["event"] for line in out.splitlines()]
    assert "failed" not in told
    assert told.count("retrained") == 1


def test_a_retraining_that_shows_that_the_champion_dropped_blocks_and_is_no_window(project):
    shutil.rmtree(project.path / "data/arrivals")
    schedule(project, retrain=True, every="1h")
    project.write("data/now.csv", window(32, labels=lambda x: x < 0.6))
    project.plan(evaluation=NOW)
    assert "waits: blocked by entry" in once(project, 3).out
    [scan] = scans(project)
    assert scan["path"] == "data/now.csv"
    project.write("data/arrivals/1.csv", window(11))
    once(project, 3)
    assert [scan["path"] for scan in scans(project)] == ["data/now.csv", "data/arrivals/1.csv"]
    assert len(states(project)) == 2, "nothing is trained before somebody has looked"
