"""An agent that is forked from a process with its imports done is what one that was started would be."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from agents.conftest import sealable
from noa_mlops.agents import Job, Limits, RuntimeManager

LIGHT = "wsgiref.simple_server"
"""A module of the standard library that few programs import."""

HEAVY = "noa_mlops.trainers.preload"

REPORT = """
import json, os, sys, tempfile, time
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
print(json.dumps({
    "environment": dict(os.environ),
    "marked": ("TMPDIR=" + os.environ["TMPDIR"]) in open("/proc/self/environ").read().split(chr(0)),
    "arguments": sys.argv[1:],
    "folder": os.getcwd(),
    "temporary": tempfile.gettempdir(),
    "signals": [status[name].strip() for name in ("SigBlk", "SigIgn", "SigCgt")],
    "privileges": [status[name].strip() for name in ("NoNewPrivs", "Seccomp", "CapEff", "CapBnd")],
    "files": sorted(os.listdir("/proc/self/fd"))[:-1],
    "zone": time.tzname,
    "isolated": sys.flags.isolated,
    "session": os.getsid(0) == os.getpid(),
    "grouped": "/noa-" in open("/proc/self/cgroup").read(),
    "interfaces": [line.split(":")[0].strip() for line in open("/proc/net/dev").read().splitlines()[2:]],
}))
"""


@pytest.fixture
def job(workspace, layout):
    """Python source as a job, by a module that runs what is on its command line."""

    def make(source, preload=LIGHT, isolation="basic", **limits):
        once = ("-n", "1", "-r", "1", "-s", textwrap.dedent(source), "pass")
        return Job(
            argv=(sys.executable, "-I", "-m", "timeit", *once),
            cwd=workspace.path,
            writable=workspace.writable,
            hidden=(layout.project,),
            limits=Limits(**{"time": 60, **limits}),
            isolation=isolation,
            preload=preload,
        )

    return make


def printed(workspace, name="stdout.log"):
    return (workspace.path / name).read_text()


WARM = "import sys; print('wsgiref.simple_server' in sys.modules)"


def test_it_has_the_modules_that_were_imported_before_it(job, workspace):
    runtime = RuntimeManager()
    for preload, has in (("", False), (LIGHT, True)):
        assert runtime.run(job(WARM, preload)).completed
        assert printed(workspace).startswith(f"{has}\n")


@pytest.mark.parametrize("isolation", ["basic", pytest.param("sealed", marks=sealable)])
def test_it_sees_what_a_started_one_sees(job, workspace, isolation, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    monkeypatch.setenv("CANARY", "secret")
    runtime, seen, facts = RuntimeManager(), [], []
    for preload in ("", LIGHT):
        outcome = runtime.run(job(REPORT, preload, isolation))
        assert outcome.completed, printed(workspace, "stderr.log")
        facts.append(outcome.isolation)
        seen.append(json.loads(printed(workspace).splitlines()[0]))
    assert seen[0] == seen[1]
    assert seen[1]["marked"]
    assert facts[0] == facts[1]
    assert facts[1].rung == isolation


ENDINGS = {
    ("timeit", "-n", "1", "-r", "1", "import os; os.kill(os.getpid(), 15)"): -15,
    ("timeit", "-n", "1", "-r", "1", "import ctypes; ctypes.string_at(0)"): -11,
    ("timeit", "-n", "1", "-r", "1", "import sys; sys.stdout.buffer.raw.close()"): 1,
    ("timeit", "-n", "1", "-r", "1", "import os; os.close(1)"): 120,
    ("timeit", "-s", "import atexit; atexit.register(print, 'registered')", "-n", "1", "-r", "1"): 0,
    ("timeit", "-n", "1", "-r", "1", "import threading, time; threading.Timer(0.2, print, ['waited for']).start()"): 0,
    ("timeit", "--no-such-option"): 2,
    ("timeit", "1 / 0"): 1,
    ("base64", "-d", "no-such-file"): 1,
    ("compileall", "-q", "no-such-folder"): 0,
    ("this",): 0,
    ("noa_mlops.trainers.sklearn", "train"): 2,
}


@pytest.mark.parametrize("arguments", ENDINGS, ids=str)
def test_it_ends_as_a_started_one_ends(job, workspace, arguments):
    runtime, seen = RuntimeManager(), []
    for preload in ("", LIGHT):
        outcome = runtime.run(replace(job("", preload), argv=(sys.executable, "-I", "-m", *arguments)))
        untimed = [line for line in printed(workspace).splitlines() if "per loop" not in line]
        last = printed(workspace, "stderr.log").splitlines()[-1:]
        seen.append((outcome.cause, outcome.exit_status, outcome.signal, untimed, last))
    assert seen[0] == seen[1]
    wanted = ENDINGS[arguments]
    assert seen[1][1:3] == ((wanted, None) if wanted >= 0 else (None, -wanted))


def test_a_module_that_cannot_be_imported_costs_nothing_but_time(job, workspace):
    for preload in ("no.such.module", "antigravity.no", "this.is.no.name"):
        assert RuntimeManager().run(job(WARM, preload)).completed
        assert printed(workspace).startswith("False\n")


def test_what_started_a_thread_is_not_forked(job, workspace, monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", os.environ.get("OPENBLAS_CORETYPE", ""))
    runtime = RuntimeManager()
    threads = "import os; print(len(os.listdir('/proc/self/task')))"
    assert runtime.run(job(threads, HEAVY)).completed
    assert printed(workspace).startswith("1\n")


def test_two_of_them_draw_different_random_numbers(job, workspace):
    runtime, drawn = RuntimeManager(), set()
    for _ in range(2):
        assert runtime.run(job("import sys; print('numpy' in sys.modules, sys.modules['numpy'].random.rand())", HEAVY))
        drawn.add(printed(workspace).splitlines()[0])
    assert len(drawn) == 2
    assert all(line.startswith("True ") for line in drawn)


def test_a_limit_of_time_ends_it_and_all_it_started(job, workspace):
    outcome = RuntimeManager().run(job("import os, time; os.fork(); time.sleep(3600)", time=1))
    assert outcome.cause == "time_limit"
    assert not processes_below(workspace.path)


def test_when_its_supervisor_is_killed_all_of_it_is_found_and_killed(job, workspace):
    source = """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(3600)
            os._exit(0)
        os.wait()
        os.kill(os.getppid(), 9)
        time.sleep(3600)
    """
    outcome = RuntimeManager().run(job(source))
    assert outcome.cause == "lost"
    assert not processes_below(workspace.path)


def test_a_zygote_that_was_killed_is_replaced(job, workspace):
    runtime = RuntimeManager()
    assert runtime.run(job("pass")).completed
    for pid in zygotes(os.getpid()):
        os.kill(pid, signal.SIGKILL)
    assert until(lambda: not zygotes(os.getpid()))
    assert runtime.run(job(WARM)).completed
    assert printed(workspace).startswith("True\n")


def test_its_zygote_ends_when_the_runtime_is_killed_also_while_it_imports(tmp_path):
    source = f"""
        import time
        from noa_mlops.agents import RuntimeManager
        runtime = RuntimeManager()
        runtime.warm({HEAVY!r})
        print("begun", flush=True)
        time.sleep(3600)
    """
    for pause in (0.0, 0.3):
        with subprocess.Popen([sys.executable, "-c", textwrap.dedent(source)], stdout=subprocess.PIPE) as runtime:
            runtime.stdout.readline()
            time.sleep(pause)
            found = zygotes(runtime.pid)
            runtime.kill()
        assert len(found) == 1
        assert until(lambda found=found: not any(Path(f"/proc/{pid}").exists() for pid in found))


def test_a_zygote_knows_no_secret(job, monkeypatch):
    monkeypatch.setenv("CANARY", "secret-of-the-caller")
    runtime = RuntimeManager()
    assert runtime.run(job("pass")).completed
    (pid,) = zygotes(os.getpid())
    assert b"secret-of-the-caller" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert len(os.listdir(f"/proc/{pid}/task")) == 1


@pytest.mark.parametrize("cpus", [1, 2])
@pytest.mark.parametrize("profile", ["sklearn-classifier", "lightgbm", "torch"])
def test_equal_jobs_give_equal_models_forked_or_started(trained, profile, cpus):
    assert trained(profile, cpus, forked=False) == trained(profile, cpus, forked=True)


@pytest.mark.parametrize("cpus", [1, 2])
def test_a_forked_agent_computes_with_as_many_threads_as_it_has_processors(job, cpus):
    source = """
    import json, threadpoolctl
    from sklearn.utils._openmp_helpers import _openmp_effective_n_threads as threads
    from noa_mlops.trainers.launch import keep_to_cpus
    keep_to_cpus(CPUS)
    pools = {pool["user_api"]: pool["num_threads"] for pool in threadpoolctl.threadpool_info()}
    print(json.dumps([pools["openmp"], pools["blas"], threads()]))
    """
    asked = job(source.replace("CPUS", str(cpus)), preload=HEAVY, cpus=cpus)
    assert RuntimeManager().run(asked).completed
    assert json.loads((asked.cwd / "stdout.log").read_text().splitlines()[0]) == [cpus, cpus, cpus]


@pytest.fixture
def trained(workspace, layout):
    """The digest of each file of a model of a profile, started (without a module) or forked."""
    import hashlib

    import pyarrow as pa

    from noa_mlops.agents import AgentFactory, Work, training_payload
    from noa_mlops.datasets import write_rows
    from noa_mlops.records.dataset import Column

    hyperparameters = {
        "sklearn-classifier": {"estimator": "hist_gradient_boosting", "max_iter": 5},
        "lightgbm": {"num_iterations": 5},
        "torch": {"epochs": 2},
    }
    network = """
import torch
def Model(inputs, outputs): return torch.nn.Sequential(torch.nn.Linear(inputs, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, outputs))
"""

    def train(name, cpus, *, forked):
        profile = AgentFactory().profile(name)
        workspace.clear()
        workspace.prepare()
        (workspace.code / "net.py").write_text(network)
        rows = pa.table({"x": [float(n % 17) for n in range(200)], "y": [n % 2 for n in range(200)]})
        write_rows(rows, workspace.data / "train", "parquet")
        work = Work(
            lifecycle_id="odd",
            version=1,
            plan_digest="0" * 64,
            profile=profile,
            positive=1,
            code=["net.py"],
            target="y",
            task="classification",
            classes=[0, 1],
            columns=[Column("x", "float"), Column("y", "int")],
            hyperparameters=hyperparameters[name],
            seed=1,
            limits=Limits(cpus=cpus),
        )
        workspace.write_payload(training_payload(work, workspace.agent_id))
        outcome = RuntimeManager().run(
            Job(
                argv=profile.train,
                cwd=workspace.path,
                writable=workspace.writable,
                hidden=(layout.project,),
                preload=profile.preload if forked else "",
                limits=Limits(cpus=cpus),
            )
        )
        assert outcome.completed, workspace.tail()
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in workspace.out.iterdir()}

    return train


def zygotes(runtime):
    """The processes that a runtime forks supervisors from."""
    children = Path(f"/proc/{runtime}/task").glob("*/children")
    found = [int(pid) for path in children for pid in path.read_text().split()]
    return [pid for pid in found if b"supervisor.py" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def processes_below(folder):
    """Living processes whose working folder is below ``folder``."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and Path(os.readlink(entry / "cwd")).is_relative_to(folder):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def until(condition):
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


PRECEDENCE = """
import os, time
policy = lambda: os.sched_getscheduler(os.getppid()) & 0xFF
print(policy(), flush=True)
main = os.getpid()
if os.fork() == 0:
    deadline = time.monotonic() + 20
    while os.getppid() == main or policy() != os.SCHED_OTHER:
        assert time.monotonic() < deadline
    open("out/after", "w").write(str(policy()))
os._exit(0)
"""
"""Tells how its supervisor is scheduled: at first itself, after its end by a child that is left."""


def test_a_supervisor_takes_its_turns_with_others_before_it_collects_a_program_that_ended(job):
    asked = job(PRECEDENCE)
    RuntimeManager().run(asked)
    assert int((asked.cwd / "stdout.log").read_text().split()[0]) in (os.SCHED_FIFO, os.SCHED_OTHER)
    assert (asked.cwd / "out" / "after").read_text() == str(os.SCHED_OTHER)
