"""The revision of the code that a run used, as git knows it."""

import os
import subprocess

import pytest

from noa_mlops.lifecycle.environment import Environment


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
