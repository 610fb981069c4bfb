"""Trainers whose writers outlive them: what is promoted is what was measured, and nobody can write it any more."""

from __future__ import annotations

import array
import hashlib
import json
import os
import random
import socket
import sys

import pytest

from crash.projects import PREDICT, plan, processes_of
from noa_mlops.agents import AgentFactory, AgentProfile, RuntimeManager, best_isolation
from noa_mlops.lifecycle import open_orchestrator

sealable = pytest.mark.skipif(best_isolation() != "sealed", reason="this kernel offers no Landlock")
SOAK = bool(os.environ.get("NOA_SOAK"))
BOTH = ["basic", pytest.param("sealed", marks=sealable)]

WRITE = "import os, time; model = os.open('out/model.txt', os.O_RDWR | os.O_CREAT); os.write(model, b'first....')"
REWRITE_LATER = f"""{WRITE}
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(100):
            if number != model:
                try: os.close(number)
                except OSError: pass
        end = time.monotonic() + {{seconds}}
        while time.monotonic() < end:
            os.pwrite(model, b'%09d' % (time.monotonic_ns() % 10**9), 0)
    os._exit(0)
"""
HAND_OUT = f"""{WRITE}
import array, socket
given = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [model]))]
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendmsg([b'x'], given, 0, {{address!r}})
"""
NOTE_THE_INODE = f"{WRITE}; open('checkpoint/inode', 'w').write(str(os.fstat(model).st_ino))"


def run(project, train, isolation):
    profile = AgentProfile(
        name="late",
        summary="late",
        train=(sys.executable, "-I", "-S", "-c", train),
        predict=("/bin/sh", "-ec", PREDICT),
        data_format="csv",
    )
    with open_orchestrator(project.layout, AgentFactory({"late": profile}), RuntimeManager()) as running:
        return running.run_plan(plan(profile="late", resources={"isolation": isolation}))


def stored(project, version):
    return project.layout.version("odd", "late", version) / "model" / "model.txt"


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("isolation", BOTH)
def test_promotes_the_bytes_that_were_measured_however_long_a_daemon_of_the_trainer_rewrote_them(project, isolation):
    drawn = [random.Random(28).uniform(0, 0.5) for _ in range(47)] if SOAK else []
    for version, seconds in enumerate((0.0, 0.1, 0.3, *drawn), start=1):
        report = run(project, REWRITE_LATER.format(seconds=seconds), isolation)
        assert report.promoted
        content = stored(project, version).read_bytes()
        assert (content == b"first....") == (seconds == 0.0)
        manifest = json.loads(stored(project, version).parent.parent.joinpath("manifest.json").read_bytes())
        assert [file["sha256"] for file in manifest["files"]] == [hashlib.sha256(content).hexdigest()]
    assert project.findings() == []


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("isolation", BOTH)
def test_promotes_nothing_of_a_trainer_whose_daemon_goes_on_writing(project, isolation):
    for version in range(1, (50 if SOAK else 1) + 1):
        report = run(project, REWRITE_LATER.format(seconds=30), isolation)
        assert report.state == "failed"
        assert not stored(project, version).exists()
    assert processes_of(project.layout) == []
    assert project.findings() == []


def test_what_a_process_outside_still_holds_open_is_not_what_was_promoted(project):
    """On the basic rung a trainer can hand its open files to anybody."""
    address = f"\0noa-late-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as outside:
        outside.bind(address)
        assert run(project, HAND_OUT.format(address=address), "basic").promoted
        _, given, _, _ = outside.recvmsg(1, socket.CMSG_SPACE(array.array("i").itemsize))
    held = array.array("i", given[0][2])[0]
    os.pwrite(held, b"later....", 0)
    os.close(held)
    assert stored(project, 1).read_bytes() == b"first...."
    assert project.findings() == []


@sealable
def test_a_sealed_trainer_cannot_hand_its_open_files_out(project):
    address = f"\0noa-late-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as outside:
        outside.bind(address)
        outside.settimeout(0)
        assert run(project, HAND_OUT.format(address=address), "sealed").state == "failed"
        with pytest.raises(BlockingIOError):
            outside.recv(1)


@pytest.mark.parametrize("isolation", BOTH)
def test_moves_the_file_that_a_sealed_trainer_wrote_and_copies_that_of_a_basic_one(project, isolation):
    assert run(project, NOTE_THE_INODE, isolation).promoted
    workspace, inode = project.layout.workspace("odd-1"), stored(project, 1).stat().st_ino
    moved = int((workspace / "checkpoint" / "inode").read_text()) == inode
    assert moved == (isolation == "sealed")
    assert (workspace / "out").exists() == (isolation == "basic")
    assert stored(project, 1).stat().st_nlink == 1
    manifest = stored(project, 1).parent.parent / "manifest.json"
    assert hashlib.sha256(stored(project, 1).read_bytes()).hexdigest() in manifest.read_text()
