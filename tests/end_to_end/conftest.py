"""Projects of their own for every test; keys and settings of the person at the keyboard are never touched."""

import fcntl
import os
import secrets
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from end_to_end.projects import STARTED, Project, lay_out, rows


def surroundings(folder: Path) -> dict[str, str]:
    """The variables that keep everything outside a project below ``folder``."""
    return {
        "NOA_KEYS": str(folder / "keys"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_STATE_HOME": str(folder / "state"),
        "HOME": str(folder / "home"),
    }


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """Makes a folder that all workers of the test run share: the first to need it makes it, with its own keys."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    def folder(name: str, make: Callable[[Path], None]) -> Path:
        target, done = shared / name, shared / f"{name}.done"
        with (shared / f"{name}.lock").open("w") as lock, pytest.MonkeyPatch.context() as patch:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for variable, value in surroundings(target).items():
                patch.setenv(variable, value)
            if not done.exists():
                make(target)
                done.touch()
        return target

    return folder


@pytest.fixture(scope="session")
def template(once):
    """A project with a champion; tests work on copies."""

    def make(folder: Path) -> None:
        project = lay_out(folder / "project")
        for arguments in (("init",), ("run", "plan.json")):
            result = project.tell(*arguments)
            assert result.status == 0, result.said

    return once("template", make)


@pytest.fixture(scope="session")
def watched(once):
    """A project with a champion whose training data are many enough to see drift by."""

    def make(folder):
        project = lay_out(folder / "project")
        project.write("data/train.csv", rows(2000, 1))
        for arguments in (("init",), ("run", "plan.json")):
            result = project.tell(*arguments)
            assert result.status == 0, result.said

    return once("watched", make)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A machine of one's own, as far as noa can see; the terminating signal keeps its meaning for the test run."""
    for name, value in surroundings(tmp_path).items():
        monkeypatch.setenv(name, value)
    before = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    while STARTED:
        with STARTED.pop() as process:
            process.kill()
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def folder(home):
    """Data, programs and a plan, and no project yet."""
    return lay_out(home / "project")


@pytest.fixture
def promoted(home, template):
    """A project whose lifecycle ``little`` has champion 1."""
    for name in ("project", "keys"):
        shutil.copytree(template / name, home / name, symlinks=True)
    return Project(home / "project")


@pytest.fixture
def mark():
    """A number that no other process has in its command line; good as the seconds of a sleep."""
    return f"{secrets.randbelow(900_000) + 100_000}.{os.getpid()}{secrets.randbelow(10_000):04}"
