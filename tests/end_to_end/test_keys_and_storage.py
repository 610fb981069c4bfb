"""Keys that are not as they must be, and folders that cannot be written: refused before anything runs."""

import json
import os
import re
import resource
import shutil
from pathlib import Path

import pytest

from end_to_end.projects import PLAN, with_permissions

KEYS = {
    "readable by others": lambda key: key.chmod(0o644),
    "readable by the group": lambda key: key.chmod(0o640),
    "empty": lambda key: key.write_bytes(b""),
    "garbage": lambda key: key.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
    "missing": lambda key: key.unlink(),
    "a folder": lambda key: (key.unlink(), key.mkdir(mode=0o600)),
    "a link": lambda key: key.rename(key.with_suffix(".real")).parent and key.symlink_to(key.with_suffix(".real")),
    "a pipe": lambda key: (key.unlink(), os.mkfifo(key, 0o600)),
    "another key": lambda key: shutil.copy(key.with_name("operator.pem"), key),
    "a key of another kind": lambda key: shutil.copy(key.with_name("model.pem"), key),
}
"""What may have become of the verifier's private key."""


@pytest.fixture
def key(promoted, home):
    """The verifier's private key."""
    return next((home / "keys").glob("*/verifier.pem"))


@pytest.mark.parametrize("case", KEYS)
def test_refuses_to_start_with_a_key_that_is(promoted, key, case):
    KEYS[case](key)
    before = promoted.state()
    result = promoted.tell("run", "plan.json")
    assert result.status == 5, result.said
    assert str(key) in result.err
    assert len(result.err.splitlines()) == 2
    assert "PRIVATE" not in result.err
    assert promoted.state() == before
    assert promoted.verifies()


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can give a file away")
def test_refuses_to_start_with_a_key_of_somebody_else(promoted, key):
    os.chown(key, 65534, 65534)
    before = promoted.state()
    result = promoted.tell("run", "plan.json")
    assert result.status == 5, result.said
    assert str(key) in result.err
    assert "chown" in result.err
    assert promoted.state() == before


def test_refuses_to_start_without_any_key_and_reading_needs_none(promoted, home):
    shutil.rmtree(home / "keys")
    before = promoted.state()
    result = promoted.tell("run", "plan.json")
    assert result.status == 5, result.said
    assert len(result.err.splitlines()) == 2
    assert promoted.state() == before
    assert not (home / "keys").exists()
    for arguments in (["verify"], ["show", "little@1"], ["status"], ["logs", "little@1"], ["watch", "--no-follow"]):
        assert promoted.tell(*arguments).status == 0
    doctor = promoted.tell("doctor")
    assert doctor.status == 5
    assert "key" in doctor.out


def test_keys_are_made_for_their_owner_only(promoted, home):
    for path in (home / "keys").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert not list(promoted.path.rglob("*.pem"))


@pytest.mark.parametrize(
    "place",
    [
        "storage/db/evidence/ledger.jsonl",
        "storage/db/evidence/objects",
        "storage/artifacts/workspaces",
        "storage/artifacts/little/command",
        "registry",
        "registry/capabilities.json",
        "registry/ml_artifacts.log",
    ],
)
def test_what_cannot_be_written_is_named_before_anything_runs(promoted, place):
    path, plan = promoted.path / place, promoted.plan(seed=1)
    path.chmod(0o555 if path.is_dir() else 0o444)
    before = promoted.state()
    result = with_permissions(promoted, "run", plan)
    assert result.status == 5, result.said
    assert str(path) in result.err
    assert len(result.err.splitlines()) <= 2
    assert not re.search(r"sudo|as root", result.err)
    assert promoted.state() == before
    doctor = with_permissions(promoted, "doctor")
    assert doctor.status == 5, doctor.said
    assert str(path) in doctor.out
    path.chmod(0o755 if path.is_dir() else 0o644)
    assert promoted.tell("run", plan).status == 0
    assert promoted.verifies()


def test_readers_work_where_nothing_can_be_written(promoted):
    for folder, _, names in os.walk(promoted.path):
        for name in names:
            os.chmod(os.path.join(folder, name), 0o444)
        os.chmod(folder, 0o555)
    before = promoted.state()
    refused = with_permissions(promoted, "run", "plan.json")
    assert refused.status == 5, refused.said
    for arguments in (["verify"], ["show", "little@1"], ["status"], ["logs", "little@1"], ["keys"]):
        result = with_permissions(promoted, *arguments)
        assert result.status == 0, result.said
    assert promoted.state() == before
    for folder, _, _ in os.walk(promoted.path):
        os.chmod(folder, 0o755)


@pytest.mark.parametrize("most", [8, 16, 24])
def test_too_few_open_files_are_named_and_the_same_run_goes_on_with_enough(promoted, most):
    result = promoted.noa(
        "run", "plan.json", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    )
    assert result.status in (0, 5, 6), result.said
    assert "Traceback" not in result.said
    if result.status == 5:
        _, found, error = result.err.partition("noa: ")
        assert (found, len(error.splitlines())) == ("noa: ", 2), result.err
        assert "Too many open files" in error
    assert promoted.verifies()
    assert promoted.tell("run", "plan.json").status == 0
    assert promoted.verifies()


def test_storage_that_is_gone_is_no_project_and_nothing_is_made_in_its_place(promoted):
    shutil.rmtree(promoted.path / "storage")
    result = promoted.tell("run", "plan.json")
    assert result.status in (2, 5), result.said
    assert len(result.err.splitlines()) == 2
    assert not (promoted.path / "storage").exists()
    assert promoted.tell("status").status == 2


def test_a_store_that_is_gone_is_found_by_verify_and_a_new_version_waits_for_somebody_to_look(promoted):
    shutil.rmtree(promoted.path / "storage/artifacts")
    checked = promoted.tell("verify")
    assert checked.status == 4
    assert "storage/artifacts/little/command/1" in checked.out
    held = promoted.tell("run", "plan.json")
    assert (held.status, held.out.split()[0]) == (7, "HELD"), held.said
    assert "noa enable little@2" in held.out
    assert promoted.tell("enable", "little@2", "--reason", "the store was lost").status == 0
    assert promoted.champion() == 2


def test_workspaces_that_are_gone_are_made_again(promoted):
    shutil.rmtree(promoted.path / "storage/artifacts/workspaces")
    assert promoted.tell("run", "plan.json").status == 0
    assert promoted.verifies()


@pytest.fixture
def elsewhere():
    """A folder on another device than the project."""
    memory = Path("/dev/shm")
    if not (memory.is_dir() and os.access(memory, os.W_OK)):
        pytest.skip("there is no second device to write to here")
    folder = memory / f"noa-test-{os.getpid()}"
    folder.mkdir(mode=0o700)
    yield folder
    for parent, _, _ in os.walk(folder):
        os.chmod(parent, 0o700)
    shutil.rmtree(folder)


def test_a_store_on_another_device_than_the_ledger_works(folder, elsewhere, monkeypatch):
    from noa_mlops import AgentFactory, RuntimeManager, TrainingPlan, bootstrap_default_orchestrator

    monkeypatch.chdir(folder.path)
    if os.stat(elsewhere).st_dev == os.stat(folder.path).st_dev:
        pytest.skip("there is no second device to write to here")
    paths = (elsewhere / "artifacts", "storage/db/evidence/ledger.jsonl", "registry/capabilities.json")
    with bootstrap_default_orchestrator(AgentFactory(), RuntimeManager(), *paths) as orchestrator:
        report = orchestrator.run_plan(TrainingPlan.from_document(PLAN))
    assert report.promoted
    assert (elsewhere / "artifacts/little/command/1/manifest.json").exists()


def test_workspaces_on_another_device_are_refused_or_work(promoted, elsewhere):
    """A link in their place leads out of the project: it is not followed in silence."""
    workspaces = promoted.path / "storage/artifacts/workspaces"
    shutil.rmtree(workspaces)
    workspaces.symlink_to(elsewhere)
    result = promoted.tell("run", "plan.json")
    assert result.status in (0, 2, 5), result.said
    assert "Traceback" not in result.said
    assert promoted.verifies()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b'{"version": 2, "capabilities": []}', "is not of the form"),
        (b'{"version": 1, "capabilities": [{"type": "x"}]}', "without an id"),
        (b'{"version": 1, "version": 1, "capabilities": []}', "twice"),
        (b'{"version": 1, "capabilities": [{"id": "ml.lifecycle.controller", "type": "video"}]}', "not ours"),
    ],
)
def test_a_capability_manifest_that_cannot_be_used_is_left_as_it_is(promoted, content, words):
    promoted.write("registry/capabilities.json", content)
    before = promoted.state()
    result = promoted.tell("run", "plan.json")
    assert result.status == 5, result.said
    assert words in result.err
    assert str(promoted.path / "registry/capabilities.json") in result.err
    assert len(result.err.splitlines()) == 2
    assert promoted.state() == before


def test_an_edited_mirror_stops_the_run_and_is_not_overwritten(promoted):
    mirror = promoted.path / "registry/ml_artifacts.log"
    mirror.write_bytes(mirror.read_bytes().replace(b'"champion":1', b'"champion":7', 1))
    before = promoted.state()
    result = promoted.tell("run", "plan.json")
    assert result.status == 4, result.said
    assert "ml_artifacts.log" in result.err
    assert "noa doctor --repair" in result.err
    assert promoted.state() == before


def test_an_edited_ledger_stops_every_command_that_writes(promoted):
    ledger = promoted.path / "storage/db/evidence/ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes().replace(b'"roc_auc":0.', b'"roc_auc":1.', 1))
    before = promoted.state()
    result = promoted.tell("run", "plan.json")
    assert result.status == 4, result.said
    assert str(ledger) in result.err
    checked = promoted.tell("verify")
    assert (checked.status, "entry 3" in checked.out) == (4, True), checked.said
    assert promoted.state() == before


def test_the_full_report_of_a_refusal_is_json_too(promoted, key):
    key.chmod(0o644)
    document = promoted.tell("run", "plan.json", "--json").document
    assert document["exit"] == 5
    assert str(key) in document["error"]
    assert "chmod" in document["hint"]
    assert json.dumps(document)
