"""A sealed agent has a network, queues and a host name of its own, where the machine allows it; else all is as before."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from agents.conftest import sealable

pytestmark = sealable

SOURCES = Path(__file__).parents[2] / "src"
NOBODY = 65534
KINDS = {"ipc": "ipc", "network": "net", "user": "user", "uts": "uts"}
"""The kinds by the names of their files in ``/proc/<pid>/ns``."""

LOOK = """
import ctypes, json, os
ends = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(ends))
status = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
print(json.dumps({
    "user": os.getuid(), "group": os.getgid(), "powers": [status[name] for name in ("CapPrm", "CapEff", "CapAmb")],
    "spaces": {name: os.readlink(f"/proc/self/ns/{name}") for name in ("ipc", "net", "user", "uts", "pid")},
    "ends_with_its_parent_by": ends.value,
    "wrote": open("out/model", "w").write("mine"), "owner": os.stat("out/model").st_uid,
}))
"""

RUN_AS_NOBODY = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from noa_mlops.agents import Job, Limits, RuntimeManager, Workspace, namespaces
from noa_mlops.agents.kernel import PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, Kernel
from noa_mlops.records.layout import Layout
{before}
layout = Layout.of(Path(sys.argv[2]) / "project")
with Workspace.claim(layout, "odd-1") as workspace:
    workspace.prepare()
    program = (sys.executable, "-I", "-S", "-c", sys.argv[3])
    outcome = RuntimeManager().run(
        Job(program, workspace.path, writable=workspace.writable, hidden=(layout.project,), isolation="sealed")
    )
    said = [(workspace.path / name).read_text() for name in ("stdout.log", "stderr.log", "controller.log")]
print(json.dumps([outcome.cause, outcome.isolation.rung, outcome.isolation.namespaces, outcome.isolation.cgroup, *said]))
"""


def own(bench, kind):
    """The facts of a run; skips where this machine does not allow the name space."""
    facts = bench.run("pass", isolation="sealed").isolation
    if kind not in facts.namespaces:
        pytest.skip(f"this machine allows no {kind} name space of one's own")
    return facts


def test_has_no_network_but_a_lone_loopback_that_is_down(bench):
    own(bench, "network")
    source = """
        lines = open("/proc/net/dev").read().splitlines()[2:]
        print([line.split(":")[0].strip() for line in lines], "127.0.0.1" in open("/proc/net/fib_trie").read())
    """
    assert bench.said(textwrap.dedent(source), isolation="sealed") == "['lo'] False"


def test_each_kind_that_is_named_is_its_own_and_no_other(bench):
    facts = bench.run(LOOK, isolation="sealed").isolation
    spaces = json.loads(bench.printed())["spaces"]
    differ = {name for name, space in spaces.items() if space != os.readlink(f"/proc/self/ns/{name}")}
    assert differ == {KINDS[kind] for kind in facts.namespaces}
    assert list(facts.namespaces) == sorted(facts.namespaces)


def test_a_basic_agent_shares_all(bench):
    facts = bench.run(LOOK).isolation
    assert facts.namespaces == ()
    spaces = json.loads(bench.printed())["spaces"]
    assert spaces == {name: os.readlink(f"/proc/self/ns/{name}") for name in spaces}


def test_still_dies_with_its_supervisor(bench):
    assert json.loads(bench.said(LOOK, isolation="sealed"))["ends_with_its_parent_by"] == 9


@pytest.fixture
def as_nobody():
    """What a runtime of an ordinary user, without any power, makes of a sealed job."""
    interpreters = (sys.executable, shutil.which("python3", path="/usr/bin"))
    python = next((path for path in interpreters if path and nobody_runs(path)), None)
    if os.geteuid() != 0 or python is None:
        pytest.skip("only root can become nobody, who needs an interpreter")
    folder = Path(tempfile.mkdtemp(prefix="noa-"))  # those of pytest are closed to others
    shutil.copytree(SOURCES / "noa_mlops", folder / "src" / "noa_mlops", ignore=shutil.ignore_patterns("__pycache__"))
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)

    def run(before=""):
        script = RUN_AS_NOBODY.format(before=textwrap.dedent(before))
        done = demoted([python, "-I", "-c", script, str(folder / "src"), str(folder), LOOK])
        assert done.returncode == 0, done.stderr
        *answers, last = done.stdout.splitlines()
        return answers, json.loads(last)

    yield run
    shutil.rmtree(folder)


def nobody_runs(python):
    try:
        return demoted([python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]).returncode == 0
    except OSError:
        return False


def demoted(arguments):
    who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    return subprocess.run(arguments, capture_output=True, text=True, cwd="/", check=False, **who)


def test_an_ordinary_user_stays_who_it_is_and_gains_no_power(as_nobody):
    _, (cause, rung, kinds, _, said, *complaints) = as_nobody()
    assert (cause, rung) == ("completed", "sealed"), complaints
    seen = json.loads(said)
    assert (seen["user"], seen["group"], seen["owner"]) == (NOBODY, NOBODY, NOBODY)
    assert {int(mask, 16) for mask in seen["powers"]} == {0}
    assert seen["ends_with_its_parent_by"] == 9
    if not kinds:
        pytest.skip("this machine allows an ordinary user no name spaces")
    assert kinds == ["ipc", "network", "user", "uts"]


def test_where_all_of_it_is_forbidden_the_agent_is_sealed_as_before(as_nobody):
    """The filter of a sealed agent around the runtime itself: it refuses name spaces and births in a group."""
    forbidden = """
        from noa_mlops.agents import seccomp
        kernel = Kernel()
        kernel.prctl(PR_SET_NO_NEW_PRIVS, 1)
        seccomp.restrict(kernel, truncate=True)
    """
    _, (cause, rung, kinds, group, said, *complaints) = as_nobody(forbidden)
    assert (cause, rung, kinds, group) == ("completed", "sealed", [], []), complaints
    assert json.loads(said)["user"] == NOBODY


def test_a_name_space_that_could_not_be_filled_is_not_entered(as_nobody):
    """As on machines that let everybody make one and refuse to say who is who in it."""
    refused = """
        class Unreadable(Kernel):
            def be_readable(self): pass

        kernel = Unreadable()
        kernel.prctl(PR_SET_DUMPABLE, 0)
        print(namespaces.can_stay_oneself(kernel), os.getuid())
        kernel.prctl(PR_SET_DUMPABLE, 1)
    """
    answers, (cause, *_) = as_nobody(refused)
    assert (answers, cause) == ([f"False {NOBODY}"], "completed")
