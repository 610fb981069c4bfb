"""The loop killed with signal 9 anywhere: started again it goes on, and has done everything once."""

import os
import shutil
import signal

import pytest

from crash.projects import Calls, end_of, start
from end_to_end.projects import Project, lay_out, rows, told
from end_to_end.test_drift import window
from end_to_end.test_operate import NOW, grant, kinds, scans, schedule, states

KILLED = -signal.SIGKILL
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
