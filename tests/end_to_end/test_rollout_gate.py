"""CI asks whether a model may be rolled out: from a copy of registry/ and the origin alone, and never a yes that is not proven."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time

import pytest

from end_to_end.projects import told, window, with_permissions
from noa_mlops.audit.rollout import read_registry
from noa_mlops.errors import LedgerTampered


def origin_of(project):
    return project.done("status", "--json").document["origin"]


@pytest.fixture
def runner(promoted, home, monkeypatch):
    """A fresh machine that has nothing but a copy of the registry; asks its gate."""
    origin = origin_of(promoted)

    def ask(*arguments, status, name=("little",), fresh=True):
        folder = home / "runner"
        if fresh:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(promoted.path / "registry", folder / "registry", symlinks=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NOA_KEYS", str(home / "nothing"))
            patch.setenv("XDG_STATE_HOME", str(home / "none"))
            result = told("gate", *name, "--origin", origin, "-C", str(folder), *arguments)
        assert result.status == status, result.said
        return result

    ask.log = home / "runner/registry/ml_artifacts.log"
    ask.head = home / "runner/registry/checkpoint"
    return ask


def test_a_champion_is_ready_and_ci_is_told(runner, home, monkeypatch):
    monkeypatch.setenv("GITHUB_ENV", str(home / "env"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(home / "summary"))
    assert "little@1" in runner(status=0).said
    assert (home / "env").read_text().splitlines()[-1] == "ML_ROLLOUT_STATUS=ready"
    assert "| little@1 | ready |" in (home / "summary").read_text()
    assert runner("--json", status=0, name=()).document["rollouts"][0]["champion"] == 1
    runner(status=0, name=("little@1",))
    runner("--max-age", "1h", status=0)


def test_another_version_than_the_champion_is_blocked(runner):
    assert "the champion is @1" in runner(status=3, name=("little@2",)).said
    assert "knows no lifecycle" in runner(status=3, name=("other",)).said


def test_a_blocked_rollout_is_blocked_until_the_way_out_was_gone(promoted, runner, home, monkeypatch):
    monkeypatch.setenv("GITHUB_ENV", str(home / "env"))
    promoted.write("data/moved.csv", window(14, moved=0.5))
    promoted.done("drift", "little", "--current", "data/moved.csv", status=3)
    runner(status=3)
    assert (home / "env").read_text().splitlines()[-1] == "ML_ROLLOUT_STATUS=blocked"
    promoted.done("investigate", "little", "--finding", "a sensor was moved")
    runner(status=3)


def test_an_override_is_ready_until_it_expires(promoted, runner):
    promoted.plan(evaluation={"dataset_path": "data/eval.csv", "metric_thresholds": {"roc_auc": 0.9999}})
    promoted.done("run", "plan.json", status=3)
    promoted.done("evaluate", "little@2", status=3)
    promoted.done("override", "little@2", "--expires", "3s", "--reason", "for the night")
    ends = time.monotonic() + 3
    assert "by override until" in runner(status=0).said
    time.sleep(max(0, ends - time.monotonic()) + 0.1)
    assert "its override expired" in runner(status=3, fresh=False).said


def test_a_project_without_a_champion_has_nothing_to_roll_out(folder, home):
    folder.done("init")
    result = folder.done("gate", "--origin", origin_of(folder), status=3)
    assert "nothing to roll out" in result.said


def edited(old, new):
    return lambda log, head: log.write_bytes(log.read_bytes().replace(old, new, 1))


def without(kind):
    def drop(log, head):
        lines = log.read_bytes().splitlines(keepends=True)
        log.write_bytes(b"".join(line for line in lines if json.loads(line)["type"] != kind))

    return drop


def replaced(make):
    def put(log, head):
        log.unlink()
        make(log)

    return put


def linked(log, head):
    """The very log, verified, but reached through a link: what it leads to can be changed by others."""
    elsewhere = log.parent.parent / "elsewhere"
    log.rename(elsewhere)
    log.symlink_to(elsewhere)


def huge(log, head):
    """A terabyte that takes no room."""
    with log.open("ab") as stream:
        stream.truncate(1 << 40)


def many_lines(log, head):
    """More lines than fit into the memory of a runner, were they kept."""
    with log.open("ab") as stream:
        stream.write(b"{}\n" * 5_000_000)


def behind(log, head):
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:-1]))


HARM = {
    "empty": lambda log, head: log.write_bytes(b""),
    "cut": lambda log, head: log.write_bytes(log.read_bytes()[:-20]),
    "edited": edited(b'"status":"ready"', b'"status":"bla"'),
    "a bit": edited(b'"champion":1', b'"champion":2'),
    "gone": lambda log, head: log.unlink(),
    "a folder": replaced(lambda log: log.mkdir()),
    "a link": replaced(lambda log: log.symlink_to("/dev/zero")),
    "a link to itself elsewhere": linked,
    "a pipe": replaced(os.mkfifo),
    "huge": huge,
    "many lines": many_lines,
    "one long line": lambda log, head: log.write_bytes(log.read_bytes() + b'{"line":"' + b"x" * (1 << 20) + b'"}\n'),
    "an empty line": lambda log, head: log.write_bytes(b"\n" + log.read_bytes()),
    "no newline at its end": lambda log, head: log.write_bytes(log.read_bytes()[:-1]),
    "other line ends": lambda log, head: log.write_bytes(log.read_bytes().replace(b"\n", b"\r\n")),
    "a line dropped": without("PromotionReady"),
    "behind its head": behind,
    "ahead of its head": lambda log, head: log.write_bytes(log.read_bytes() + log.read_bytes().splitlines(True)[-1]),
    "no head": lambda log, head: head.unlink(),
    "an empty head": lambda log, head: head.write_bytes(b""),
    "a folder for a head": lambda log, head: (head.unlink(), head.mkdir()),
    "a huge head": lambda log, head: os.truncate(head, 1 << 40),
    "a head without a size": lambda log, head: head.write_bytes(head.read_bytes().replace(b"\n", b"\nx", 1)),
    "no registry": lambda log, head: shutil.rmtree(log.parent),
    "a file for the registry": lambda log, head: (shutil.rmtree(log.parent), log.parent.write_bytes(b"ready")),
    "another head": lambda log, head: head.write_bytes(head.read_bytes().replace(b"registry", b"registrx")),
    "no JSON": lambda log, head: log.write_bytes(b"yes\n" + log.read_bytes()),
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_a_log_that_does_not_hold_is_never_ready(runner, harm, home, monkeypatch):
    runner(status=0)
    monkeypatch.setenv("GITHUB_ENV", str(home / "env"))
    harm(runner.log, runner.head)
    runner(status=4, fresh=False)
    assert (home / "env").read_text().splitlines()[-1] == "ML_ROLLOUT_STATUS=blocked"


def test_a_log_that_may_not_be_read_is_never_ready(promoted, home):
    origin = origin_of(promoted)
    for name in ("ml_artifacts.log", "checkpoint"):
        path = promoted.path / "registry" / name
        path.chmod(0o000)
        refused = with_permissions(promoted, "gate", "little", "--origin", origin)
        path.chmod(0o644)
        assert refused.status == 4, refused.said
        assert "Permission denied" in refused.err


def test_no_line_can_be_left_out_doubled_or_put_elsewhere_and_no_byte_changed(promoted, runner):
    promoted.done("run", promoted.plan(seed=7))
    runner(status=0)
    log, origin = runner.log, origin_of(promoted)
    whole = log.read_bytes()
    lines = whole.splitlines(keepends=True)
    assert len(lines) == 5
    others = [lines[:at] + lines[at + 1 :] for at in range(len(lines))]
    others += [[*lines[:at], lines[at], *lines[at:]] for at in range(len(lines))]
    others += [[*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]] for at in range(len(lines) - 1)]
    changed = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(0, len(whole), 199)]
    for data in [*map(b"".join, others), *changed]:
        log.write_bytes(data)
        with pytest.raises(LedgerTampered):
            read_registry(log.parent, origin)
    log.write_bytes(whole)
    assert read_registry(log.parent, origin).lines == len(lines)


def test_a_log_of_many_lines_is_refused_in_little_memory(runner):
    runner(status=0)
    many_lines(runner.log, runner.head)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "there are more" in runner(status=4, fresh=False).said
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000, "kilobytes"


def test_the_log_of_another_project_is_refused(runner, home):
    runner(status=0)
    other = told("gate", "little", "--origin", f"project/{'0' * 64}", "-C", str(runner.log.parent.parent))
    assert other.status == 4
    assert "begins the log" in other.said
    assert told("gate", "little", "-C", str(home)).status == 2


def test_a_log_that_is_too_old_is_refused(runner):
    time.sleep(1.1)
    assert "hours ago" in runner("--max-age", "1s", status=4).said


def test_what_a_revoked_key_promoted_is_refused(promoted, runner):
    runtime = promoted.entries()[0]["signatures"][0]["keyid"]
    promoted.done("keys", "revoke", runtime, "--last", "1")
    refused = runner(status=4)
    assert "little@1 is the champion by entry" in refused.said


def test_while_a_run_is_recorded_the_answer_is_that_of_a_moment(promoted, runner):
    """A copy may be of any moment; asked of the folder itself it is read while nobody changes it."""
    process = promoted.start("run", promoted.plan(seed=7))
    origin = origin_of(promoted)
    while process.poll() is None:
        assert told("gate", "little", "--origin", origin, "-C", str(promoted.path)).status == 0
    assert process.returncode == 0


WRITERS = 8
SCANS = 2
EIGHT = """
import os, sys
import noa_mlops.datasets, noa_mlops.drift, noa_mlops.lifecycle.scanning, pyarrow.csv
from noa_mlops.cli.app import main

count, folder, *names = sys.argv[1:]
for name in names:
    if os.fork() == 0:
        scan = ["drift", "little", "--current", name, "-C", folder]
        os._exit(any([main(scan) not in (0, 3) for _ in range(int(count))]))
sys.exit(any([os.wait()[1] for _ in names]))
"""
"""A process for each name, which scans that data so many times; all at once, and with everything imported before."""


def test_while_eight_write_at_once_every_answer_is_that_of_a_whole_log_and_blocked_stays_blocked(promoted, home):
    """Asked of the folder itself, and of copies that are taken while it grows: those fit together, or are refused."""
    promoted.write("data/quiet.csv", window(11))
    promoted.write("data/wild.csv", window(14, moved=0.5))
    origin, copy = origin_of(promoted), home / "copy"
    names = ["data/wild.csv", *["data/quiet.csv"] * (WRITERS - 1)]
    writers = subprocess.Popen(
        [sys.executable, "-c", EIGHT, str(SCANS), str(promoted.path), *names], stdout=subprocess.DEVNULL
    )
    lines, blocked, copies = 3, False, []
    try:
        while writers.poll() is None:
            log = read_registry(promoted.path / "registry", origin)
            assert log.lines >= lines, "the log of a later moment"
            status = log.rollouts["little"].status
            assert status == "blocked" or not blocked
            lines, blocked = log.lines, status == "blocked"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(promoted.path / "registry", copy / "registry")
            copies.append(told("gate", "little", "--origin", origin, "-C", str(copy)).status)
            assert copies[-1] in ((3, 4) if blocked else (0, 3, 4))
    finally:
        writers.kill()
        writers.wait()
    assert writers.returncode == 0
    assert read_registry(promoted.path / "registry", origin).lines == 3 + WRITERS * SCANS
    assert told("gate", "little", "--origin", origin, "-C", str(promoted.path)).status == 3
    assert {0, 3} & set(copies), "some copies were whole"
    assert promoted.verifies()
