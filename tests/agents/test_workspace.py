"""Workspaces: one owner at a time, wiped safely, kept where it helps."""

import json
import os
import signal
import stat
import subprocess
import sys

import pytest

from noa_mlops.agents import Workspace
from noa_mlops.errors import LedgerConflict, TrainingFailed


def test_is_closed_to_other_users(workspace):
    assert stat.S_IMODE(workspace.path.stat().st_mode) == 0o700


def test_has_one_owner_at_a_time(layout):
    first = Workspace.claim(layout, "rainfall-1")
    assert Workspace.claim(layout, "rainfall-1") is None
    first.release()
    with Workspace.claim(layout, "rainfall-1") as second:
        assert second.agent_id == "rainfall-1"


def test_can_be_claimed_when_its_owner_was_killed(layout):
    code = (
        "import sys, time; from pathlib import Path; from noa_mlops.agents import Workspace;"
        "from noa_mlops.records.layout import Layout;"
        "held = Workspace.claim(Layout.of(Path(sys.argv[1])), 'rainfall-1'); print('up', flush=True); time.sleep(60)"
    )
    arguments = [sys.executable, "-c", code, str(layout.project)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as owner:
        assert owner.stdout.readline() == b"up\n"
        assert Workspace.claim(layout, "rainfall-1") is None
        owner.send_signal(signal.SIGKILL)
    with Workspace.claim(layout, "rainfall-1") as claimed:
        assert claimed.path.is_dir()


def test_claiming_alone_changes_nothing_in_it(workspace, layout):
    (workspace.out / "model").write_text("trained")
    workspace.release()
    with Workspace.claim(layout, "rainfall-1") as again:
        assert (again.out / "model").read_text() == "trained"


def test_a_new_attempt_keeps_the_checkpoint_and_nothing_else(workspace):
    for folder in (workspace.out, workspace.tmp, workspace.data, workspace.code, workspace.checkpoint):
        (folder / "x").write_text("old")
    workspace.progress.write_text("old")
    workspace.prepare()
    left = [path for path in workspace.path.rglob("*") if path.is_file() and path.read_text()]
    assert left == [workspace.checkpoint / "x"]
    assert workspace.progress.read_text() == ""


def test_wipes_what_a_hostile_agent_left_and_nothing_outside(workspace, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "key").write_text("key")
    (workspace.out / "link").symlink_to(precious)
    os.mkfifo(workspace.out / "pipe")
    locked = workspace.out / "locked"
    locked.mkdir()
    (locked / "file").write_text("")
    locked.chmod(0)
    here = os.getcwd()
    try:
        os.chdir(workspace.tmp)
        for _ in range(3000):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(here)
    workspace.prepare()
    assert list(workspace.out.iterdir()) == list(workspace.tmp.iterdir()) == []
    assert (precious / "key").read_text() == "key"


@pytest.mark.parametrize("name", ["out", "checkpoint", "tmp"])
def test_replaces_a_link_where_a_folder_should_be(workspace, tmp_path, name):
    folder = workspace.path / name
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    workspace.prepare()
    assert folder.is_dir()
    assert not folder.is_symlink()


@pytest.mark.parametrize("kind", ["link", "file"])
def test_refuses_a_path_that_is_no_folder(layout, tmp_path, kind):
    path = layout.workspace("rainfall-1")
    path.parent.mkdir(parents=True)
    if kind == "link":
        path.symlink_to(tmp_path)
    else:
        path.write_text("")
    with pytest.raises(LedgerConflict, match="not a folder"):
        Workspace.claim(layout, "rainfall-1")


def test_notices_that_it_was_replaced(workspace, tmp_path):
    workspace.check()
    workspace.path.rename(tmp_path / "moved")
    with pytest.raises(TrainingFailed, match="replaced"):
        workspace.check()
    workspace.path.symlink_to(tmp_path / "moved")
    with pytest.raises(TrainingFailed, match="replaced"):
        workspace.prepare()


def test_writes_the_payload_as_json_for_its_owner_only(workspace):
    workspace.write_payload({"schema": 1, "target": "rain"})
    assert json.loads(workspace.payload.read_text()) == {"schema": 1, "target": "rain"}
    assert stat.S_IMODE(workspace.payload.stat().st_mode) == 0o600


def test_shows_the_end_of_the_errors_or_of_the_output(workspace):
    assert workspace.tail() == ""
    (workspace.path / "stdout.log").write_text("said\n")
    assert workspace.tail() == "said"
    (workspace.path / "stderr.log").write_text("x" * 5000 + "\nlast words\n")
    assert workspace.tail().endswith("last words")
    assert len(workspace.tail()) <= 4096
