"""Every kind of incident, made on purpose: whoever types what the doctor says, word for word, comes back to *nothing is wrong*."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from end_to_end.projects import Project, alive, rows, told, until, window, with_permissions
from end_to_end.test_override import FLAT, WORSE
from noa_mlops.audit.room import LOW_DISK

RUNBOOKS = Path(__file__).parents[2]


def ask(project, asked=Project.tell):
    """What the doctor finds; each diagnosis must say where that is seen, and lead to a page that shows its commands."""
    found = asked(project, "doctor", "--json").document
    for diagnosis in found:
        assert diagnosis["evidence"]
        page = RUNBOOKS.joinpath(diagnosis["runbook"]).read_text()
        for command in diagnosis["commands"]:
            words = command.split()
            assert f" {' '.join(words[:2] if words[0] == 'noa' else words[:1])} " in page.replace("\n", " ")
    return found


def follow(project, blank="...", asked=Project.tell):
    """Do what the first diagnosis says, and ask again, until nothing is wrong; every command that was typed.

    ``blank`` is what a person would put in the place of the three dots.
    """
    typed, rounds = [], 0
    while found := ask(project, asked):
        rounds += 1
        assert rounds < 8, typed
        for command in found[0]["commands"]:
            typed.append(command)
            line = command.replace("...", str(blank))
            if line.startswith("noa "):
                told(*shlex.split(line)[1:], "-C", str(project.path))
            else:
                subprocess.run(line, shell=True, cwd=project.path, check=True)
    assert project.done("doctor").said == "nothing is wrong\n"
    return typed


def areas(project, asked=Project.tell):
    return [diagnosis["area"] for diagnosis in ask(project, asked)]


def test_a_trainer_that_was_killed(promoted):
    promoted.programs(train='echo "token=hunter2 step 7" >&2; kill -9 $$\n')
    promoted.done("run", promoted.plan(seed=1), status=6)
    [found] = ask(promoted)
    assert found["problem"] == "little@2 failed (signal): the trainer was killed by signal 9"
    assert found["details"] == ["it said: token=*** step 7"]
    assert "what next: noa doctor" in promoted.done("status").said
    assert found["evidence"] == f"entry 6, {promoted.workspace('little-2')}"
    promoted.programs()
    assert follow(promoted) == ["noa logs little@2", "noa run little@2"]
    assert promoted.champion() == 3


def test_an_evaluation_that_failed(promoted):
    promoted.programs(predict="echo 'no such column' >&2; exit 2\n")
    promoted.done("run", promoted.plan(seed=1), status=6)
    [found] = ask(promoted)
    assert (found["area"], found["details"]) == ("evaluation", ["it said: no such column"])
    assert found["evidence"] == f"entry 7, {promoted.workspace('little-2.predict')}"
    promoted.programs()
    assert follow(promoted) == ["noa logs little@2", "noa run little@2"]


def test_a_training_that_met_its_time_limit(promoted):
    promoted.programs(train="sleep 9\n")
    promoted.done("run", promoted.plan(seed=1, resources={"time": "1s"}), status=6)
    [found] = ask(promoted)
    assert "little@2 failed (time_limit)" in found["problem"]
    assert "raise resources.time (1s now) in the plan" in found["remedy"]
    promoted.programs()
    assert follow(promoted, promoted.plan("longer.json", seed=1)) == ["noa logs little@2", "noa run ..."]


def test_a_run_that_was_killed_on_its_way(promoted, mark):
    promoted.programs(
        train=f"[ -e checkpoint/begun ] || {{ touch checkpoint/begun; sleep {mark}; }}\necho 0.5 > out/cut\n"
    )
    run = promoted.start("run", promoted.plan(seed=1))
    until(lambda: alive(mark))
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    until(lambda: not alive(mark))
    assert [found["problem"] for found in ask(promoted)] == ["little@2 was interrupted"]
    assert follow(promoted) == ["noa run little@2"]


def test_a_run_that_was_killed_and_is_not_continued_as_its_code_changed(promoted, mark):
    promoted.programs(train=f"sleep {mark}\n")
    run = promoted.start("run", promoted.plan(seed=1))
    until(lambda: alive(mark))
    assert areas(promoted) == [], "somebody owns it"
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    until(lambda: not alive(mark))
    promoted.programs()
    assert follow(promoted) == ["noa run little@2"]
    assert promoted.champion() == 3


def test_a_version_that_was_not_good_enough(promoted):
    promoted.programs(train=WORSE, predict=FLAT)
    promoted.done("run", promoted.plan(seed=1), status=3)
    [found] = ask(promoted)
    assert found["problem"].startswith("little@2 was not promoted (fail): roc_auc")
    assert [line for line in found["details"] if line.endswith("asked: at least 0.8")]
    assert "data/eval.csv is still the data" in found["problem"]
    good = (promoted.path / "data/eval.csv").read_bytes()
    promoted.write("data/eval.csv", good + b"0.5,0.5,1\n")
    assert "data/eval.csv changed since it was measured" in ask(promoted)[0]["problem"]
    (promoted.path / "data/eval.csv").unlink()
    assert "data/eval.csv cannot be read any more" in ask(promoted)[0]["problem"]
    promoted.write("data/eval.csv", good)
    promoted.programs()
    assert follow(promoted) == ["noa evaluate little@2", "noa run little@2"]
    assert promoted.champion() == 3


def test_a_version_that_was_measured_on_damaged_data_which_hurt_the_champion_too(promoted):
    good = rows(1300, 21)
    promoted.write("data/eval.csv", good.replace(",1\n", ",2\n").replace(",0\n", ",1\n").replace(",2\n", ",0\n"))
    promoted.done("run", promoted.plan(seed=1), status=3)
    assert areas(promoted) == ["gate", "rollout"]
    assert re.match(r"roc_auc: 0\.0\d+, was 0\.99\d+: dropped", ask(promoted)[1]["details"][0])
    promoted.write("data/eval.csv", good)
    assert "data/eval.csv changed since it was measured" in ask(promoted)[0]["problem"]
    follow(promoted, "the labels were exchanged")
    assert "READY" in promoted.done("status").said


def test_windows_that_are_too_few_data(promoted):
    promoted.write("data/train.csv", rows(2000, 1))
    promoted.done("run", promoted.plan(seed=1))
    for seed in (1, 2, 3):
        assert ask(promoted) == []
        few = promoted.write("data/few.csv", window(seed, count=10))
        promoted.done("drift", "little", "--current", "data/few.csv")
    [found] = ask(promoted)
    assert found["problem"] == "the newest 3 windows of little were too few rows to see a drift"
    assert found["evidence"] == "entries 9, 10, 11"
    few.write_text(window(4, count=20_000))
    assert follow(promoted, "data/few.csv") == ["noa drift little --current ..."]


MANIFEST = "registry/capabilities.json"


@pytest.mark.parametrize("mode", [0o444, 0o000])
def test_a_capability_manifest_that_may_not_be_written_or_read(promoted, mode):
    path = promoted.path / MANIFEST
    path.chmod(mode)
    [found] = ask(promoted, with_permissions)
    assert found["problem"] == f"{path} is not writable (mode {mode:o}, owner {os.geteuid()}:{os.getegid()})"
    assert found["evidence"] == str(path)
    chown, repair = follow(promoted, asked=with_permissions)
    assert (chown, repair) == (
        f"chown {os.geteuid()}:{os.getegid()} {path} && chmod u+rwX {path}",
        "noa doctor --repair",
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can give a file away")
def test_registry_files_of_somebody_else(promoted):
    for name in (MANIFEST, "registry/ml_artifacts.log", "registry"):
        os.chown(promoted.path / name, 65534, 65534)
        (promoted.path / name).chmod(0o700 if name == "registry" else 0o600)
    found = ask(promoted, with_permissions)
    assert {diagnosis["area"] for diagnosis in found} == {"registry"}
    assert "owner 65534:65534" in found[0]["problem"]
    assert not re.search(r"sudo|as root", json.dumps(found))
    follow(promoted, asked=with_permissions)
    promoted.done("run", promoted.plan(seed=1))


@pytest.mark.parametrize(
    "content",
    [
        None,
        b'{"version": 1, "capabil',
        b"[]",
        b'{"version": 1, "capabilities": [{"id": "ml.lifecycle.controller", "type": "video"}]}',
    ],
)
def test_a_capability_manifest_that_is_no_file_or_no_manifest(promoted, content):
    path = promoted.path / MANIFEST
    path.unlink()
    path.mkdir() if content is None else path.write_bytes(content)
    assert areas(promoted) == ["registry"]
    assert follow(promoted) == [f"mv {path} {path}.old", "noa doctor --repair"]


def test_both_files_of_the_registry_at_once(promoted):
    for name in (MANIFEST, "registry/ml_artifacts.log"):
        (promoted.path / name).unlink()
        (promoted.path / name).mkdir()
    assert areas(promoted) == ["registry", "registry"]
    follow(promoted)


def test_a_rollout_that_data_blocked(promoted):
    promoted.write("data/now.csv", window(14, moved=0.5))
    promoted.done("drift", "little", "--current", "data/now.csv", status=3)
    [found] = ask(promoted)
    assert "little is blocked since entry 5" in found["problem"]
    assert "the scan of data/now.csv" in found["problem"]
    assert found["evidence"] == "entry 5"
    assert any(line.startswith("x: values drifted") for line in found["details"])
    assert "step 1 of 4: diff, investigate, run, enable" in found["details"]
    assert "incident, entry 5; next: noa diff little" in promoted.done("status").said
    assert 'noa investigate little --finding "..."' in promoted.done("show", "little").said
    promoted.write("data/eval.csv", rows(1300, 21))
    assert follow(promoted, "the feed was changed") == [
        "noa diff little",
        'noa investigate little --finding "..."',
        "noa run little@1",
        'noa enable little@2 --reason "..."',
    ]
    assert promoted.champion() == 2
    assert "READY" in promoted.done("status").said


def test_a_version_that_may_not_end_the_incident_is_not_offered(promoted):
    """It was measured on the data on which the champion was, so the ledger's law would refuse it."""
    promoted.write("data/now.csv", window(14, moved=0.5))
    promoted.done("drift", "little", "--current", "data/now.csv", status=3)
    promoted.done("investigate", "little", "--finding", "the feed was changed")
    promoted.done("run", promoted.plan(seed=1), status=3)
    [found] = ask(promoted)
    assert found["commands"] == ["noa run little@1"]
    promoted.done("enable", "little@2", "--reason", "it passed", status=5)


def test_it_says_how_many_operators_have_approved_what_ends_the_incident(promoted):
    promoted.write("data/now.csv", window(14, moved=0.5))
    promoted.done("drift", "little", "--current", "data/now.csv", status=3)
    promoted.done("investigate", "little", "--finding", "the feed was changed")
    promoted.write("data/eval.csv", rows(1300, 21))
    promoted.done("run", promoted.plan(seed=1, approvals={"required": 2}), status=3)
    assert "each with a key of their own (0 of 2 have)" in ask(promoted)[0]["remedy"]
    promoted.done("enable", "little@2", "--reason", "measured on data of now", status=7)
    assert "(1 of 2 have)" in ask(promoted)[0]["remedy"]


def test_a_false_alarm_ends_with_the_champion_itself(promoted):
    promoted.write("data/now.csv", window(14, moved=0.5))
    promoted.done("drift", "little", "--current", "data/now.csv", status=3)
    promoted.done("investigate", "little", "--finding", "the export was wrong")
    assert "noa evaluate little@1" in ask(promoted)[0]["remedy"]
    promoted.write("data/eval.csv", rows(1300, 21))
    promoted.done("evaluate", "little@1")
    assert follow(promoted, "all is well") == ['noa enable little@1 --reason "..."']


def test_an_override_that_has_expired(promoted):
    promoted.plan("strict.json", evaluation={"dataset_path": "data/eval.csv", "metric_thresholds": {"roc_auc": 0.9999}})
    promoted.done("run", "strict.json", status=3)
    promoted.done("evaluate", "little@2", status=3)
    promoted.done("override", "little@2", "--expires", "1s", "--reason", "for now")
    time.sleep(1.1)
    [found] = ask(promoted)
    assert "the override that put little@2 in force has expired" in found["problem"]
    assert found["evidence"].startswith("entry ")
    assert follow(promoted, "it has expired")[0] == 'noa rollback little --to 1 --reason "..."'
    assert promoted.champion() == 1


EVIDENCE = "storage/db/evidence"
MODEL = "storage/artifacts/little/command/1"


def edited(path):
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1))


def gone(path):
    path.parent.chmod(0o755)
    path.unlink()


def grown(path):
    path.chmod(0o755)
    (path / "more").write_text("of somebody")


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        (f"{EVIDENCE}/ledger.jsonl", edited),
        (f"{EVIDENCE}/ledger.jsonl", gone),
        (f"{EVIDENCE}/checkpoints.log", edited),
        (f"{EVIDENCE}/objects", shutil.rmtree),
        (f"{MODEL}/model/cut", gone),
        (f"{MODEL}/manifest.json", edited),
        (MODEL, grown),
        ("storage/artifacts/little", shutil.rmtree),
    ],
    ids=lambda part: part if isinstance(part, str) else part.__name__,
)
def test_evidence_that_was_damaged_comes_back_from_a_copy(promoted, home, name, harm):
    copy = home / "a copy"
    shutil.copytree(promoted.path, copy, symlinks=True)
    harm(promoted.path / name)
    promoted.done("doctor", status=4)
    before = promoted.path.joinpath(EVIDENCE, "ledger.jsonl")
    assert not before.exists() or before.read_bytes()
    typed = follow(promoted, shlex.quote(str(copy)))
    assert typed[-1] == "noa verify"
    assert promoted.verifies()


def test_what_was_in_the_place_of_a_damaged_version_is_kept(promoted, home):
    shutil.copytree(promoted.path, home / "copy", symlinks=True)
    grown(promoted.path / MODEL)
    follow(promoted, home / "copy")
    [kept] = promoted.path.glob("damaged.*/1/more")
    assert kept.read_text() == "of somebody"


def test_a_version_that_became_a_link_is_moved_aside_and_nothing_behind_it_is_touched(promoted, home):
    shutil.copytree(promoted.path, home / "copy", symlinks=True)
    (home / "elsewhere").mkdir(mode=0o555)
    version = promoted.path / MODEL
    version.chmod(0o755)
    shutil.rmtree(version)
    version.symlink_to(home / "elsewhere")
    follow(promoted, home / "copy")
    assert (home / "elsewhere").stat().st_mode & 0o777 == 0o555
    assert promoted.verifies()


@pytest.mark.parametrize("name", ["registry/ml_artifacts.log", "registry/checkpoint", MANIFEST])
def test_a_registry_that_does_not_say_what_the_ledger_says(promoted, name):
    path = promoted.path / name
    if name == MANIFEST:
        path.write_text('{"version": 1, "capabilities": []}')
    else:
        edited(path)
    assert follow(promoted) == ["noa doctor --repair"]
    assert promoted.verifies()


@pytest.mark.parametrize("case", ["gone", "a file"])
def test_a_registry_that_is(promoted, case):
    folder = promoted.path / "registry"
    shutil.rmtree(folder)
    if case == "a file":
        folder.touch()
    assert follow(promoted)[-1] == "noa doctor --repair"
    assert promoted.verifies()


def test_workspaces_in_whose_place_a_file_is(promoted):
    place = promoted.path / "storage/artifacts/workspaces"
    shutil.rmtree(place)
    place.touch()
    assert follow(promoted) == [f"mv {place} {place}.old"]
    promoted.done("run", promoted.plan(seed=1))


def test_a_policy_that_was_edited_and_not_signed(promoted):
    policy = promoted.path / "policy.yaml"
    signed = policy.read_text()
    policy.write_text(f"{signed}other: true\n")
    assert "unknown field 'other'" in ask(promoted)[0]["problem"]
    floors = json.dumps({"little": {"resources": {"time": "10m"}}})
    policy.write_text(signed.replace("lifecycles: {}", f"lifecycles: {floors}"))
    assert "differs from the policy in force" in promoted.done("run", promoted.plan(seed=1), status=5).said
    assert follow(promoted) == ["noa policy diff", "noa policy sign"]
    promoted.done("run", promoted.plan(seed=1))


def test_a_line_that_a_crash_tore(promoted):
    with (promoted.path / EVIDENCE / "ledger.jsonl").open("ab") as ledger:
        ledger.write(b'{"_type":')
    assert follow(promoted) == ["noa doctor --repair"]
    assert list((promoted.path / EVIDENCE).glob("ledger.jsonl.torn-*"))


def test_a_checkpoint_that_a_crash_tore(promoted):
    with (promoted.path / EVIDENCE / "checkpoints.log").open("ab") as checkpoints:
        checkpoints.write(b"project/")
    assert follow(promoted) == ["noa doctor --repair"]
    assert promoted.verifies()


def test_a_checkpoint_that_was_acknowledged_and_cut_off_comes_back_from_a_copy(promoted, home):
    shutil.copytree(promoted.path, home / "copy", symlinks=True)
    promoted.done("verify")
    checkpoints = promoted.path / EVIDENCE / "checkpoints.log"
    os.truncate(checkpoints, checkpoints.stat().st_size - 20)
    assert follow(promoted, home / "copy")[-1] == "noa verify"


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can give a file away")
def test_a_project_of_somebody_else(promoted):
    for path in (promoted.path, *promoted.path.rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    assert sorted(set(areas(promoted, with_permissions))) == ["registry", "storage"]
    follow(promoted, asked=with_permissions)
    assert with_permissions(promoted, "run", promoted.plan(seed=1)).status == 0


def test_workspaces_that_nobody_needs_any_more(promoted):
    for folder, _, names in os.walk(promoted.path / "storage/artifacts/workspaces"):
        for name in (".", *names):
            os.utime(os.path.join(folder, name), (0, time.time() - 8 * 86400))
    [found] = ask(promoted)
    assert found["problem"].startswith("2 workspaces that nobody needs have not changed for 7 days")
    assert follow(promoted) == ["noa doctor --clean"]
    assert promoted.verifies()


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("storage/artifacts", 0o555),
        (f"{EVIDENCE}/ledger.jsonl", 0),
        (EVIDENCE, 0),
        ("storage", 0),
    ],
)
def test_storage_that_may_not_be_written_or_read(promoted, name, mode):
    path = promoted.path / name
    path.chmod(mode)
    assert follow(promoted, asked=with_permissions) == [
        f"chown {os.geteuid()}:{os.getegid()} {path} && chmod u+rwX {path}"
    ]


def test_keys_that_are_open_or_gone(promoted, home):
    [folder] = (home / "keys").iterdir()
    shutil.copytree(home / "keys", home / "backup")
    (folder / "verifier.pem").chmod(0o644)
    assert follow(promoted) == [f"chmod 600 {folder / 'verifier.pem'}"]
    shutil.rmtree(home / "keys")
    assert areas(promoted) == ["keys"]
    follow(promoted, home / "backup")
    promoted.done("run", promoted.plan(seed=1))


@pytest.fixture
def small_disk(home):
    """A disk that has just a little more than the room that the doctor asks for."""
    folder = home / "disk"
    folder.mkdir()
    size = LOW_DISK + (24 << 20)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "noa", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting needs rights that this user does not have")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_that_is_nearly_full(promoted, small_disk):
    project = Project(small_disk / "project")
    shutil.copytree(promoted.path, project.path, symlinks=True)
    assert areas(project) == []
    (project.workspace("little-1") / "left over").write_bytes(bytes(32 << 20))
    [found] = ask(project)
    assert found["area"] == "disk"
    assert f"{project.path / 'storage/artifacts/workspaces'} takes 32 MiB" in found["details"]
    assert "MiB are free" in found["problem"]
    assert follow(project) == ["noa doctor --clean --older-than 0s"]
    assert project.verifies()
