"""Views give the state of a project as plain documents that scripts can rely on."""

from __future__ import annotations

import json

import pytest

from noa_mlops.audit.views import lifecycle_view, project_view, version_view
from noa_mlops.errors import NotFound
from noa_mlops.ledger import Ledger

VERSION = {"version", "state", "profile", "agent_id", "plan_digest", "checksum", "approvals"}


@pytest.fixture
def ledger(audited):
    return Ledger.read_only(audited.layout)


def test_a_project_lists_its_lifecycles_in_short(ledger):
    view = project_view(ledger)
    assert view.keys() == {"origin", "solo_mode", "entries", "lifecycles"}
    assert view["origin"] == ledger.origin
    assert view["solo_mode"] is True
    assert view["entries"] == ledger.state.size
    assert [lifecycle["lifecycle_id"] for lifecycle in view["lifecycles"]] == ["little"]


def test_a_lifecycle_has_the_promised_members(ledger):
    view = lifecycle_view(ledger, "little")
    assert view.keys() == {"lifecycle_id", "champion", "rollout", "versions"}
    assert view["rollout"] == {"status": "ready", "incident": None, "suspect": False, "override": None, "deployed": []}
    assert view["champion"].keys() == {*VERSION, "since", "metrics", "thresholds", "no_gate", "proven"}
    assert (view["champion"]["version"], view["champion"]["profile"]) == (1, "command")
    assert [(version["version"], version["state"]) for version in view["versions"]] == [
        (3, "failed"),
        (2, "rejected"),
        (1, "champion"),
    ]


def test_a_promoted_version_shows_data_metrics_decision_and_entries(ledger):
    view = version_view(ledger, "little", 1)
    assert view["state"] == "champion"
    assert view["submitted"]["datasets"]["evaluation"]["path"] == "data/eval.csv"
    assert view["submitted"]["code"][0]["path"] == "src/train.sh"
    assert view["training"]["cause"] == "completed"
    assert view["evaluation"]["metrics"]["roc_auc"] > 0.8
    assert view["evaluation"]["rows"] == 1200
    assert (view["decision"]["status"], view["decision"]["verdict"]) == ("ready", "pass")
    assert view["decision"]["thresholds"] == {"roc_auc": {"min": 0.8}}
    assert view["decided_by"] == view["entries"][-1]["keyid"]
    assert [entry["type"] for entry in view["entries"]] == [
        "Submitted",
        "TrainingCompleted",
        "EvaluationLogged",
        "PromotionReady",
    ]
    assert "failure" not in view


def test_a_rejected_version_shows_what_it_violated(ledger):
    view = version_view(ledger, "little", 2)
    assert (view["state"], view["decision"]["status"]) == ("rejected", "blocked")
    assert view["decision"]["reasons"] == ["threshold"]
    assert view["decision"]["violations"][0]["metric"] == "roc_auc"


def test_a_failed_version_shows_cause_and_message(ledger):
    view = version_view(ledger, "little", 3)
    assert view["failure"]["cause"] == "exit_status"
    assert "no luck" in view["failure"]["message"]
    assert view["checksum"] is None
    assert "decision" not in view


def test_every_view_is_a_json_document(ledger):
    views = [project_view(ledger), lifecycle_view(ledger, "little")]
    views += [version_view(ledger, "little", version) for version in (1, 2, 3)]
    for view in views:
        assert json.loads(json.dumps(view, allow_nan=False)) == view


def test_a_project_shows_only_the_newest_versions_of_a_lifecycle(ledger):
    assert len(project_view(ledger)["lifecycles"][0]["versions"]) == 3


@pytest.mark.parametrize("name", ["large", "Little", "", "../little"])
def test_an_unknown_lifecycle_is_not_found(ledger, name):
    with pytest.raises(NotFound, match="there is no lifecycle"):
        lifecycle_view(ledger, name)
    with pytest.raises(NotFound, match="there is no lifecycle"):
        version_view(ledger, name, 1)


@pytest.mark.parametrize("version", [0, 4, -1, 1 << 60])
def test_an_unknown_version_is_not_found_and_the_newest_is_named(ledger, version):
    with pytest.raises(NotFound, match=rf"there is no little@{version}; the newest is @3"):
        version_view(ledger, "little", version)
