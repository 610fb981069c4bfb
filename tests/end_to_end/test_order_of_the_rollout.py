"""Every shortcut that somebody may try by a command, in every state on the way out: refused, with what to do instead.

Entries that are crafted past the commands are tried in `trust/test_order_of_the_rollout.py`.
"""

import json
import shutil
from pathlib import Path

import pytest

from end_to_end.projects import Project, rows, window
from trust.test_events_of_people import check_cloud_event

NOW = {"dataset_path": "data/now.csv", "metric_thresholds": {"roc_auc": 0.8}}
LOOK = 'noa investigate little --finding "..."'
RETRAIN = "Run a plan, with a gate and with evaluation data of now"


@pytest.fixture
def project(home, watched):
    """A project with a champion, whose rollout a scan has blocked."""
    for name in ("project", "keys"):
        shutil.copytree(watched / name, home / name, symlinks=True)
    project = Project(home / "project")
    project.write("data/wild.csv", window(14, moved=0.5))
    project.write("data/now.csv", rows(100, 21))
    project.done("drift", "little", "--current", "data/wild.csv", status=3)
    return project


def refused(project, *tries):
    """Each command ends as it must, says what to do, and changes nothing."""
    for arguments, status, said in tries:
        before = project.state()
        result = project.done(*arguments, status=status)
        assert said in result.said, (arguments, result.said)
        assert project.state() == before, arguments


def enable(version):
    return ("enable", f"little@{version}", "--reason", "it is late")


def rollout_is_blocked(project, to):
    """What must hold in every state before the way was gone to its end."""
    origin = project.done("status", "--json").document["origin"]
    pull = ("pull", "little", "--to", str(to), "--origin", origin)
    refused(
        project,
        (pull, 3, "What runs keeps running"),
        ((*pull, "--record", "production"), 3, "nothing new is rolled out"),
        (("gate", "little", "--origin", origin), 3, "BLOCKED"),
        (enable(9), 2, "there is no little@9 that was trained"),
    )
    assert not to.exists()


def test_no_command_leaves_out_a_step(project, tmp_path):
    to = tmp_path / "served"
    rollout_is_blocked(project, to)
    refused(
        project,
        (enable(1), 5, LOOK),
        (
            ("override", "little@1", "--expires", "7d", "--reason", "x"),
            5,
            "Measure it again first: noa evaluate little@1",
        ),
        (("rollback", "little", "--reason", "x"), 2, "there is none before it"),
        (("investigate", "other", "--finding", "x"), 2, "no lifecycle 'other'"),
    )
    held = project.done("run", project.plan(seed=5, evaluation=NOW), status=3)
    assert "drift" in held.said
    assert project.champion() == 1
    early = str(tmp_path / "early.request")
    refused(project, (enable(2), 5, LOOK), ((*enable(2), "--request", early), 5, LOOK))

    looked = str(tmp_path / "looked.request")
    project.done("investigate", "little", "--finding", "the sensor was moved", "--request", looked)
    project.done("investigate", "little", "--finding", "the sensor was moved")
    rollout_is_blocked(project, to)
    refused(
        project,
        (("investigate", "little", "--finding", "once more"), 5, "Next: noa run PLAN"),
        (enable(2), 5, RETRAIN),
        (enable(1), 5, RETRAIN),
    )
    stale = project.done("investigate", "little", "--admit", looked, status=5)
    assert "investigates what entry" in stale.said

    for changes, said in (
        ({"seed": 6}, "measured on the data that @1 was measured on"),
        ({"seed": 7, "evaluation": {"gate": "none", "reason": "it is late"}}, "passed no gate"),
        (
            {"seed": 8, "evaluation": {**NOW, "metric_thresholds": {"roc_auc": 0.9999}}},
            "is rejected and waits for nobody",
        ),
    ):
        project.done("run", project.plan(**changes), status=3)
        newest = max(version["version"] for version in versions(project))
        refused(project, (enable(newest), 5, said), (enable(newest), 5, RETRAIN))
    project.done("evaluate", "little@1")
    refused(project, (enable(1), 5, "measured on the data that @1 was measured on"))
    rollout_is_blocked(project, to)

    project.done("run", project.plan(seed=9, evaluation=NOW), status=3)
    project.done("drift", "little", "--current", "data/wild.csv", status=3)
    rollout_is_blocked(project, to)
    last = max(version["version"] for version in versions(project))
    project.done(*enable(last))
    assert (project.champion(), project.done("status").said.startswith("READY")) == (last, True)
    refused(project, (enable(last), 5, "is champion and waits for nobody"))
    project.done("verify", "--decisions")
    told = [
        json.loads(line)
        for line in project.done("watch", "--since", "0", "--no-follow", "--cloudevents").out.splitlines()
    ]
    for event in told:
        check_cloud_event(event)
    kinds = {event["type"].removeprefix("noa.lifecycle."): event["data"] for event in told}
    assert {"PromotionReady", "DriftScanned", "Investigated", "RolloutEnabled"} <= kinds.keys()
    assert (kinds["DriftScanned"]["status"], kinds["DriftScanned"]["reasons"]) == ("blocked", ["drift"])


def versions(project):
    return project.done("show", "little", "--json").document["versions"]


def test_the_override_is_the_short_cut_and_is_seen_wherever_somebody_looks(project, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    origin = project.done("status", "--json").document["origin"]
    pull = ("pull", "little", "--to", str(tmp_path / "served"), "--origin", origin)
    project.done("evaluate", "little@1")
    project.done("override", "little@1", "--expires", "7d", "--reason", "the farms need a forecast")
    page = tmp_path / "page.html"
    project.done("show", "little@1", "--html", str(page))
    seen = {
        "status": project.done("status").said,
        "show": project.done("show", "little").said,
        "version": project.done("show", "little@1").said,
        "audit": project.tell("audit").said,
        "page": page.read_text(),
    }
    assert [place for place, said in seen.items() if "the farms need a forecast" not in said] == []
    assert "by override until" in project.done("gate", "little", "--origin", origin).said
    assert "by override until" in Path(tmp_path / "summary").read_text()
    mirrored = json.loads((project.path / "registry/ml_artifacts.log").read_text().splitlines()[-1])
    assert mirrored["type"] == "Overridden"
    assert mirrored["rollout"].keys() == {"champion", "status", "until"}
    assert "Overridden" in project.done("watch", "--since", "0", "--no-follow").said
    assert "the rollout is ready by override, until" in project.done(*pull).said
    assert project.done(*pull, "--json").document["until"] == mirrored["rollout"]["until"]
    assert "nobody has investigated" in project.done("show", "little").said, "the incident stays open"
    joined = project.done("drift", "little", "--current", "data/wild.csv", "--json").document
    assert (joined["blocks"], joined["rollout"]) == (True, "ready"), "what joins the incident takes no override away"
    project.done("run", project.plan(seed=5, evaluation=NOW), status=3)
    assert project.champion() == 1, "what passes is held"
