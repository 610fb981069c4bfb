"""What is recorded of the environment of a run, the revision of its code as git knows it; and what differs later."""

import os
import subprocess

import pytest

from noa_mlops.lifecycle.environment import Environment, changes
from noa_mlops.records.reproduction import Change


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    folder = tmp_path / "checkout"
    (folder / "project").mkdir(parents=True)
    (folder / "project" / "train.py").write_text("first")
    git(folder, "init", "--quiet")
    git(folder, "add", "project/train.py")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", "first")
    return folder


def git(folder, *arguments):
    return subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True, text=True).stdout.strip()


def code(project):
    return Environment(project).describe()["code"]


def test_names_the_commit_of_a_clean_checkout_from_a_folder_inside_it(checkout):
    assert code(checkout / "project") == {"revision": git(checkout, "rev-parse", "HEAD"), "dirty": False}


def test_says_that_a_checkout_is_dirty_but_not_for_files_that_git_does_not_know(checkout):
    (checkout / "project" / "ledger.jsonl").write_text("new")
    assert not code(checkout / "project")["dirty"]
    (checkout / "project" / "train.py").write_text("second")
    assert code(checkout / "project")["dirty"]


def test_leaves_the_checkout_as_it_is(checkout):
    """Even where the index is out of date, and asking could bring it up to date."""
    os.utime(checkout / "project" / "train.py", (1, 1))
    before = (checkout / ".git" / "index").stat()
    assert not code(checkout)["dirty"]
    after = (checkout / ".git" / "index").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_runs_nothing_that_the_checkout_configures(checkout, tmp_path):
    (tmp_path / "monitor").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (tmp_path / "monitor").chmod(0o755)
    git(checkout, "config", "core.fsmonitor", str(tmp_path / "monitor"))
    assert code(checkout) is not None
    assert not (tmp_path / "ran").exists()


def test_names_no_revision_outside_a_checkout_or_without_git(tmp_path, checkout, monkeypatch):
    assert code(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert code(checkout) is None


def test_names_what_differs_and_nothing_that_an_older_record_does_not_tell():
    packages = {"numpy": "2.1", "scipy": "1.14"}
    recorded = {"python": "3.11.2", "implementation": "CPython", "platform": "Linux-5.15-x86_64", "packages": packages}
    now = {**recorded, "python": "3.12.1", "processor": "i860", "packages": {"numpy": "2.2", "xgboost": "3.0"}}
    assert list(changes(recorded, {**recorded, "processor": "i860"})) == []
    assert list(changes(recorded, now)) == [
        Change("python", "3.11.2", "3.12.1"),
        Change("package numpy", "2.1", "2.2"),
        Change("package scipy", "1.14", None),
        Change("package xgboost", None, "3.0"),
    ]
    assert list(changes({**now, "processor": "i750"}, now)) == [Change("processor", "i750", "i860")]
    assert list(changes({**now, "code": {"revision": "a"}}, {**now, "code": {"revision": "b"}})) == []
