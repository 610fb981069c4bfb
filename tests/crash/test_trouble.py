"""What happens around a run: data that changes, folders in the way, disks that fail or are full."""

import errno
import os
import resource
import shutil
import signal
import subprocess

import pytest

from crash.projects import (
    MOMENTS,
    Calls,
    Layout,
    Project,
    count_calls,
    die_at,
    end_of,
    fail_at,
    orchestrator,
    plan,
    processes_of,
    run_plan,
    start,
    stop_at,
    until,
    write_data,
)
from noa_mlops.errors import LedgerConflict, LifecycleError

KILLED = -9
DECIDING = "before the decision is recorded"


def cut_off(project, moment="before the training is recorded", given=None):
    """A first version that was killed on its way."""
    assert end_of(start(die_at, project.layout, *MOMENTS[moment], given)) == KILLED


@pytest.mark.parametrize(
    ("moment", "file", "kind"),
    [
        ("before the submission is synced", "train.csv", "TrainingFailed"),
        ("before the training is recorded", "holdout.csv", "EvaluationFailed"),
    ],
)
def test_data_that_changes_after_the_submission_fails_the_run_and_not_the_next(project, moment, file, kind):
    running = start(stop_at, project.layout, *MOMENTS[moment])
    until(lambda: stopped(running))
    with (project.layout.project / "data" / file).open("a") as data:
        data.write("7,1\n")
    os.kill(running.pid, signal.SIGCONT)
    assert end_of(running) == 6
    last = project.entries()[-1]
    assert last.type == kind
    assert "digest changed" in str(last.predicate)
    assert project.run().address == "odd@2"
    assert project.statuses() == ["failed", "champion"]
    assert project.findings() == []


def stopped(process):
    with open(f"/proc/{process.pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "T"


def test_a_run_whose_data_changed_is_not_continued_and_the_report_says_so(project):
    cut_off(project)
    write_data(project.layout.project, start=200)
    report = project.run()
    assert report.address == "odd@2"
    assert report.notes == ("odd@1 is unfinished and was not continued: its evaluation data changed",)
    write_data(project.layout.project)
    assert project.run().address == "odd@1"
    assert project.statuses() == ["champion", "former"]


def test_a_run_whose_plan_changed_is_not_continued_and_the_report_says_so(project):
    cut_off(project)
    report = project.run(plan=plan(seed=1))
    assert report.address == "odd@2"
    assert report.notes == ("odd@1 is unfinished and was not continued: its plan is another one",)


def test_a_run_whose_code_changed_is_not_continued_and_the_report_says_so(project):
    code = project.layout.project / "more.py"
    code.write_text("one = 1\n")
    given = plan(code=["more.py"])
    cut_off(project, given=given)
    code.write_text("one = 2\n")
    report = project.run(plan=given)
    assert report.notes == ("odd@1 is unfinished and was not continued: its code changed",)


def test_an_old_unfinished_run_is_named_once_and_not_for_ever(project):
    cut_off(project)
    assert len(project.run(plan=plan(seed=1)).notes) == 1
    assert project.run(plan=plan(seed=1)).notes == ()


def test_a_model_that_was_lost_fails_its_run_and_the_next_one_starts_anew(project):
    cut_off(project, "before the predictor starts")
    shutil.rmtree(project.layout.workspaces)
    assert project.run().state == "failed"
    assert project.run().address == "odd@2"
    assert project.findings() == []


@pytest.mark.parametrize("agent", ["odd-1", "odd-1.predict"])
def test_a_workspace_that_is_a_link_is_refused_and_its_target_left_alone(project, home, agent):
    target = home / "elsewhere"
    target.mkdir()
    (target / "mine").write_text("mine")
    project.layout.workspaces.mkdir()
    link = project.layout.workspaces / agent
    link.symlink_to(target)
    with pytest.raises(LedgerConflict, match="not a folder that can be used"):
        project.run()
    assert [path.name for path in target.iterdir()] == ["mine"]
    link.unlink()
    assert project.run().address == "odd@1"
    assert project.statuses() == ["champion"]


def test_nothing_of_a_workspace_that_no_entry_knows_reaches_the_model(project):
    workspace = project.layout.workspaces / "odd-1"
    for name in ("checkpoint/sign", "out/evil", "tmp/x", "told", "predictions.parquet", "stdout.log"):
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_text("left over")
    running = start(run_plan, project.layout, plan(profile="waits-for-a-sign"))
    until(lambda: processes_of(project.layout))
    assert not (workspace / "checkpoint" / "sign").exists()
    (workspace / "checkpoint" / "sign").touch()
    assert end_of(running) == 0
    assert not list(project.layout.artifacts.rglob("evil"))
    assert project.findings() == []


def test_a_folder_left_in_the_store_by_a_lost_run_gives_way(project):
    folder = project.layout.version("odd", "shell", 1)
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "model.txt").write_text("of nobody")
    (folder / "model").chmod(0o555)
    folder.chmod(0o555)
    assert project.run().promoted
    assert project.findings() == []


@pytest.mark.parametrize("where", ["fdatasync in growing", "rename in store"])
def test_a_sync_or_a_rename_that_fails_is_an_error_and_the_next_run_goes_on(project, where):
    assert end_of(start(fail_at, project.layout, where, 1, errno.EIO)) == 5
    assert end_of(start(run_plan, project.layout)) == 0
    assert project.statuses() == ["champion"]
    assert project.findings() == []


def test_a_run_that_any_one_call_fails_acknowledges_nothing_that_is_not_so(project, home):
    """Sampled over the whole run; each trial in a lifecycle of its own."""
    assert end_of(start(count_calls, project.layout, home / "calls")) == 0
    for nth in range(3, len((home / "calls").read_text().splitlines()), 53):
        given = plan(lifecycle_id=f"odd-{nth}")
        status = end_of(start(fail_at, project.layout, "", nth, errno.ENOSPC, given))
        assert status in (0, 1, 5, 6)
        assert end_of(start(run_plan, project.layout, given)) == 0
        states = project.statuses(given.lifecycle_id)
        assert states.count("champion") == 1, f"call {nth} failed"
        assert states.count("former") == (status == 0), f"call {nth} failed"
    assert project.findings() == []


@pytest.mark.parametrize("where", ["write in mirror", "fdatasync in mirror"])
def test_a_mirror_that_cannot_be_written_after_the_decision_is_said_and_mended_by_the_next_run(project, where):
    with orchestrator(project.layout) as running, Calls(where, 1, fail).watched():
        report = running.run_plan(plan())
    assert report.promoted
    assert "registry mirror pending" in report.notes[0]
    assert "noa doctor --repair" in report.notes[0]
    assert project.run(plan=plan("even")).promoted
    assert project.findings() == []


@pytest.mark.parametrize("reading", ["changed", "freeze_output", "read_predictions"])
def test_trouble_of_the_machine_is_not_recorded_against_a_model(project, reading):
    with orchestrator(project.layout) as running:
        with Calls("open", 1, too_many_files, within=reading).watched(), pytest.raises(OSError, match="Too many"):
            running.run_plan(plan())
        assert running.run_plan(plan()).address == "odd@1"
    assert project.statuses() == ["champion"]


def too_many_files():
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def fail():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def limited(layout, size):
    """Run a plan in a process that may not write a file beyond ``size`` bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    return run_plan(layout)


@pytest.mark.parametrize("room", [100, 2_000, 5_000])
def test_a_ledger_that_cannot_grow_loses_nothing_and_goes_on_when_it_can(project, room):
    size = project.layout.ledger.stat().st_size
    assert end_of(start(limited, project.layout, size + room)) == 5
    assert end_of(start(run_plan, project.layout)) == 0
    assert project.statuses() == ["champion"]
    assert project.findings() == []


@pytest.fixture
def disk(home):
    """A disk of 1 MiB of its own."""
    folder = home / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "noa", folder], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting needs rights that this user does not have")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_named_and_nothing_is_lost_when_there_is_room_again(disk):
    project = Project.at(disk / "project")
    for left in (0, 16, 32):
        filler = disk / "filler"
        free = os.statvfs(disk)
        filler.write_bytes(b"x" * (free.f_bavail * free.f_frsize - (left << 10)))
        with pytest.raises((LifecycleError, OSError), match=r"No space left|could not be written in full"):
            project.run()
        filler.unlink()
    assert project.run().address == "odd@1"
    assert project.statuses() == ["champion"]
    assert project.findings() == []


def test_a_full_disk_that_is_made_larger_lets_the_same_run_go_on(disk):
    project = Project.at(disk / "project")
    (disk / "filler").write_bytes(b"x" * (os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize))
    for _ in range(2):
        with pytest.raises((LifecycleError, OSError), match="No space left") as caught:
            project.run()
        assert len(str(caught.value).splitlines()) == 1
    subprocess.run(["mount", "-o", "remount,size=4m", disk], check=True)
    assert project.run().address == "odd@1"
    assert [entry.version for entry in project.entries() if entry.type == "PromotionReady"] == [1]
    assert project.findings() == []


def test_storage_that_is_read_only_is_refused_before_anything_runs(disk):
    project = Project.at(disk / "project")
    before = project.layout.ledger.read_bytes()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(LifecycleError, match=r"not writable|cannot be opened for writing") as caught:
        project.run()
    assert caught.value.exit_code == 5
    assert project.layout.ledger.read_bytes() == before
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    assert project.run().address == "odd@1"


def test_workspaces_on_another_device_than_the_store_work(disk, home):
    """As a rename between them would not."""
    layout = Layout.of(home / "project")
    layout.artifacts.mkdir(parents=True)
    (disk / "workspaces").mkdir()
    subprocess.run(["mkdir", layout.workspaces], check=True)
    subprocess.run(["mount", "--bind", disk / "workspaces", layout.workspaces], check=True)
    try:
        write_data(layout.project)
        project = Project(layout)
        assert project.run().promoted
        assert project.findings() == []
    finally:
        subprocess.run(["umount", layout.workspaces], check=True)
