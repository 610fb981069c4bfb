"""Against the gate's word: measured again, put in force by an operator for a time, seen everywhere, and gone when it ends."""

import json
import shutil
import time

import pytest

import noa_mlops
from end_to_end.projects import rows, window

WORSE = 'awk -F, \'END { print 0.9 }\' "$NOA_DATA" > "$NOA_OUT/cut"\n'
"""A model that answers nearly always the same."""

FLAT = """\
awk -F, 'NR == 1 { print "p_0,p_1"; next } { p = 0.4 + 0.2 * (($1 * 7919) % 1); print 1 - p "," p }' "$NOA_DATA" > "$NOA_OUT/predictions.csv"
"""
"""A predictor that knows nothing."""


@pytest.fixture
def rejected(promoted):
    """Version 2 was rejected; version 1 is the champion."""
    promoted.programs(train=WORSE, predict=FLAT)
    promoted.plan()
    promoted.done("run", "plan.json", status=3)
    return promoted


def test_what_was_not_measured_again_is_not_overridden(rejected):
    before = rejected.state()
    refused = rejected.done("override", "little@2", "--expires", "7d", "--reason", "we need it", status=5)
    assert "was not measured again after its decision" in refused.said
    assert "noa evaluate little@2" in refused.said
    assert rejected.state() == before


def test_a_rejected_version_is_in_force_until_the_override_expires_and_everybody_sees_it(rejected):
    assert "fail" in rejected.done("evaluate", "little@2", status=3).said.lower()
    rejected.done("override", "little@2", "--expires", "4s", "--reason", "the old one crashes")
    expires = time.monotonic() + 4
    status = rejected.done("status").said
    assert "READY" in status
    assert "by override" in status
    assert "the old one crashes" in status
    for name in ("little", "little@2"):
        assert "the old one crashes" in rejected.done("show", name).said
    noted = rejected.done("audit", status=4).said
    assert "little@2 is in force by override" in noted
    assert "the old one crashes" in noted
    mirrored = json.loads((rejected.path / "registry/ml_artifacts.log").read_text().splitlines()[-1])
    assert mirrored["type"] == "Overridden"
    assert mirrored["rollout"].keys() == {"champion", "status", "until"}
    assert (mirrored["rollout"]["champion"], mirrored["rollout"]["status"]) == (2, "ready")
    model = noa_mlops.load("little", project=rejected.path)
    assert model.version == 2
    rejected.done("verify", "--decisions")
    time.sleep(max(0, expires - time.monotonic()) + 0.1)
    assert "BLOCKED" in rejected.done("status").said
    assert "expired" in rejected.done("show", "little").said
    assert "which expired" in rejected.done("audit", status=4).said
    assert rejected.champion() == 2
    rejected.done("verify", "--decisions")


def test_a_version_that_passes_takes_its_place_by_a_decision(rejected):
    rejected.done("evaluate", "little@2", status=3)
    rejected.done("override", "little@2", "--expires", "1h", "--reason", "for now")
    rejected.programs()
    rejected.plan(seed=5)
    rejected.done("run", "plan.json")
    view = rejected.done("show", "little", "--json").document
    assert view["champion"]["version"] == 3
    assert view["rollout"] == {"status": "ready", "incident": None, "suspect": False, "override": None, "deployed": []}
    rejected.done("verify", "--decisions")


def test_going_back_ends_it_and_the_rollout_is_as_it_was(rejected):
    rejected.done("evaluate", "little@2", status=3)
    rejected.done("override", "little@2", "--expires", "1h", "--reason", "for now")
    rejected.done("rollback", "little", "--to", "1", "--reason", "it was no good idea")
    view = rejected.done("show", "little", "--json").document
    assert (view["champion"]["version"], view["rollout"]["status"], view["rollout"]["override"]) == (1, "ready", None)


def test_measuring_again_is_a_look_and_changes_no_decision(rejected):
    again = rejected.done("evaluate", "little@2", "--json", status=3).document
    assert again["look"] == 2
    assert again["verdict"]["verdict"] == "fail"
    view = rejected.done("show", "little@2", "--json").document
    assert view["state"] == "rejected"
    assert view["measured_again"]["entry"] == again["entry"]
    assert rejected.champion() == 1
    rejected.done("verify", "--decisions")


def test_the_champion_is_measured_again_beside_nobody_on_the_data_of_now(promoted):
    promoted.write("data/eval.csv", rows(1500, 77))
    again = promoted.done("evaluate", "little@1", "--json").document
    assert again["rows"] == 1500
    assert again["verdict"]["verdict"] == "pass"
    assert promoted.last_entry()[1]["champion"] is None
    promoted.done("verify", "--decisions")


def test_after_a_false_alarm_the_champion_is_enabled_once_it_passes_on_data_of_now(promoted):
    promoted.write("data/moved.csv", window(14, moved=0.5))
    promoted.done("drift", "little", "--current", "data/moved.csv", status=3)
    promoted.done("investigate", "little", "--finding", "the export was wrong, the world is as it was")
    promoted.done("evaluate", "little@1")
    old = promoted.done("enable", "little@1", "--reason", "all is well", status=5)
    assert "measured on the data that @1 was measured on" in old.said
    promoted.write("data/eval.csv", rows(1300, 21))
    promoted.done("evaluate", "little@1")
    promoted.done("enable", "little@1", "--reason", "all is well")
    view = promoted.done("show", "little", "--json").document
    assert (view["champion"]["version"], view["rollout"]["status"], view["rollout"]["incident"]) == (1, "ready", None)
    promoted.done("verify", "--decisions")


def test_a_run_after_that_is_a_new_version(rejected):
    rejected.done("evaluate", "little@2", status=3)
    rejected.done("run", "plan.json", status=3)
    view = rejected.done("show", "little", "--json").document
    assert [version["version"] for version in view["versions"]] == [3, 2, 1]


def test_would_it_have_passed_is_asked_without_writing(promoted):
    promoted.plan("strict.json", evaluation={"dataset_path": "data/eval.csv", "metric_thresholds": {"roc_auc": 0.9999}})
    before = promoted.state()
    told = promoted.done("evaluate", "little@1", "--as", "strict.json", status=3)
    assert "nothing was written" in told.said
    promoted.done("evaluate", "little@1", "--as", "plan.json")
    assert promoted.state() == before


@pytest.mark.parametrize(
    ("arguments", "status", "match"),
    [
        (("evaluate", "little"), 2, "name the version"),
        (("evaluate", "little@9"), 2, "there is no little@9"),
        (("evaluate", "other@1"), 2, "there is no other@1"),
        (("override", "little", "--expires", "7d", "--reason", "x"), 2, "name the version"),
        (("override", "little@2", "--reason", "x"), 2, "an override needs an end"),
        (("override", "little@2", "--expires", "soon", "--reason", "x"), 2, "must be a duration"),
        (("override", "little@2", "--expires", "91d", "--reason", "x"), 5, "up to 90 days"),
        (("override", "little@2", "--expires", "7d"), 2, "a decision needs --reason"),
        (("override", "little@1", "--expires", "7d", "--reason", "x"), 5, "nothing stands in its way"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(rejected, arguments, status, match):
    before = rejected.state()
    assert match in rejected.done(*arguments, status=status).said
    assert rejected.state() == before


def test_what_it_learned_from_must_be_there_unchanged(rejected):
    rejected.write("data/train.csv", rows(150, 9))
    before = rejected.state()
    assert "training data of little@2 changed" in rejected.done("evaluate", "little@2", status=2).said
    assert rejected.state() == before


def test_a_model_whose_workspace_was_removed_cannot_be_measured(rejected):
    for folder in (rejected.path / "storage/artifacts/workspaces").iterdir():
        shutil.rmtree(folder)
    gone = rejected.done("evaluate", "little@2", status=2)
    assert "is not here any more" in gone.said
