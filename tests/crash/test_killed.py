"""Killed with signal 9 anywhere: the next run of the plan goes on, promotes once, and everything verifies."""

import os
import sys
import time

import pytest

from crash.projects import (
    MOMENTS,
    count_calls,
    die_after_entry,
    die_at,
    die_evaluating,
    end_of,
    evaluate,
    is_alive,
    plan,
    processes_below,
    processes_of,
    run_plan,
    start,
    until,
    write_data,
)
from noa_mlops.audit.views import project_view
from noa_mlops.ledger import Ledger

KILLED = -9
SOAK = bool(os.environ.get("NOA_SOAK"))
TIMES = 50 if SOAK else 1


def leftovers(project):
    """Files that only a writer on its way needs."""
    return [path for path in project.layout.project.rglob("*") if path.name.endswith(".tmp") or "torn" in path.name]


def check_that_it_goes_on(project, versions=("champion",)):
    assert end_of(start(run_plan, project.layout)) == 0
    assert project.statuses() == list(versions)
    assert project.findings() == []
    assert leftovers(project) == []


@pytest.mark.parametrize("kind", ["Submitted", "TrainingCompleted", "EvaluationLogged", "PromotionReady"])
def test_goes_on_after_each_entry(project, kind):
    assert end_of(start(die_after_entry, project.layout, kind)) in (KILLED, 0)
    check_that_it_goes_on(project)


@pytest.mark.parametrize(("where", "nth"), MOMENTS.values(), ids=MOMENTS)
def test_goes_on_from_between_two_steps(project, where, nth):
    assert end_of(start(die_at, project.layout, where, nth)) == KILLED
    check_that_it_goes_on(project)


def test_a_mirror_whose_new_lines_nobody_signed_yet_is_no_finding(project):
    """They follow from the ledger; the next command signs them."""
    assert end_of(start(die_at, project.layout, *MOMENTS["before the mirror is signed"])) == KILLED
    assert project.findings() == []
    with project.layout.mirror.open("r+b") as log:
        last = log.read().splitlines()[-1]
        log.seek(-len(last) // 2, os.SEEK_END)
        log.write(b"x")
    assert project.findings() != []


def test_goes_on_when_it_was_killed_while_the_champion_was_asked(project):
    """What was laid out for the champion's predictor is there already, and is made anew."""
    assert end_of(start(run_plan, project.layout)) == 0
    write_data(project.layout.project, 50)
    assert end_of(start(die_at, project.layout, "write in wire", 3)) == KILLED
    assert end_of(start(run_plan, project.layout)) == 0
    assert project.statuses() == ["former", "champion"]
    assert project.findings() == []


MEASURING = {
    "before the model is moved": ("rename in moving", 1),
    "before the version is in the store": ("rename in store", 1),
    "before the predictor starts": ("write in wire", 1),
    "before the measurement is recorded": ("write in growing", 1),
    "before the mirror": ("write in mirror", 1),
}


@pytest.mark.parametrize(("where", "nth"), MEASURING.values(), ids=MEASURING)
def test_measuring_a_rejected_version_again_goes_on_from_between_two_steps(project, where, nth):
    """What was moved into the store, and is named by no entry yet, is found by the next command."""
    strict = {"dataset_path": "data/holdout.csv", "metric_thresholds": {"log_loss": {"max": 0.0}}}
    assert end_of(start(run_plan, project.layout, plan(evaluation=strict))) == 3
    assert end_of(start(die_evaluating, project.layout, 1, where, nth)) == KILLED
    assert end_of(start(evaluate, project.layout, 1)) == 0
    assert project.statuses() == ["rejected"]
    assert project.findings() == []
    assert leftovers(project) == []


def test_goes_on_from_anywhere(project, home):
    """The calls that could change the disk, sampled over the whole run; each trial in a lifecycle of its own."""
    assert end_of(start(count_calls, project.layout, home / "calls")) == 0
    calls = len((home / "calls").read_text().splitlines())
    assert calls > 100
    for nth in range(11, calls, 43):
        given = plan(lifecycle_id=f"odd-{nth}")
        status = end_of(start(die_at, project.layout, "", nth, given))
        assert end_of(start(run_plan, project.layout, given)) == 0
        expected = ["champion"] if status == KILLED else ["former", "champion"]
        assert project.statuses(given.lifecycle_id) == expected, f"killed before call {nth}"
    assert project.findings() == []
    assert leftovers(project) == []


def test_a_run_that_is_killed_after_every_step_is_still_one_version(project):
    """Each time it gets one entry further: the second write is the one that it does not live to make."""
    for _ in range(4):
        assert end_of(start(die_at, project.layout, "write in growing", 2)) == KILLED
    check_that_it_goes_on(project)


def test_a_run_cut_off_after_its_decision_is_told_once_and_not_done_twice(project):
    assert end_of(start(die_at, project.layout, *MOMENTS["before the mirror"])) == KILLED
    report = project.run()
    assert (report.address, report.state, project.statuses()) == ("odd@1", "champion", ["champion"])
    assert project.run().address == "odd@2"


@pytest.mark.parametrize(
    ("profile", "pid"),
    [("waits-in-training", "odd-1/checkpoint/pid"), ("waits-in-prediction", "odd-1.predict/checkpoint/pid")],
)
def test_leaves_no_process_behind(project, profile, pid):
    running = start(run_plan, project.layout, plan(profile=profile))
    until((project.layout.workspaces / pid).exists)
    descendants = processes_below(running.pid)
    assert len(descendants) >= 3
    running.kill()
    assert end_of(running) == KILLED
    until(lambda: not any(map(is_alive, descendants)))
    assert processes_of(project.layout) == []


def test_the_next_run_waits_for_the_agent_of_a_killed_one_to_be_dead(project):
    """Its supervisor is held still meanwhile, so that the agent outlives the run that started it."""
    layout = project.layout
    running = start(run_plan, layout, plan(profile="waits-for-a-sign"))
    until((layout.workspaces / "odd-1" / "stdout.log").exists)
    supervisor = processes_below(running.pid)[1]
    os.kill(supervisor, 19)
    running.kill()
    end_of(running)
    following = start(run_plan, layout, plan(profile="waits-for-a-sign"))
    time.sleep(1)
    (layout.workspaces / "odd-1" / "checkpoint" / "sign").touch()
    assert "champion" not in project.statuses()
    os.kill(supervisor, 18)
    assert end_of(following) == 0
    assert project.statuses() == ["champion"]
    assert project.findings() == []


def test_what_outlived_a_killed_run_and_its_supervisor_is_ended_by_the_next_run(project):
    layout = project.layout
    running = start(run_plan, layout, plan(profile="waits-in-training"))
    until((layout.workspaces / "odd-1" / "tmp" / "here").exists)
    descendants = processes_below(running.pid)
    os.kill(descendants[1], 19)
    running.kill()
    os.kill(descendants[1], 9)
    end_of(running)
    until(lambda: not is_alive(descendants[1]))
    (layout.workspaces / "odd-1" / "tmp" / "here").unlink()
    following = start(run_plan, layout, plan(profile="waits-in-training"))
    until((layout.workspaces / "odd-1" / "tmp" / "here").exists)
    assert not any(map(is_alive, descendants))
    following.kill()
    end_of(following)


def test_a_killed_run_shows_as_interrupted_not_as_running(project):
    running = start(run_plan, project.layout, plan(profile="waits-in-training"))
    until((project.layout.workspaces / "odd-1" / "tmp" / "here").exists)
    assert _shown(project) == "running"
    running.kill()
    end_of(running)
    assert _shown(project) == "interrupted"


def _shown(project):
    return project_view(Ledger.read_only(project.layout))["lifecycles"][0]["versions"][0]["state"]


PHASES = {
    "training": ("waits-for-a-sign", "odd-{}"),
    "evaluation": ("predicts-after-a-sign", "odd-{}.predict"),
    "promotion": ("shell", None),
}
"""Where a run is killed: its profile, and the workspace of the agent that works meanwhile."""


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("phase", PHASES)
def test_a_killed_run_leaves_no_orphan_and_is_resumed_and_promoted_once(project, capsys, phase):
    orphaned, resumed = [], []
    for version in range(1, TIMES + 1):
        orphaned.append(kill_in(project, phase, version))
        assert processes_of(project.layout) == []
        began = time.monotonic()
        assert end_of(start(run_plan, project.layout, plan(profile=PHASES[phase][0]))) == 0
        resumed.append(time.monotonic() - began)
        decided = [entry.version for entry in project.entries() if entry.type == "PromotionReady"]
        assert decided == list(range(1, version + 1))
        assert project.findings() == []
    if SOAK:
        with capsys.disabled():
            for what, times in (("last process gone after", orphaned), ("resumed and promoted in", resumed)):
                middle, worst = sorted(times)[len(times) // 2], max(times)
                said = f"{what} {middle:.3f} s (median), {worst:.3f} s (worst)"
                sys.stdout.write(f"\nkilled in {phase}, {len(times)} times: {said}\n")


def kill_in(project, phase, version):
    """Kill a run in a phase, and give the seconds until all that it started is dead; what it waited for is there then."""
    profile, agent = PHASES[phase]
    if agent is None:
        assert end_of(start(die_at, project.layout, *MOMENTS["before the decision is recorded"])) == KILLED
        return 0.0
    workspace = project.layout.workspaces / agent.format(version)
    running = start(run_plan, project.layout, plan(profile=profile))
    until((workspace / "stdout.log").exists)
    until(lambda: processes_of(project.layout))
    descendants = processes_below(running.pid)
    running.kill()
    killed = time.monotonic()
    until(lambda: not any(map(is_alive, descendants)))
    lasted = time.monotonic() - killed
    assert end_of(running) == KILLED
    (workspace / "checkpoint" / "sign").touch()
    return lasted
