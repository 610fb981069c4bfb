"""What a sealed agent can and cannot reach. Each attack is tried by a real process."""

import json
import os
import socket
import stat
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

import noa_mlops
from noa_mlops.agents import RuntimeManager, Workspace, best_isolation, reach

pytestmark = pytest.mark.skipif(best_isolation() != "sealed", reason="this kernel offers no Landlock")


def attempt(bench, action, **options):
    """What became of ``action`` inside: the name of the error it met, or 'done'."""
    body = textwrap.indent(textwrap.dedent(action), "    ")
    source = f"import os, socket, sys\ntry:\n{body}\nexcept Exception as error:\n    print(type(error).__name__)\n"
    return bench.said(source + "else:\n    print('done')", isolation="sealed", **options)


def test_states_facts_that_the_kernel_confirmed(bench):
    facts = bench.run("pass", isolation="sealed").isolation
    assert facts.rung == "sealed"
    assert facts.landlock_abi >= 1
    assert facts.labels_hidden
    assert facts.network == ("denied" if facts.seccomp else "tcp_denied" if facts.landlock_abi >= 4 else "open")


def test_hides_nothing_on_the_basic_rung_and_says_so(bench, layout):
    (layout.project / "labels.csv").write_text("answers")
    assert bench.said(f"print(open({str(layout.project / 'labels.csv')!r}).read())") == "answers"
    facts = bench.run("pass").isolation
    assert (facts.rung, facts.landlock_abi, facts.network, facts.labels_hidden) == ("basic", 0, "open", False)


def test_writes_where_it_should(bench):
    source = """
import os, pathlib, tempfile
for name in ("out/a/b", "checkpoint/c", "tmp/d"):
    pathlib.Path(name).parent.mkdir(exist_ok=True)
    pathlib.Path(name).write_text(name)
os.rename("tmp/d", "out/d")
os.symlink("d", "out/link"); os.unlink("out/link")
with tempfile.TemporaryFile() as file: file.write(b"x")
with open("progress.jsonl", "a") as file: file.write('{"step": 1}\\n')
print(open("/dev/null", "w").write("x"), len(os.urandom(4)))
"""
    told = []
    outcome = RuntimeManager().run(bench.job(source, isolation="sealed"), on_progress=told.append)
    assert outcome.completed, bench.workspace.tail()
    assert told == [{"step": 1}]
    assert bench.printed() == "1 4\n"
    assert sorted(os.listdir(bench.workspace.out)) == ["a", "d"]


def test_imports_numpy_and_scikit_learn_and_this_package(bench):
    source = """
import numpy, sklearn.linear_model, noa_mlops.trainers, noa_mlops.agents.profiles, hashlib, ssl
model = sklearn.linear_model.LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
print(round(float(model.predict([[3.0]])[0]), 6))
"""
    assert bench.said(source, isolation="sealed", site=True, memory=4 << 30) == "3.0"
    assert bench.printed("stderr.log") == ""


def test_starts_other_programs_in_its_turn(bench):
    source = "import subprocess; print(subprocess.run(['sh', '-c', 'echo $((6 * 7))'], capture_output=True).stdout)"
    assert bench.said(source, isolation="sealed") == repr(b"42\n")


@pytest.fixture
def secrets(tmp_path, layout):
    """Files that no agent may read: keys, labels, another workspace, the caller's home."""
    keys = tmp_path / "keys" / "verifier.pem"
    labels = layout.project / "data" / "holdout.csv"
    other = layout.workspace("other-1") / "out" / "model"
    ledger, store = layout.ledger, layout.version("rainfall", "python", 1) / "model" / "weights"
    for path in (keys, labels, other, ledger, store):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("secret")
    return {"keys": keys, "labels": labels, "other": other, "ledger": ledger, "store": store}


SECRETS = ["keys", "labels", "other", "ledger", "store"]


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("action", ["open({0!r}, 'a')", "open({0!r} + '-2', 'w')", "os.mkdir({0!r} + '-3')"])
def test_cannot_write_where_a_secret_lies(bench, secrets, name, action):
    assert attempt(bench, action.format(str(secrets[name]))) == "PermissionError"
    assert secrets[name].read_text() == "secret"
    assert len(list(secrets[name].parent.iterdir())) == 1


@pytest.mark.parametrize("name", SECRETS)
def test_cannot_read_a_secret(bench, secrets, name):
    assert attempt(bench, f"open({str(secrets[name])!r}).read()") == "PermissionError"


@pytest.mark.parametrize("name", ["keys", "labels", "other"])
def test_cannot_read_a_secret_through_a_link_or_a_hard_link(bench, secrets, name):
    path = str(secrets[name])
    assert attempt(bench, f"os.symlink({path!r}, 'out/link'); open('out/link').read()") == "PermissionError"
    assert attempt(bench, f"os.link({path!r}, 'out/hard')") in ("PermissionError", "OSError")
    assert attempt(bench, f"os.rename({path!r}, 'out/moved')") in ("PermissionError", "OSError")


@pytest.mark.parametrize(
    "action", ["os.listdir({folder!r})", "os.rmdir({folder!r})", "open({file!r}, 'w')", "os.unlink({file!r})"]
)
def test_cannot_list_or_change_the_folder_of_another(bench, secrets, action):
    file = secrets["other"]
    assert attempt(bench, action.format(folder=str(file.parent), file=str(file))) == "PermissionError"
    assert file.read_text() == "secret"


@pytest.mark.parametrize("path", ["/tmp", "/root", "/home", "/var", "/dev/shm", "/run", "/"])
def test_cannot_list_the_folders_of_others(bench, path):
    if not os.path.isdir(path):
        pytest.skip(f"there is no {path} here")
    assert attempt(bench, f"os.listdir({path!r})") == "PermissionError"


def test_reads_what_its_job_names_and_cannot_write_it(bench, secrets):
    model = secrets["other"].parent
    action = f"assert open({str(model / 'model')!r}).read() == 'secret'"
    assert attempt(bench, action, readable=[model]) == "done"
    assert attempt(bench, f"open({str(model / 'model')!r}, 'a')", readable=[model]) == "PermissionError"
    assert attempt(bench, f"os.truncate({str(model / 'model')!r}, 0)", readable=[model]) == "PermissionError"


@pytest.mark.parametrize("name", ["payload.json", "stdout.log", "extra", "data/train.parquet"])
def test_cannot_change_its_workspace_but_where_it_should(bench, name):
    assert attempt(bench, f"open({name!r}, 'w')") == "PermissionError"


def test_cannot_replace_its_workspace(bench):
    action = f"os.rename({str(bench.workspace.path)!r}, {str(bench.workspace.path) + '-moved'!r})"
    assert attempt(bench, action) in ("PermissionError", "OSError")
    assert attempt(bench, "os.rename('out', 'moved')") in ("PermissionError", "OSError")


def test_cannot_change_modes_owners_and_times(bench, secrets):
    before = os.stat(secrets["keys"])
    path = str(secrets["keys"])
    actions = f"os.chmod({path!r}, 0o777); os.utime({path!r}, (0, 0)); os.chown({path!r}, 1, 1)"
    attempt(bench, actions)
    after = os.stat(secrets["keys"])
    assert (after.st_mode, after.st_mtime_ns, after.st_uid) == (before.st_mode, before.st_mtime_ns, before.st_uid)
    assert attempt(bench, f"os.setxattr({path!r}, 'user.x', b'1')") == "PermissionError"


def test_a_program_that_copies_modes_and_times_still_works(bench):
    (bench.workspace.data / "train.csv").write_text("1")
    assert attempt(bench, "import shutil; shutil.copy2('data/train.csv', 'out/train.csv')") == "done"


def test_cannot_make_a_file_run_with_its_owners_rights(bench):
    attempt(bench, "open('out/shell', 'w'); os.chmod('out/shell', 0o4755)")
    assert not (bench.workspace.out / "shell").stat().st_mode & stat.S_ISUID


@pytest.mark.parametrize("name", ["environ", "mem", "maps", "root/etc/passwd", "cwd", "fd/0", "exe"])
@pytest.mark.parametrize("whose", ["supervisor", "runtime"])
def test_cannot_look_into_a_process_outside(bench, name, whose):
    pid = os.getpid() if whose == "runtime" else "{os.getppid()}"
    for look in ("open", "os.readlink"):
        assert attempt(bench, f"{look}(f'/proc/{pid}/{name}')") in ("PermissionError", "OSError")


def test_cannot_reach_the_memory_of_the_machine(bench):
    assert attempt(bench, "open('/proc/kcore', 'rb').read(16)") in ("PermissionError", "FileNotFoundError")


def test_cannot_change_the_kernel(bench):
    assert attempt(bench, "open('/proc/sys/kernel/hostname', 'w')") == "PermissionError"
    assert attempt(bench, "open('/proc/self/oom_score_adj', 'w')") == "PermissionError"


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_VSOCK", "AF_PACKET", "AF_ALG"])
@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW", "SOCK_SEQPACKET"])
def test_cannot_make_a_socket(bench, family, kind):
    assert attempt(bench, f"socket.socket(socket.{family}, socket.{kind})") in ("PermissionError", "OSError")


def test_cannot_reach_a_server_of_this_machine(bench):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert attempt(bench, f"socket.create_connection(('127.0.0.1', {port}), 5)") in ("PermissionError", "OSError")
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_SEQPACKET", "SOCK_STREAM | socket.SOCK_NONBLOCK"])
def test_may_use_a_local_pair_of_sockets(bench, kind):
    action = f"a, b = socket.socketpair(socket.AF_UNIX, socket.{kind}); a.send(b'x'); assert b.recv(1) == b'x'"
    assert attempt(bench, action) == "done"


def test_cannot_hand_an_open_file_to_a_process_outside(bench, monkeypatch):
    """The sockets of a pair of datagrams are connected, and can send elsewhere all the same."""
    monkeypatch.chdir(bench.workspace.tmp)  # the address of a socket must be short
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as outside:
        outside.bind("s")
        outside.settimeout(0)
        action = (
            "os.chdir('tmp'); pair = socket.socketpair(socket.AF_UNIX, socket.{kind}); "
            "file = array.array('i', [os.open('f', os.O_RDWR | os.O_CREAT)]); "
            "pair[0].sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, file)], 0, 's')"
        )
        for kind in ("SOCK_DGRAM", "SOCK_RAW", "SOCK_STREAM", "SOCK_SEQPACKET"):
            bench.run(f"import array, os, socket; {action.format(kind=kind)}", isolation="sealed")
            with pytest.raises(BlockingIOError):
                outside.recvmsg(1, socket.CMSG_SPACE(4))


@pytest.fixture
def scoped(bench):
    if not bench.run("pass", isolation="sealed").isolation.signals_scoped:
        pytest.skip("this kernel cannot scope signals (Landlock below ABI 6)")


@pytest.mark.usefixtures("scoped")
@pytest.mark.parametrize("whose", ["supervisor", "runtime"])
def test_cannot_signal_a_process_outside(bench, whose):
    pid = str(os.getpid()) if whose == "runtime" else "os.getppid()"
    assert attempt(bench, f"os.kill({pid}, 0)") == "PermissionError"


@pytest.mark.usefixtures("scoped")
def test_a_signal_to_everyone_reaches_nobody_outside(bench):
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        attempt(bench, "os.kill(-1, 9)")
        assert bystander.poll() is None
        bystander.communicate(b"\n")
        assert bystander.returncode == 0


def test_cannot_limit_a_process_outside(bench):
    action = f"import resource; resource.prlimit({os.getpid()}, resource.RLIMIT_NOFILE)"
    assert attempt(bench, action) == "PermissionError"


@pytest.mark.parametrize(
    "call",
    [
        "libc.ptrace(16, os.getppid(), 0, 0)",
        "libc.unshare(0x10000000)",
        "libc.syscall({'x86_64': 425, 'aarch64': 425}[os.uname().machine], 8, ctypes.create_string_buffer(256))",
        "libc.syscall({'x86_64': 321, 'aarch64': 280}[os.uname().machine], 0, 0, 0)",
        "libc.syscall({'x86_64': 298, 'aarch64': 241}[os.uname().machine], 0, 0, 0, 0, 0)",
        "libc.syscall({'x86_64': 310, 'aarch64': 270}[os.uname().machine], os.getppid(), 0, 0, 0, 0, 0)",
        "libc.syscall({'x86_64': 311, 'aarch64': 271}[os.uname().machine], os.getppid(), 0, 0, 0, 0, 0)",
        "libc.syscall(438, os.pidfd_open(os.getppid()), 0, 0)",
        "libc.mount(b'none', b'tmp', b'tmpfs', 0, None)",
        "libc.shmget(0, 4096, 0o1777)",
        "libc.add_key(b'user', b'x', b'y', 1, -2)",
    ],
)
def test_cannot_make_dangerous_calls(bench, call):
    source = (
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        f"f = lambda: {call}\n"
        "try:\n    result = f()\nexcept AttributeError:\n    result, number = -1, 1\n"
        "else:\n    number = ctypes.get_errno()\nprint(result, number)"
    )
    assert bench.said(source, isolation="sealed") == "-1 1"


def test_has_no_powers_of_root_but_reading_and_writing_files(bench):
    source = """
status = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
print([int(status[name], 16) & ~0b110 for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")])
"""
    assert bench.said(source, isolation="sealed") == "[0, 0, 0, 0]"


def test_cannot_read_the_labelled_rows_that_come_with_this_package(bench):
    demo = Path(noa_mlops.__file__).parent / "demo"
    files = [path for path in demo.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert attempt(bench, f"open({str(path)!r}).read()") == "PermissionError"


def test_works_when_the_environment_lies_in_the_project(bench, layout):
    """The project is the folder that holds this environment: programs start, its data stays hidden."""
    project = Path(sys.prefix).parent
    job = bench.job("import json; print(open(json.__file__).read(6))", isolation="sealed", site=True)
    granted = {path for _, path in reach.grants(job.readable, job.writable, [project])}
    assert str(project) not in granted
    assert not [path for path in granted if str(project).startswith(path + "/")]


def test_keeps_hidden_folders_out_of_trees_that_are_granted(tmp_path, monkeypatch):
    tree = tmp_path / "opt"
    for name in ("tools/bin", "project/data", "project/nested", "deep/er/keys", "deep/other"):
        (tree / name).mkdir(parents=True)
    monkeypatch.setattr(reach, "SYSTEM", (str(tree),))
    granted = {path for _, path in reach.grants((), (), [tree / "project", tree / "deep" / "er" / "keys"])}
    inside = {os.path.relpath(path, tree) for path in granted if path.startswith(str(tree))}
    assert inside == {"tools", "deep/other"}


def test_hides_a_project_that_lies_in_a_readable_tree(bench, tmp_path, monkeypatch):
    tree = tmp_path / "opt"
    for name in ("tools", "project/data"):
        (tree / name).mkdir(parents=True)
        (tree / name / "file").write_text(name)
    monkeypatch.setattr(reach, "SYSTEM", (*reach.SYSTEM, str(tree)))
    source = f"""
for name in ("tools", "project/data"):
    try:
        print(open({str(tree)!r} + "/" + name + "/file").read())
    except PermissionError:
        print("hidden")
"""
    job = replace(bench.job(source, isolation="sealed"), hidden=(tree / "project",))
    assert RuntimeManager().run(job).completed, bench.workspace.tail()
    assert bench.printed().split() == ["tools", "hidden"]


def test_grants_nothing_inside_what_is_hidden_but_what_is_named(tmp_path, monkeypatch):
    (tmp_path / "project" / "usr").mkdir(parents=True)
    monkeypatch.setattr(reach, "SYSTEM", (str(tmp_path / "project" / "usr"),))
    granted = {path for _, path in reach.grants([tmp_path / "project" / "model"], (), [tmp_path / "project"])}
    assert {path for path in granted if path.startswith(str(tmp_path))} == {str(tmp_path / "project" / "model")}


def test_a_hidden_environment_still_gives_its_interpreter(bench, layout):
    project = Path(sys.prefix)
    job = bench.job("print(1)", isolation="sealed")
    outcome = RuntimeManager().run(replace(job, hidden=(project, layout.project)))
    assert outcome.completed, bench.workspace.tail()


def test_two_agents_do_not_see_each_other(bench, layout):
    with Workspace.claim(layout, "rainfall-2") as other:
        other.prepare()
        (other.out / "model").write_text("theirs")
        (other.tmp / "scratch").write_text("theirs")
        for path in (other.out / "model", other.tmp / "scratch", other.progress):
            assert attempt(bench, f"open({str(path)!r}).read()") == "PermissionError"


def test_the_environment_of_a_sealed_agent_is_as_short(bench, monkeypatch):
    monkeypatch.setenv("TOKEN", "canary-77")
    assert "canary-77" not in bench.said("import os, json; print(json.dumps(dict(os.environ)))", isolation="sealed")
    assert "NOA_PAYLOAD" in json.loads(bench.printed())
