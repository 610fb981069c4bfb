"""CI asks whether a model may be rolled out: from a copy of registry/ and the origin alone, and never a yes that is not proven."""

import json
import shutil
import time

import pytest

from end_to_end.projects import told
from end_to_end.test_drift import window


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
    "a line dropped": without("PromotionReady"),
    "behind its head": behind,
    "ahead of its head": lambda log, head: log.write_bytes(log.read_bytes() + log.read_bytes().splitlines(True)[-1]),
    "no head": lambda log, head: head.unlink(),
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
