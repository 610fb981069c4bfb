"""A plan may ask for people: so many keys must enable a version that passed, and none of them that of the submitter."""

import shutil

import pytest

import noa_mlops

BETTER = 'awk -F, \'END { print 0.545 }\' "$NOA_DATA" > "$NOA_OUT/cut"\n'
"""Another model, about as good as the champion."""


@pytest.fixture
def colleagues(home, promoted, monkeypatch):
    """The project, with a second operator; gives a switch to the machine of ``ann``, who runs plans, or of ``bob``."""
    promoted.done("keys", "new", "operator")
    promoted.done("policy", "sign")
    [keys] = (home / "keys").iterdir()
    fresh = next(path for path in keys.iterdir() if len(path.stem) == 16)
    theirs = home / "bob" / keys.name
    shutil.copytree(keys, theirs)
    fresh.unlink()
    (theirs / "operator.pem").unlink()

    def at(name):
        monkeypatch.setenv("NOA_KEYS", str(home / ("keys" if name == "ann" else name)))

    return at


def test_two_people_make_it_the_champion_each_with_a_key_of_their_own(promoted, colleagues):
    promoted.programs(train=BETTER)
    promoted.plan(approvals={"required": 2})
    run = promoted.done("run", "plan.json", status=7)
    assert "approval" in run.said
    assert 'noa enable little@2 --reason "..."   by 2 operators, each with a key of their own' in run.said
    first = promoted.done("enable", "little@2", "--reason", "looked at the coast", status=7)
    assert "has 1 of 2 approvals" in first.said
    assert "1 of 2 approvals" in promoted.done("status").said
    assert "1 of 2 approvals" in promoted.done("show", "little@2").said
    assert promoted.champion() == 1
    twice = promoted.done("enable", "little@2", "--reason", "again", status=5)
    assert "the key that signed has approved it already" in twice.said
    colleagues("bob")
    assert "is the champion" in promoted.done("enable", "little@2", "--reason", "looked too").said
    assert promoted.champion() == 2
    assert promoted.done("show", "little@2", "--json").document["approvals"] is None
    promoted.done("verify", "--decisions")


def test_two_people_sign_one_request_far_from_each_other(promoted, colleagues, home):
    request = str(home / "request.json")
    promoted.plan(approvals={"required": 2})
    promoted.done("run", "plan.json", status=7)
    promoted.done("enable", "little@2", "--reason", "looked", "--request", request)
    colleagues("bob")
    promoted.done("enable", "little@2", "--request", request)
    colleagues("ann")
    assert promoted.champion() == 1
    assert "is the champion" in promoted.done("enable", "little@2", "--admit", request).said
    assert promoted.champion() == 2
    assert promoted.verifies()


def test_who_submitted_it_does_not_count_where_the_plan_says_so(promoted, colleagues):
    promoted.plan(approvals={"required": 1, "not_submitter": True})
    promoted.done("run", "plan.json", status=7)
    own = promoted.done("enable", "little@2", "--reason", "mine", status=5)
    assert "the key that signed is that of who submitted it" in own.said
    assert "who submitted it" in promoted.done("show", "little@2").said
    colleagues("bob")
    promoted.done("enable", "little@2", "--reason", "hers, and good")
    assert promoted.champion() == 2
    promoted.done("verify", "--decisions")


def test_approvals_lapse_when_the_champion_changes(promoted, colleagues):
    promoted.plan(approvals={"required": 2})
    promoted.done("run", "plan.json", status=7)
    promoted.done("enable", "little@2", "--reason", "looked", status=7)
    promoted.plan(seed=3)
    promoted.done("run", "plan.json")
    assert promoted.champion() == 3
    colleagues("bob")
    late = promoted.done("enable", "little@2", "--reason", "looked too", status=5)
    assert "noa enable little@2" in late.said
    promoted.done("rollback", "little", "--reason", "back")
    lapsed = promoted.done("enable", "little@2", "--reason", "looked too", status=5)
    assert "noa enable little@2" in lapsed.said
    assert promoted.champion() == 1


def test_more_approvals_than_there_are_operators_are_said_to_be_too_many(promoted):
    promoted.plan(approvals={"required": 2})
    assert "the policy lets 1 key approve: noa keys new operator" in promoted.done("run", "plan.json", status=7).said


def test_a_person_approves_a_version_that_has_no_gate_as_well(promoted):
    promoted.plan(evaluation={"gate": "none", "reason": "an outside audit decides"}, approvals={"required": 1})
    assert "no_gate, approval" in promoted.done("run", "plan.json", status=3).said
    assert promoted.champion() == 1
    promoted.done("enable", "little@2", "--reason", "the audit says yes")
    assert noa_mlops.load("little", project=promoted.path).version == 2
    promoted.done("verify", "--decisions")


@pytest.mark.parametrize(
    ("approvals", "match"),
    [
        ({"required": 0}, "approvals.required must be from 1 to 16, got 0"),
        ({"required": "two"}, "approvals.required"),
        ({"required": True}, "approvals.required"),
        ({"not_submitter": "yes"}, "approvals.not_submitter"),
        ({"by": "ann"}, "unknown field 'approvals.by'"),
        ([], "approvals"),
    ],
)
def test_what_a_plan_cannot_ask_for_is_refused(promoted, approvals, match):
    promoted.plan(approvals=approvals)
    before = promoted.state()
    assert match in promoted.done("run", "plan.json", status=2).said
    assert promoted.state() == before
