"""The loop killed with signal 9 anywhere: started again it goes on, and has done everything once."""

import json
import os
import random
import shutil
import signal
import subprocess
import time

import pytest

from crash.projects import Calls, end_of, start
from end_to_end.projects import Project, lay_out, rows, told, window
from end_to_end.test_operate import NOW, grant, kinds, scans, schedule, states

KILLED = -signal.SIGKILL
SOAK = bool(os.environ.get("NOA_SOAK"))
ROUND = ("operate", "--once", "--poll", "0s", "-C")

MOMENTS = {
    "before the scan is recorded": ("write in growing", 1),
    "before the scan is sealed": ("write in growing", 2),
    "before the trainer starts": ("write in wire", 1),
    "before the measurement is recorded": ("write in growing", 5),
    "before the decision is recorded": ("write in growing", 6),
    "before the enabling is recorded": ("write in growing", 8),
    "before the enabling is mirrored": ("write in mirror", 3),
}
"""Telling moments of a round: the call before which they are, as `Calls` wants it."""


def go(folder):
    """A round of the loop; its exit status."""
    return told(*ROUND, folder).status


def die_at(folder, where, nth):
    """A round that is killed before a call."""
    with Calls(where, nth, lambda: os.kill(os.getpid(), signal.SIGKILL)).watched():
        return go(folder)


@pytest.fixture(scope="session")
def due(once):
    """A project in which a round has everything to do: scan a window, retrain after an investigation, enable by a grant."""

    def make(folder):
        project = lay_out(folder / "project")
        project.write("data/train.csv", rows(2000, 1))
        for arguments in (("init",), ("run", "plan.json")):
            project.done(*arguments)
        schedule(project)
        project.write("data/arrivals/1.csv", window(14, moved=0.5))
        project.done("drift", status=3)
        project.done("investigate", "little", "--finding", "the sensor was moved")
        grant(project)
        project.write("data/arrivals/2.csv", window(11))
        project.write("data/now.csv", rows(1200, 21))
        project.plan(evaluation=NOW)

    return once("due", make)


@pytest.fixture
def project(home, due):
    for name in ("project", "keys"):
        shutil.copytree(due / name, home / name, symlinks=True)
    return Project(home / "project")


def check_that_everything_was_done_once(project):
    assert [scan["path"] for scan in scans(project)] == ["data/arrivals/1.csv", "data/arrivals/2.csv"]
    assert states(project) == ["former", "champion"]
    done = kinds(project)
    assert [done.count(kind) for kind in ("Submitted", "PromotionReady", "RolloutEnabled")] == [1, 1, 1]
    assert project.verifies()


@pytest.mark.parametrize(("where", "nth"), MOMENTS.values(), ids=MOMENTS)
def test_goes_on_from_between_two_steps(project, where, nth):
    assert end_of(start(die_at, str(project.path), where, nth)) == KILLED
    assert end_of(start(go, str(project.path))) == 0
    check_that_everything_was_done_once(project)


@pytest.mark.skipif(not SOAK, reason="a soak: set NOA_SOAK")
@pytest.mark.timeout(3600)
def test_killed_fifty_times_at_random_moments_it_scans_each_window_once_and_makes_no_version_twice(project):
    """Windows arrive, some of them odd, data change, somebody investigates, and the loop is killed all the while."""
    draw, arrived, changed = random.Random(5), 2, 0
    schedule(project, retrain=True)
    for _ in range(50):
        loop = project.start("operate", "--poll", "1s", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if draw.random() < 0.7:
            arrived += 1
            odd = 0.5 if draw.random() < 0.25 else 0.0
            project.write(f"data/arrivals/{arrived}.csv", window(100 + arrived, moved=odd))
        if draw.random() < 0.4:
            changed += 1
            project.write("data/train.csv", rows(2000 + changed, 50 + changed))
            project.write("data/now.csv", rows(1200 + changed, 500 + changed))
        time.sleep(1.2 + 3 * draw.random())
        loop.kill()
        loop.wait()
        found = project.tell("verify")
        assert found.status == 0 or "the ledger accounts for" in found.said, "but a mirror that is behind"
        incident = project.tell("show", "little", "--json").document["rollout"]["incident"]
        if incident is not None and incident["investigated"] is None and draw.random() < 0.5:
            project.done("investigate", "little", "--finding", "the sensor was moved again")
    for _ in range(3):
        project.tell(*ROUND[:-1])
    assert sorted(scan["path"] for scan in scans(project)) == sorted(
        f"data/arrivals/{number}.csv" for number in range(1, arrived + 1)
    )
    submitted = [e["predicate"] for e in project.entries() if e["noa_entry"]["type"] == "Submitted"]
    made = [json.dumps([one["plan"], one["datasets"]]) for one in submitted]
    assert len(made) == len(set(made)) > 2
    assert project.tell("verify", "--decisions").status == 0
