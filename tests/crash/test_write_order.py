"""Bytes are durable before an entry names them, an entry before its seal, a seal before the mirror: as the kernel saw it."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from crash.projects import Layout

CALLS = "openat,write,pwrite64,writev,sendfile,copy_file_range,ftruncate,rename,renameat,mkdir,mkdirat,fsync,fdatasync"
RUN = "from crash.projects import *; import sys; sys.exit(run_plan(Layout.of(Path(sys.argv[1]))))"
CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\)\s+= (?P<result>\d+)(?:<(?P<opened>[^>]*)>)?")

pytestmark = pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace is not installed: apt-get install strace"
)


@pytest.fixture(scope="module")
def traced(template, tmp_path_factory):
    """A project, and every call of a whole run in it that changes or syncs something, in the order they ended."""
    home = tmp_path_factory.mktemp("traced")
    shutil.copytree(template, home, dirs_exist_ok=True)
    log = home / "trace"
    command = ["strace", "-f", "--seccomp-bpf", "-y", "-qq", "-s", "4096", "-e", f"trace={CALLS}", "-o", log]
    own = {"NOA_KEYS": str(home / "keys"), "XDG_STATE_HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [*command, sys.executable, "-c", RUN, home / "project"],
        env=os.environ | own,
        capture_output=True,
        text=True,
        check=False,
    )
    if "ptrace" in done.stderr:
        pytest.skip("tracing is not allowed here")
    assert done.returncode == 0, done.stderr
    return Layout.of(home / "project"), list(whole_calls(log.read_text(errors="replace")))


def whole_calls(text):
    """Calls that another process interrupted in the log are put together again."""
    begun = {}
    for line in text.splitlines():
        pid, _, rest = line.partition(" ")
        rest = rest.strip()
        if rest.endswith("<unfinished ...>"):
            begun[pid] = rest.removesuffix("<unfinished ...>").rstrip()
            continue
        if resumed := re.match(r"<\.\.\. \w+ resumed>", rest):
            rest = begun.pop(pid, "") + rest[resumed.end() :]
        if call := CALL.match(rest):
            yield call


class Disk:
    """What of a project a power cut would lose, by the calls so far: files with unsynced bytes, unsynced names."""

    def __init__(self):
        self.files = set()
        self.names = set()

    def take(self, call):
        """Follow one call; the file that it wrote to, None when it wrote to none."""
        name, arguments = call["name"], call["arguments"]
        described = re.match(r"\d+<([^>]*)>", arguments)
        path = described[1] if described else None
        if name in ("fsync", "fdatasync"):
            self.files.discard(path)
            self.names = {known for known in self.names if os.path.dirname(known) != path}
        elif name.startswith("rename"):
            self._rename(*re.findall(r'"([^"]*)"', arguments))
        elif name.startswith("mkdir"):
            self.names.add(self._beneath(arguments))
        elif name == "openat":
            if "O_CREAT" in arguments and call["opened"]:
                self.names.add(call["opened"])
        else:
            target = re.findall(r"\d+<([^>]*)>", arguments)[1] if name == "copy_file_range" else path
            self.files.add(target)
            return target
        return None

    def _beneath(self, arguments):
        path = re.search(r'"([^"]*)"', arguments)[1]
        folder = re.match(r"(?:AT_FDCWD|\d+)<([^>]*)>", arguments)
        return os.path.join(folder[1], path) if folder else path

    def _rename(self, old, new):
        for known in (self.files, self.names):
            moved = {path for path in known if path == old or path.startswith(f"{old}/")}
            known.difference_update(moved)
            known.update(new + path[len(old) :] for path in moved)
        self.names.add(new)


def test_whatever_an_entry_can_name_is_durable_before_it(traced):
    (layout, trace), disk, entries = traced, Disk(), 0
    workspace, store = layout.workspace("odd-1"), layout.version("odd", "shell", 1)
    kept = tuple(map(str, (layout.objects, store, workspace / "out", workspace / "predictions.parquet")))
    leading = {str(path) for path in (workspace, layout.workspaces, store.parent, store.parent.parent)}
    for call in trace:
        unsynced = {path for path in disk.files | disk.names if path.startswith(kept)}
        unsynced |= disk.names & leading if entries else set()  # a submission names nothing in the workspace
        if disk.take(call) == str(layout.ledger):
            entries += 1
            assert unsynced == set(), f"entry {entries}"
    assert entries == 4


def test_a_model_is_moved_only_into_a_folder_that_a_power_cut_leaves(traced):
    (layout, trace), disk, moved = traced, Disk(), []
    for call in trace:
        if call["name"].startswith("rename"):
            old, new = re.findall(r'"([^"]*)"', call["arguments"])
            if old.startswith(str(layout.workspaces)) and new.startswith(str(layout.version("odd", "shell", 1).parent)):
                assert os.path.dirname(new) not in disk.names, f"{old} could be lost with the folder it went to"
                moved.append(os.path.basename(new))
        disk.take(call)
    assert moved == ["model", "predictions.parquet"]


def test_entry_seal_mirror_and_its_head_become_durable_in_this_order(traced):
    (layout, trace), disk = traced, Disk()
    order = [layout.ledger, layout.log_checkpoints, layout.mirror, layout.mirror_checkpoint]
    seen = []
    for call in trace:
        before = set(disk.files)
        target = disk.take(call)
        if call["name"] == "rename" and call["arguments"].endswith(f'"{layout.mirror_checkpoint}"'):
            target = str(layout.mirror_checkpoint)
        if target in map(str, order):
            place = [str(path) for path in order].index(target)
            assert not before & {str(path) for path in order[:place]}, f"{target} was written too early"
            seen.append(place)
    assert seen == [0, 0, 0, 0, 1, 2, 3]
