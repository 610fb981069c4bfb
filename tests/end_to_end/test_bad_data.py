"""Data that must not be read, cannot be read, or does not stay what it was."""

import os
import socket
import sys
import threading
from pathlib import Path

import pytest

from end_to_end.projects import PLAN, until, with_permissions
from noa_mlops import AgentFactory, AgentLifecycleController, RuntimeManager, TrainingFailed, TrainingPlan
from noa_mlops.records.layout import Layout

WAITING = """\
echo started > out/cut
while [ ! -e checkpoint/go ]; do sleep 0.02; done
awk -F, 'NR > 1 { sum += $1 } END { print sum / (NR - 1) }' "$NOA_DATA" > "$NOA_OUT/cut"
"""
"""A trainer that does not end before somebody puts a file into its workspace."""


NETWORK = {f"socket.{event}" for event in ("connect", "getaddrinfo", "gethostbyname", "sendto", "sendmsg")}
"""Audit events of a process that looks for somebody else on the network."""


class Watch:
    """Which files this process opens and where it connects, while it is on; a hook can be put in but never removed."""

    def __init__(self):
        self.on = False
        self.opened: list[str] = []
        self.connected: list[str] = []
        sys.addaudithook(self._see)

    def _see(self, event, arguments):
        if self.on and event == "open":
            self.opened.append(str(arguments[0]))
        elif self.on and event in NETWORK:
            self.connected.append(f"{event} {arguments}")


@pytest.fixture(scope="session")
def hook():
    return Watch()


@pytest.fixture
def watch(hook):
    hook.opened, hook.connected, hook.on = [], [], True
    yield hook
    hook.on = False


@pytest.fixture
def refused(promoted, watch):
    """Runs plans whose field names a dataset that must be refused, in either place; the first line that was said."""

    def check(path: str) -> str:
        before = promoted.state()
        for field, changes in (
            ("dataset_path", {"dataset_path": path}),
            ("evaluation.dataset_path", {"evaluation": {**PLAN["evaluation"], "dataset_path": path}}),
        ):
            result = promoted.tell("run", promoted.plan(**changes))
            assert result.status == 2, result.said
            assert result.out == ""
            assert field in result.err
            assert len(result.err.splitlines()) == 2
            assert len(result.err) < 600
        assert "Traceback" not in result.err
        assert promoted.state() == before
        assert not watch.connected
        assert not [name for name in watch.opened if name.startswith(("/etc/", "/dev/zero", "/proc/self/environ"))]
        assert promoted.verifies()
        return result.err.splitlines()[0]

    return check


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("../../../etc/shadow", "must not contain '..'"),
        ("data/../../etc/x.csv", "must not contain '..'"),
        ("/etc/shadow", "lies outside the project folder"),
        ("/etc/passwd.csv", "lies outside the project folder"),
        ("/dev/zero", "lies outside the project folder"),
        ("/proc/self/environ", "lies outside the project folder"),
        ("http://169.254.169.254/latest/meta-data/x.csv", "must be a file, not an address"),
        ("file:///etc/passwd", "must be a file, not an address"),
        ("s3://bucket/x.parquet", "must be a file, not an address"),
        ("\\\\host\\share\\x.csv", "must not contain a backslash"),
        ("//host/share/x.csv", "must be a file, not an address"),
        ("data/gone.csv", "no such file"),
        ("~/x.csv", "no such file"),
        ("$HOME/x.csv", "no such file"),
        ("plan.json", "is not named like a data file"),
        ("data/train.csv\n", "must not contain control characters"),
    ],
)
def test_refuses_a_path_that_is_no_data_file_of_the_project(refused, path, rule):
    assert rule in refused(path)


@pytest.mark.parametrize(
    ("name", "target"),
    [("out.csv", "/etc/passwd"), ("loop.csv", "loop.csv"), ("chain.csv", "train.csv"), ("gone.csv", "nowhere.csv")],
)
def test_follows_no_symbolic_link(refused, promoted, name, target):
    (promoted.path / "data" / name).symlink_to(target)
    assert f"passes the symbolic link '{name}'" in refused(f"data/{name}")


def test_follows_no_folder_that_is_a_link(refused, promoted):
    (promoted.path / "etc").symlink_to("/etc")
    assert "passes the symbolic link 'etc'" in refused("etc/passwd.csv")


@pytest.mark.parametrize("kind", ["pipe", "folder", "socket"])
def test_refuses_pipes_folders_and_sockets_without_waiting(refused, promoted, monkeypatch, kind):
    monkeypatch.chdir(promoted.path / "data")
    with socket.socket(socket.AF_UNIX) as listener:
        make = {"pipe": os.mkfifo, "folder": os.mkdir, "socket": listener.bind}
        make[kind]("odd.csv")
        assert "is not a regular file" in refused("data/odd.csv")


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "is empty (0 bytes)"),
        (b"\xef\xbb\xbf", "has no columns"),
        (b"x,y,label\n", "has no rows"),
        (b"\0" * 4096, "data/odd.csv"),
        (b'x,y,label\n1,2,"3\n', "data/odd.csv"),
        (b"x,x,label\n1,2,0\n", "data/odd.csv"),
        (b"x,y,label\n1,2\n", "data/odd.csv"),
        (b"x,y,label\n1,\xff,0\n", "data/odd.csv"),
    ],
)
def test_refuses_a_file_without_usable_data(refused, promoted, content, rule):
    promoted.write("data/odd.csv", content)
    assert rule in refused("data/odd.csv")


def test_refuses_ten_terabytes_of_nothing_without_reading_them(refused, promoted):
    with promoted.write("data/sparse.csv", "").open("wb") as stream:
        stream.truncate(10 << 40)
    assert "at most" in refused("data/sparse.csv")


def test_says_which_file_cannot_be_read_and_by_whom(promoted):
    (promoted.path / "data/train.csv").chmod(0)
    before = promoted.state()
    result = with_permissions(promoted, "run", "plan.json")
    assert result.status == 2, result.said
    assert "dataset_path: data/train.csv: permission denied" in result.err
    assert promoted.state() == before


@pytest.mark.parametrize("code", ["../train.sh", "/etc/passwd", "src/link.sh", "src/gone.sh", "src"])
def test_takes_no_code_from_elsewhere(promoted, watch, code):
    (promoted.path / "src/link.sh").symlink_to("/etc/passwd")
    before = promoted.state()
    result = promoted.tell("run", promoted.plan(code=["src/train.sh", code]))
    assert result.status == 2, result.said
    assert "code" in result.err
    assert "/etc/passwd" not in watch.opened
    assert promoted.state() == before


def test_a_target_that_is_misspelt_is_named_with_the_one_that_was_meant(promoted):
    result = promoted.tell("run", promoted.plan(target="lable"))
    assert result.status == 2
    assert "'lable'" in result.err
    assert "Did you mean 'label'?" in result.err


def test_refuses_to_measure_a_model_on_its_own_training_data(promoted):
    copied = (promoted.path / "data/train.csv").read_bytes()
    promoted.write("data/eval.csv", copied)
    result = promoted.tell("run", "plan.json")
    assert result.status == 2
    assert "proves nothing" in result.err


def test_training_data_that_changes_after_it_was_submitted_is_never_trained_on(promoted):
    layout = Layout.of(promoted.path)
    controller = AgentLifecycleController(AgentFactory(), RuntimeManager(), layout)
    submission = controller.accept(TrainingPlan.load(promoted.path / "plan.json"))
    with (promoted.path / "data/train.csv").open("ab") as stream:
        stream.write(b"\n")
    with (
        controller.own(submission, 2) as run,
        pytest.raises(TrainingFailed, match="changed after it was submitted: digest changed") as caught,
    ):
        controller.train(run, lambda event: None, threading.Event())
    assert caught.value.cause == "dataset_changed"
    assert not (promoted.workspace("little-2") / "payload.json").exists()


def test_evaluation_data_that_changes_during_the_training_fails_the_run(promoted):
    promoted.programs(train=WAITING)
    command = promoted.start("run", "plan.json")
    checkpoint = promoted.workspace("little-2") / "checkpoint"
    until((promoted.workspace("little-2") / "out/cut").exists)
    with (promoted.path / "data/eval.csv").open("ab") as stream:
        stream.write(b"0.5,0.5,1\n")
    (checkpoint / "go").touch()
    out, _ = command.communicate(timeout=60)
    assert command.returncode == 6, out
    assert "data/eval.csv changed after it was submitted: digest changed" in out
    assert promoted.champion() == 1
    kind, predicate = promoted.last_entry()
    assert (kind, predicate["cause"]) == ("EvaluationFailed", "dataset_changed")
    assert promoted.verifies()
    promoted.programs()
    assert promoted.tell("run", "plan.json").status == 0


def test_a_file_swapped_for_a_link_during_the_training_is_not_followed(promoted):
    promoted.programs(train=WAITING)
    command = promoted.start("run", "plan.json")
    until((promoted.workspace("little-2") / "out/cut").exists)
    held_back = promoted.path / "data/eval.csv"
    held_back.rename(held_back.with_name("moved.csv"))
    held_back.symlink_to("moved.csv")
    (promoted.workspace("little-2") / "checkpoint/go").touch()
    out, _ = command.communicate(timeout=60)
    assert command.returncode == 6, out
    assert "symbolic link" in out
    assert promoted.champion() == 1


def test_names_the_line_and_column_of_a_cell_that_is_not_of_its_type(promoted):
    promoted.write("data/train.dataset.yaml", "files: [data/train.csv]\ntypes: {x: int}\n")
    result = promoted.tell("run", promoted.plan(dataset_path="data/train.dataset.yaml"))
    assert result.status == 2
    assert "data/train.csv: line 2, column 'x'" in result.err
    assert Path(promoted.path / "data/train.csv").read_text().splitlines()[1].split(",")[0] in result.err
