"""The tool that tries to lose data does lose it where it can be lost, and only there."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tools.disk import VARIANTS, Disk, File, build
from tools.traces import read

ROOT = Path(__file__).parents[2]
needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace is not installed: apt-get install strace"
)


def sweep(mode, command, *options):
    """Run the tool over one of `faults.writers`; survived, tried, and what it said."""
    steps = {"--setup": "prepare", "--cmd": command, "--check": "holds"}
    words = [word for option, name in steps.items() for word in (option, f"python:faults.writers:{name}")]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}"}
    line = [sys.executable, "-m", "tools.faultline", mode, *words, *options]
    done = in_time(line, environment)
    told = re.search(r"survived (\d+) of (\d+)\n$", done.stdout)
    assert told is not None, done.stdout + done.stderr
    survived, tried = map(int, told.groups())
    assert done.returncode == (survived < tried), done.stderr
    return survived, tried, done.stdout


def in_time(line, environment):
    """Run the tool; where strace has not come back, which a busy machine has shown, once more."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        return subprocess.run(line, capture_output=True, text=True, check=False, env=environment, timeout=60)
    return subprocess.run(line, capture_output=True, text=True, check=False, env=environment, timeout=60)


@needs_strace
def test_a_durable_writer_survives_everything():
    for mode in ("inject", "powercut"):
        survived, tried, said = sweep(mode, "durably", "--jobs", "2")
        assert survived == tried >= 10, said


@needs_strace
def test_a_careless_writer_is_caught_by_a_kill_or_a_full_disk():
    survived, tried, said = sweep("inject", "carelessly")
    assert survived < tried
    assert "LOST  kill@write#1" in said
    assert "LOST  ENOSPC@write#1" in said


@needs_strace
def test_a_writer_that_never_syncs_is_caught_by_power_cuts_alone():
    survived, tried, _ = sweep("inject", "without_sync")
    assert survived == tried
    survived, tried, said = sweep("powercut", "without_sync")
    assert survived < tried
    assert "the record gives the real folder: yes" in said


@needs_strace
def test_nothing_that_comes_before_a_step_is_traced_and_so_meets_its_fault(tmp_path):
    source = f"""
        import os, time
        from tools.steps import Steps
        os.register_at_fork(after_in_child=lambda: time.sleep(0.2))
        for number in range(3):
            options = ("-f", "-o", "{tmp_path}/" + str(number), "-e", "trace=close,openat,dup2")
            assert Steps(10).traced("python:faults.writers:idly", os.environ, options, os.devnull).status == 0
    """
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}"}
    subprocess.run([sys.executable, "-c", textwrap.dedent(source)], check=True, env=environment, timeout=60)
    logs = [log.read_text() for log in tmp_path.iterdir()]
    assert len(logs) == 3
    assert not [log for log in logs if "(" in log.replace("write(", "")]


@needs_strace
def test_a_process_that_stays_behind_is_a_loss():
    survived, tried, said = sweep("inject", "leaving_a_process", "--faults", "kill", "--max", "1")
    assert (survived, tried) == (1, 2), said


def test_a_cut_loses_what_is_not_synced_and_nothing_else(tmp_path):
    (tmp_path / "kept").write_bytes(b"kept")
    disk = Disk(str(tmp_path))
    kept, new = disk.find(f"{tmp_path}/kept"), File(bytearray(b"x" * 2000), b"", 0o600, [(0, b"x" * 2000)])
    kept.live += b"+"
    kept.pending.append((4, b"+"))
    disk.set_names((f"{tmp_path}/new", new))
    states = {
        variant: {Path(path).name: data for path, (_, data) in disk.after_cut(variant).items()} for variant in VARIANTS
    }
    assert states["strict"] == {"kept": b"kept"}
    assert states["names"] == {"kept": b"kept", "new": b""}
    assert states["data"] == {"kept": b"kept+"}
    assert states["torn"] == {"kept": b"kept", "new": b"x" * 1000}
    assert states["zeros"] == {"kept": b"kept\0", "new": b"\0" * 2000}
    assert states["hole"]["new"] == b"x" * 512 + b"\0" * 512 + b"x" * 976
    assert states["headless"]["new"] == b"\0" * 512 + b"x" * 1488
    assert states["killed"] == {"kept": b"kept+", "new": b"x" * 2000}
    for node in (kept, new, disk.find(str(tmp_path))):
        disk.sync(node)
    assert {str(disk.after_cut(variant)) for variant in VARIANTS} == {str(disk.after_cut("killed"))}


def test_a_rename_between_folders_is_there_in_both_or_in_neither(tmp_path):
    for name in ("from", "to"):
        (tmp_path / name).mkdir()
    (tmp_path / "from" / "file").write_bytes(b"1")
    disk = Disk(str(tmp_path))
    source, target = f"{tmp_path}/from/file", f"{tmp_path}/to/file"
    disk.set_names((target, disk.find(source)), (source, None))
    assert source in disk.after_cut("strict")
    assert target in disk.after_cut("names")
    disk.sync(disk.find(f"{tmp_path}/to"))
    assert disk.after_cut("strict").keys() == disk.after_cut("killed").keys() == {*map(str, tmp_path.glob("*")), target}
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    build(disk.after_cut("strict"), str(tmp_path))
    assert Path(target).read_bytes() == b"1"


def test_calls_are_numbered_where_they_begin_and_told_where_they_end():
    log = [
        r"7  write(3</a>, <unfinished ...>",
        r'8  write(3<\x2f\x61>, "\x31\x32", 2) = 2',
        r'7  <... write resumed>"\x33", 1) = 1',
        r"7  fsync(3</a>) = -1 EIO (Input/output error) (INJECTED)",
        r"7  --- SIGCHLD {si_signo=SIGCHLD} ---",
        r'7  write(3</a>, "\x34", 1) = ?',
        r"7  +++ killed by SIGKILL +++",
    ]
    found = [(call.thread, call.name, call.nth, call.texts, call.result) for call in read(log)]
    assert found == [
        ("8", "write", 1, [b"12"], 2),
        ("7", "write", 1, [b"3"], 1),
        ("7", "fsync", 1, [], None),
        ("7", "write", 2, [b"4"], None),
    ]
