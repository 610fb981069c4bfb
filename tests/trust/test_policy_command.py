"""`noa policy` and `noa keys`: edited, signed here or elsewhere, rotated, revoked; and a project that goes on."""

from __future__ import annotations

import json
import shutil
import sys

import pytest

from end_to_end.projects import Project, lay_out
from noa_mlops.agents import AgentFactory, RuntimeManager
from noa_mlops.evidence import SigningKey, load_signing
from noa_mlops.ledger import Ledger
from noa_mlops.lifecycle import open_orchestrator
from noa_mlops.records.layout import Layout
from noa_mlops.records.plan import TrainingPlan

SIGNER = """
import pathlib, sys
from noa_mlops.evidence import load_signing
key = load_signing(pathlib.Path(sys.argv[1]).read_bytes())
sys.stdout.buffer.write(key.sign(sys.stdin.buffer.read()))
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project with a champion, and its keys."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOA_KEYS", str(folder / "keys"))
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        project = lay_out(folder / "project")
        for arguments in (("init",), ("run", "plan.json")):
            result = project.tell(*arguments)
            assert result.status == 0, result.said
    return folder


@pytest.fixture
def project(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True, symlinks=True)
    monkeypatch.setenv("NOA_KEYS", str(tmp_path / "keys"))
    return Project(tmp_path / "project")


def runtime_keys(project):
    """Who signed each entry."""
    return [entry["signatures"][0]["keyid"] for entry in project.entries()]


def verified(project):
    result = project.tell("verify")
    assert result.status == 0, result.said


def key_files(tmp_path):
    [folder] = (tmp_path / "keys").iterdir()
    return folder


def test_an_edit_counts_once_it_is_signed(project):
    path = project.path / "policy.yaml"
    path.write_text(path.read_text().replace("data_roots: []", 'data_roots: ["../shared"]'))
    assert "data_roots" in project.done("policy", "diff").said
    refused = project.done("run", "plan.json", status=5)
    assert "noa policy sign" in refused.said
    assert "in force from entry" in project.done("policy", "sign").said
    assert project.done("policy", "diff", "--json").document == {"changes": []}
    assert project.last_entry()[0] == "PolicyChanged"
    project.done("run", "plan.json")
    verified(project)


def test_a_rotated_runtime_key_goes_on_and_everything_still_verifies(project):
    old = runtime_keys(project)[-1]
    project.done("keys", "rotate", "verifier")
    project.done("run", "plan.json")
    signers = runtime_keys(project)
    assert signers[-1] != old
    assert signers[0] == old
    assert project.champion() is not None
    verified(project)
    listed = project.done("keys", "list", "--json").document
    assert old not in [key["keyid"] for key in listed]
    assert all(key["private_key_here"] for key in listed)


def test_a_lost_runtime_key_is_replaced_by_root_and_everything_goes_on(project, tmp_path):
    """Nothing can be run without it; the one thing that can be written is the change that names the next one."""
    (key_files(tmp_path) / "verifier.pem").unlink()
    project.done("run", "plan.json", status=5)
    project.done("keys", "rotate", "verifier")
    signed = runtime_keys(project)
    assert signed[-1] != signed[-2]
    verified(project)
    project.done("run", "plan.json")
    verified(project)


def test_rotated_model_operator_and_root_keys_go_on(project):
    for role in ("model", "operator", "root", "root"):
        project.done("keys", "rotate", role)
    project.done("run", "plan.json")
    verified(project)


def test_a_revoked_key_is_named_with_the_last_entry_trusted(project):
    old = runtime_keys(project)[-1]
    last = len(project.entries()) - 1
    project.done("keys", "revoke", old[:16])
    policy = project.last_entry()[1]["policy"]
    assert policy["revoked"] == {old: {"last": last}}
    project.done("run", "plan.json")
    assert runtime_keys(project)[-1] != old
    verified(project)


def test_a_key_stolen_earlier_blocks_what_rests_on_it(project):
    old = runtime_keys(project)[-1]
    project.done("keys", "revoke", old, "--last", "0")
    assert project.done("show", "little", "--json").document["rollout"]["status"] == "blocked"
    result = project.tell("verify")
    assert result.status == 0, result.said
    assert "nothing that it signed after entry 0 is trusted" in result.said


def test_a_new_colleague_signs_elsewhere(project, tmp_path, monkeypatch):
    """Root is on one machine, the colleague's key on another, the runtime on a third."""
    project.done("keys", "new", "operator")
    keys = key_files(tmp_path)
    fresh = next(path for path in keys.iterdir() if len(path.stem) == 16)
    shutil.copytree(tmp_path / "keys", tmp_path / "theirs")
    for name in ("root.pem", "verifier.pem", "operator.pem", "model.pem"):
        (tmp_path / "theirs" / keys.name / name).unlink()
    fresh.rename(tmp_path / "gone")
    request = str(tmp_path / "request.json")
    assert "the new key" in project.done("policy", "sign", status=5).said
    assert "the new key" in project.done("policy", "sign", "--request", request, status=7).said
    monkeypatch.setenv("NOA_KEYS", str(tmp_path / "theirs"))
    project.done("policy", "sign", "--request", request)
    monkeypatch.setenv("NOA_KEYS", str(tmp_path / "keys"))
    (keys / "root.pem").unlink()
    project.done("policy", "sign", "--admit", request)
    again = project.done("policy", "sign", "--admit", request, status=5)
    assert "not in force any more" in again.said
    verified(project)


def test_a_new_colleague_asks_for_a_role_and_root_admits(project, tmp_path):
    """The colleague's key is made where it stays; root sees what is asked for before anything is signed."""
    keys, request = key_files(tmp_path), str(tmp_path / "request.json")
    root = (keys / "root.pem").read_bytes()
    (keys / "root.pem").unlink()
    asked = json.loads(project.done("keys", "request", "operator", "--to", request, "--json").out)
    assert (keys / f"{asked['keyid'][:16]}.pem").exists()
    assert "exists" in project.done("keys", "request", "operator", "--to", request, status=5).said
    assert "quorum" in project.done("keys", "admit", request, status=5).said
    (keys / "root.pem").write_bytes(root)
    (keys / "root.pem").chmod(0o600)
    told = project.done("keys", "admit", request, "--dry-run").said
    assert f"held by {asked['keyid'][:16]}" in told
    assert project.last_entry()[0] != "PolicyChanged"
    project.done("keys", "admit", request)
    assert project.last_entry()[0] == "PolicyChanged"
    assert "not in force any more" in project.done("keys", "admit", request, status=5).said
    verified(project)


def test_without_roots_key_nothing_is_signed(project, tmp_path):
    (key_files(tmp_path) / "root.pem").unlink()
    before = project.state()
    result = project.done("keys", "rotate", "operator", status=5)
    assert "quorum" in result.said
    assert project.state() == before


def test_a_dry_run_changes_nothing(project, tmp_path):
    before, files = project.state(), sorted(path.name for path in key_files(tmp_path).iterdir())
    path = project.path / "policy.yaml"
    text = path.read_text()
    project.done("keys", "new", "operator", "--dry-run")
    project.done("keys", "rotate", "verifier", "--dry-run")
    project.done("keys", "revoke", runtime_keys(project)[0], "--dry-run")
    assert path.read_text() == text
    path.write_text(text.replace("data_roots: []", 'data_roots: ["../shared"]'))
    project.done("policy", "sign", "--dry-run")
    assert project.state() == before
    assert sorted(path.name for path in key_files(tmp_path).iterdir()) == files


@pytest.mark.parametrize(
    ("arguments", "status", "match"),
    [
        (("keys", "rotate", "nobody"), 2, "no role 'nobody'"),
        (("keys", "revoke", "0" * 16), 2, "is no key"),
        (("keys", "revoke", "0"), 2, "is no key"),
        (("keys", "new", "operator", "--sign-with", "x"), 2, "go together"),
        (("policy", "sign", "--request", "a", "--admit", "b"), 2, "name one of them"),
        (("policy", "sign", "--admit", "plan.json"), 2, "cannot be read|no request"),
    ],
)
def test_what_cannot_be_done_is_said(project, arguments, status, match, monkeypatch):
    monkeypatch.chdir(project.path)
    before = project.state()
    result = project.done(*arguments, status=status)
    assert any(word in result.said for word in match.split("|"))
    assert project.state() == before


def test_a_program_can_hold_the_runtimes_key(project, tmp_path):
    held = SigningKey.generate()
    (tmp_path / "held.pem").write_bytes(held.private_pem())
    (tmp_path / "held.pub").write_text(held.public.pem)
    (tmp_path / "signer.py").write_text(SIGNER)
    words = [sys.executable, str(tmp_path / "signer.py"), str(tmp_path / "held.pem")]
    program = [word for part in words for word in ("--sign-with", part)]
    old = runtime_keys(project)[-1]
    project.done("keys", "new", "verifier", "--public", str(tmp_path / "held.pub"), *program)
    project.done("policy", "sign")
    project.done("keys", "revoke", old)
    project.done("run", "plan.json")
    assert runtime_keys(project)[-1] == held.public.keyid
    verified(project)
    signer = key_files(tmp_path) / "signers.json"
    signer.write_text(json.dumps({held.public.keyid: {"sign": ["false"]}}))
    result = project.done("run", "plan.json", status=5)
    assert "failed" in result.said
    signer.write_text(json.dumps({held.public.keyid: {"sign": ["echo", "anything"]}}))
    assert "no signature of the key" in project.done("run", "plan.json", status=5).said
    signer.chmod(0o666)
    assert "changed by others" in project.done("run", "plan.json", status=5).said


def test_a_locked_key_is_opened_by_a_program_or_not_at_all(project, tmp_path):
    layout = Layout.of(project.path)
    root = Ledger.read_only(layout).state.policies[0].policy.roles["root"].keys[0]
    keys = key_files(tmp_path)
    key = load_signing((keys / "root.pem").read_bytes())
    (keys / "root.pem").write_bytes(key.private_pem(b"open sesame"))
    assert (keys / "root.pem").read_bytes().startswith(b"-----BEGIN ENCRYPTED")
    (keys / "signers.json").write_text(json.dumps({root: {"passphrase": ["echo", "wrong"]}}))
    (keys / "signers.json").chmod(0o600)
    assert "this passphrase opens" in project.done("keys", "rotate", "operator", status=5).said
    (keys / "signers.json").write_text(json.dumps({root: {"passphrase": ["echo", "open sesame"]}}))
    project.done("keys", "rotate", "operator")
    verified(project)


def test_an_orchestrator_that_is_open_takes_up_the_new_keys(project):
    layout = Layout.of(project.path)
    with open_orchestrator(layout, AgentFactory(), RuntimeManager()) as orchestrator:
        for role in ("verifier", "model"):
            project.done("keys", "rotate", role)
        plan = TrainingPlan.load(project.path / project.plan("other.json", lifecycle_id="other"))
        assert orchestrator.run_plan(plan).status == "ready"
    verified(project)
    assert runtime_keys(project)[-1] != runtime_keys(project)[0]
