"""What the loop does next, for every place in the procedure: pure, from the state of the ledger and of the files."""

from dataclasses import replace

import pytest

from noa_mlops.errors import DatasetInvalid, NotAuthorised
from noa_mlops.ledger.state import Incident, LifecycleState, VersionState, Waiting
from noa_mlops.lifecycle.due import Made, Propose, Retrain, Wait, next_step, pause_after
from noa_mlops.records.settings import Scheduled

PLAN = Scheduled("data/*.csv", plan="plans/churn.yaml")
RETRAINS = replace(PLAN, retrain=True)
BLOCKED = Incident(10, "0" * 64, champion=1)
LOOKED = replace(BLOCKED, investigated=12)
NOON = 1_800_000_000.0


def version(number, status, *seqs):
    return VersionState(number, status, "python", f"churn-{number}", "0" * 64, "0" * 64, seqs)


def state(incident=None, *versions, waits=()):
    lifecycle = LifecycleState(champion=1, incident=incident, waiting={number: Waiting(1) for number in waits})
    for one in (version(1, "champion", 1, 4), *versions):
        lifecycle = lifecycle.with_version(one)
    return lifecycle


def following(task, lifecycle, made=None):
    def look():
        assert made is not None, "the plan's data are read although nothing depends on them"
        return made

    return next_step("churn", task, lifecycle, look, NOON)


def test_while_nobody_has_looked_it_waits_for_people_whatever_is_scheduled():
    for task in (PLAN, RETRAINS):
        step = following(task, state(BLOCKED))
        assert isinstance(step, Wait)
        assert step.people
        assert 'noa investigate churn --finding "..."' in step.why


def test_after_the_investigation_the_plan_is_run_once():
    assert following(PLAN, state(LOOKED), Made()) == Retrain("plans/churn.yaml", "the incident was investigated")
    done = version(2, "rejected", 13, 16)
    assert isinstance(following(PLAN, state(LOOKED, done), Made(done)), Wait)


def test_what_passed_after_the_investigation_is_proposed_and_nothing_older():
    held, old = version(3, "held", 13, 16), version(2, "held", 5, 9)
    assert following(PLAN, state(LOOKED, old, held, waits=(2, 3))) == Propose(3)
    assert isinstance(following(PLAN, state(LOOKED, old, waits=(2,)), Made()), Retrain)
    assert following(PLAN, state(None, old, waits=(2,))) == Propose(2), "it waits for people's approval"


def test_what_the_law_would_not_let_end_the_incident_is_not_proposed():
    old, new = "1" * 64, "2" * 64
    held = replace(version(2, "held", 13, 16), data=old, passed=True)
    blocked = state(LOOKED, held, waits=(2,)).with_version(replace(version(1, "champion", 1, 4), data=old, passed=True))
    assert isinstance(following(PLAN, blocked, Made(held, stale=True)), Wait)
    changed = Made(held, "its evaluation data changed")
    assert following(PLAN, blocked, changed) == Retrain("plans/churn.yaml", "its evaluation data changed")
    ungated = blocked.with_version(replace(held, data=new, passed=False))
    assert isinstance(following(PLAN, ungated, Made(held)), Wait)
    assert following(PLAN, blocked.with_version(replace(held, data=new))) == Propose(2)


def test_what_was_judged_beside_another_champion_is_made_again():
    held = version(2, "held", 13, 16)
    rolled_back = replace(state(LOOKED, held, waits=(2,)), champion=3)
    assert isinstance(following(PLAN, rolled_back, Made(held)), Retrain)
    ungated = state(LOOKED, held)
    assert isinstance(following(PLAN, ungated, Made(held)), Wait), "held, and waiting for nobody"


def test_a_plan_that_is_measured_on_the_champions_data_waits_for_other_data():
    step = following(PLAN, state(LOOKED), Made(stale=True))
    assert isinstance(step, Wait)
    assert "name data of now" in step.why
    assert isinstance(following(RETRAINS, state(), Made(stale=True)), Retrain), "only an incident asks for it"


def test_a_run_that_was_cut_off_goes_on_and_one_that_is_running_is_left_alone():
    cut = version(2, "trained", 13, 14)
    assert following(PLAN, state(LOOKED, cut), Made(cut)) == Retrain(
        "plans/churn.yaml", "churn@2 was cut off and goes on"
    )
    assert isinstance(following(PLAN, state(LOOKED, cut), Made(cut, running=2)), Wait)
    assert isinstance(following(PLAN, state(LOOKED), Made(settled=False)), Wait)


@pytest.mark.parametrize(("every", "pause"), [(None, 3600), (60, 60)])
def test_a_training_that_failed_is_tried_again_when_it_is_due(every, pause):
    failed, task = version(2, "failed", 13, 14), replace(PLAN, every=every)
    early, late = (Made(failed, ended=NOON - ago) for ago in (pause - 1, pause))
    assert isinstance(following(task, state(LOOKED, failed), early), Wait)
    assert isinstance(following(task, state(LOOKED, failed), late), Retrain)


def test_what_somebody_stands_in_the_way_of_is_tried_again_soon():
    assert pause_after(PLAN, DatasetInvalid("x")) == 3600
    assert pause_after(PLAN, NotAuthorised("policy.yaml differs")) == 60
    assert pause_after(replace(PLAN, every=5), NotAuthorised("policy.yaml differs")) == 5


def test_without_retrain_nothing_is_run_while_the_rollout_is_ready():
    assert following(PLAN, state()) == Wait("new data")
    assert following(replace(PLAN, plan=None), state()) == Wait("new data")


def test_with_retrain_what_changed_is_run_once_in_the_time_that_is_scheduled():
    newest, hourly = version(2, "champion", 5, 9), replace(RETRAINS, every=3600)
    changed = Made(newest, "its training data changed", began=NOON - 600)
    assert following(RETRAINS, state(None, newest), changed) == Retrain("plans/churn.yaml", "its training data changed")
    step = following(hourly, state(None, newest), changed)
    assert step == Wait("its training data changed: plans/churn.yaml is run at 2027-01-15T08:50:00Z")
    assert isinstance(following(RETRAINS, state(None, newest), replace(changed, changed="")), Wait)


def test_without_a_plan_people_go_the_whole_way():
    assert "noa run PLAN" in following(replace(PLAN, plan=None), state(LOOKED)).why
