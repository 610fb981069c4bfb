"""Which model was in force then, who decided it, and on which data."""

import time
from datetime import UTC, datetime

import pytest

from end_to_end.projects import rows


def moment():
    """A time between what was recorded and what will be."""
    time.sleep(0.05)
    now = datetime.now(UTC).isoformat()
    time.sleep(0.05)
    return now


def then(project, at):
    return project.done("show", "little", "--at", at, "--json").document


def test_every_champion_is_found_again_with_who_decided_and_on_which_data(promoted):
    first = moment()
    promoted.write("data/eval.csv", rows(1300, 8))
    promoted.done("run", promoted.plan(seed=2))
    second = moment()
    promoted.done("rollback", "little", "--reason", "worse by the sea")
    third = moment()
    found = [then(promoted, at)["champion"] for at in (first, second, third)]
    assert [champion["version"] for champion in found] == [1, 2, 1]
    assert [champion["datasets"]["evaluation"]["rows"] for champion in found] == [1200, 1300, 1200]
    assert [champion["decided"]["type"] for champion in found] == ["PromotionReady", "PromotionReady", "RolledBack"]
    assert [champion["decided"]["by"][0]["roles"] for champion in found] == [["verifier"], ["verifier"], ["operator"]]
    assert found[2]["decided"]["reason"] == "worse by the sea"
    said = promoted.done("show", "little", "--at", third).said
    assert "worse by the sea" in said
    assert "operator" in said


def test_an_override_is_seen_as_it_was_then(promoted):
    promoted.plan(evaluation={"dataset_path": "data/eval.csv", "metric_thresholds": {"roc_auc": 0.9999}})
    promoted.done("run", "plan.json", status=3)
    before = moment()
    promoted.done("evaluate", "little@2", status=3)
    promoted.done("override", "little@2", "--expires", "2s", "--reason", "for the night")
    during = moment()
    time.sleep(2.1)
    after = moment()
    assert [then(promoted, at)["rollout"]["status"] for at in (before, during, after)] == ["ready", "ready", "blocked"]
    assert then(promoted, before)["rollout"]["override"] is None
    assert [then(promoted, at)["rollout"]["override"]["expired"] for at in (during, after)] == [False, True]


def test_before_the_first_champion_there_was_none(folder):
    folder.done("init")
    started = moment()
    assert "nothing was recorded" in folder.done("show", "little", "--at", started, status=2).said
    folder.programs(train="exit 1\n")
    folder.done("run", "plan.json", status=6)
    failed = moment()
    assert then(folder, failed)["champion"] is None
    assert "none" in folder.done("show", "little", "--at", failed).said


@pytest.mark.parametrize(
    ("at", "match"),
    [
        ("yesterday", "is no time like"),
        ("2026-11-01T12:00", "names no time zone"),
        ("2026-11-01", "names no time zone"),
        ("2999-01-01T00:00Z", "lies in the future"),
        ("2001-01-01T00:00+01:00", "nothing was recorded"),
    ],
)
def test_a_time_that_makes_no_sense_is_refused_in_words(promoted, at, match):
    assert match in promoted.done("show", "little", "--at", at, status=2).said


def test_a_version_has_no_other_time(promoted):
    assert "which version was in force" in promoted.done("show", "little@1", "--at", "2026-11-01T12:00Z", status=2).said
