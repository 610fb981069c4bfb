"""An agent has a control group of its own, where the machine allows one, and nothing of it is left; else all is as before."""

import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from noa_mlops.agents import RuntimeManager, Workspace, best_isolation
from noa_mlops.agents.groups import Group, make, place_of

RUNGS = ["basic"] if best_isolation() == "basic" else ["basic", "sealed"]
LIMITS = {"memory": 64 << 20, "cpus": 2, "processes": 40}
OWN = "print(open('/proc/self/cgroup').read().partition('0::')[2].strip())"
SOURCES = str(Path(__file__).parents[2] / "src")


@pytest.fixture
def hierarchy(bench):
    """The folder of all groups; skips where this machine allows no group."""
    if not bench.run("pass").isolation.cgroup:
        pytest.skip("this machine lets nobody here make a control group that can be killed")
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if " - cgroup2 " in line:
            return Path(line.split()[4])
    raise AssertionError("a group without a hierarchy")


def group_of(bench, hierarchy):
    """The folder of the group in which the last program said it was."""
    return hierarchy / bench.printed().splitlines()[0].lstrip("/")


@pytest.mark.parametrize("isolation", RUNGS)
def test_a_group_is_there_for_one_run_and_gone_after_it(bench, hierarchy, isolation):
    outcome = bench.run(OWN, isolation=isolation)
    folder = group_of(bench, hierarchy)
    assert folder.name.startswith("noa-")
    assert not folder.exists()
    assert folder.parent.is_dir()
    assert list(outcome.isolation.cgroup) == sorted(outcome.isolation.cgroup)


def test_a_sealed_agent_cannot_change_groups(bench, hierarchy):
    source = f"""
        import os
        own = {str(hierarchy)!r} + open("/proc/self/cgroup").read().partition("0::")[2].strip()
        tries = [lambda: open(f"{{own}}/{{name}}", "w") for name in ("cgroup.procs", "cgroup.kill", "cgroup.max.depth")]
        tries += [lambda: os.mkdir(f"{{own}}/more"), lambda: open({str(hierarchy / "cgroup.procs")!r}, "w")]
        for attempt in tries:
            try: attempt()
            except PermissionError: print("no")
    """
    if "sealed" not in RUNGS:
        pytest.skip("this kernel offers no Landlock")
    assert bench.said(textwrap.dedent(source), isolation="sealed").split() == ["no"] * 5


def test_what_a_basic_agent_makes_below_its_group_goes_with_it(bench, hierarchy):
    source = f"""
        import os
        {OWN}
        own = {str(hierarchy)!r} + open("/proc/self/cgroup").read().partition("0::")[2].strip()
        os.makedirs(own + "/a/b"); os.mkdir(own + "/c")
    """
    bench.said(textwrap.dedent(source))
    assert not group_of(bench, hierarchy).exists()


def test_a_tree_that_leaves_its_sessions_stays_in_the_group_and_ends_with_it(bench, hierarchy):
    source = f"""
        import os, time
        {OWN}
        for number in range(20):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    open(f"tmp/{{number}}", "w").write(open("/proc/self/cgroup").read())
                    time.sleep(3600)
                os._exit(0)
        while len(os.listdir("tmp")) < 20: time.sleep(0.01)
    """
    outcome = bench.run(textwrap.dedent(source))
    assert (outcome.cause, outcome.left_behind) == ("left_processes", 20)
    folder = group_of(bench, hierarchy)
    assert {path.read_text().count(folder.name) for path in bench.workspace.tmp.iterdir()} == {1}
    assert not folder.exists()


ABANDON = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from noa_mlops.agents.groups import make
from noa_mlops.agents.kernel import Kernel
group = make({"memory": 1 << 30, "cpus": 1, "processes": 9})
pid = group.fork(Kernel())
if pid == 0:
    print(os.getpid(), open("/proc/self/cgroup").read().partition("0::")[2].strip(), flush=True)
    time.sleep(3600)
time.sleep(3600)
"""


@pytest.fixture
def other(hierarchy):
    """A supervisor of another runtime, the process in its group, and the group's folder."""
    arguments = [sys.executable, "-I", "-S", "-c", ABANDON, SOURCES]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as supervisor:
        pid, path = supervisor.stdout.readline().split()
        yield supervisor, int(pid), hierarchy / path.lstrip("/")
        supervisor.kill()
        supervisor.wait()
    make(LIMITS).remove()  # whoever comes next removes what this one left
    assert not (hierarchy / path.lstrip("/")).exists()


def test_what_a_killed_supervisor_left_is_ended_and_removed_by_the_next_one(bench, other):
    supervisor, pid, folder = other
    supervisor.send_signal(signal.SIGKILL)
    supervisor.wait()
    assert folder.exists()
    assert bench.run("pass").completed
    assert not folder.exists()
    assert not is_running(pid)


def test_what_belongs_to_a_living_supervisor_is_left_alone(bench, other):
    _, pid, folder = other
    assert bench.run("pass").completed
    assert folder.exists()
    assert is_running(pid)


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


@pytest.fixture
def simulated(tmp_path):
    """A group whose folder is a plain one, with the files that the kernel would make in it."""
    group = Group(str(tmp_path / "group"), LIMITS)
    assert group.facts == []
    for name in ("cpu.max", "memory.max", "memory.swap.max", "memory.oom.group", "pids.max"):
        (tmp_path / "group" / name).touch()
    return group, tmp_path / "group"


def test_sets_each_limit_for_which_there_is_a_file(simulated):
    group, folder = simulated
    (folder / "memory.swap.max").unlink()  # a kernel without swap
    assert group._hold(LIMITS) == ["cpu", "memory", "pids"]
    said = {path.name: path.read_text() for path in folder.iterdir()}
    assert said == {"cpu.max": "200000 100000", "memory.max": "67108864", "memory.oom.group": "1", "pids.max": "552"}
    (folder / "memory.max").unlink()
    assert group._hold(LIMITS) == ["cpu", "pids"]


def test_reads_what_the_kernel_counted_and_nothing_where_it_did_not(simulated):
    group, folder = simulated
    assert (group.peak_memory(), group.ran_out_of_memory()) == (0, False)
    (folder / "memory.peak").write_text("4096\n")
    (folder / "memory.events").write_text("low 0\nmax 3\noom 1\noom_kill 0\n")
    assert (group.peak_memory(), group.ran_out_of_memory()) == (4096, False)
    (folder / "memory.events").write_text("max 3\noom 1\noom_kill 2\noom_group_kill 1\n")
    assert group.ran_out_of_memory()


OUTGROW = """
import os, sys
sys.path.insert(0, sys.argv[1])
from noa_mlops.agents.groups import make
from noa_mlops.agents.kernel import Kernel
group = make({"memory": 64 << 20, "cpus": 1, "processes": 9})
if "memory" not in group.facts:
    group.remove()
    sys.exit(77)
pid = group.fork(Kernel())
if pid == 0:
    held = bytearray(b"x") * (256 << 20)
    os._exit(0)
status = os.waitpid(pid, 0)[1]
print(status, group.ran_out_of_memory(), group.peak_memory() > 32 << 20, group.remove())
"""


@pytest.mark.usefixtures("hierarchy")
def test_the_kernel_ends_what_outgrows_its_memory_and_says_so():
    arguments = [sys.executable, "-I", "-S", "-c", OUTGROW, SOURCES]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip("the group of these tests hands no limit of memory on")
    assert done.stdout.split() == ["9", "True", "True", "True"], done.stderr


HYBRID = """\
30 23 0:27 / /sys rw,relatime - sysfs sysfs rw
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:7 - cgroup2 cgroup2 rw
"""


@pytest.mark.parametrize(
    ("groups", "mounts", "place"),
    [
        ("4:memory:/a\n0::/\n", HYBRID, "/sys/fs/cgroup/unified"),
        ("0::/user.slice/run.scope\n", HYBRID, "/sys/fs/cgroup/unified/user.slice/run.scope"),
        ("0::/pod/c1/noa\n", "9 8 0:1 /pod/c1 /sys/fs/cgroup rw - cgroup2 c rw\n", "/sys/fs/cgroup/noa"),
        ("0::/pod/c1\n", "9 8 0:1 /pod/c1 /sys/fs/cgroup rw - cgroup2 c rw\n", "/sys/fs/cgroup"),
        ("0::/pod/c12\n", "9 8 0:1 /pod/c1 /sys/fs/cgroup rw - cgroup2 c rw\n", None),
        ("0::/x\n", "9 8 0:1 / /mnt/two\\040words rw - cgroup2 c rw\n", "/mnt/two words/x"),
        ("0::/../outside\n", HYBRID, None),
        ("4:memory:/a\n", HYBRID, None),
        ("0::/\n", "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n", None),
        ("", "", None),
    ],
)
def test_finds_the_folder_of_its_group_wherever_the_hierarchy_is_mounted(groups, mounts, place):
    assert place_of(groups, mounts) == place


def test_many_at_once_have_a_group_each(bench, hierarchy):
    def run(number):
        with Workspace.claim(bench.layout, f"odd-{number}") as workspace:
            workspace.prepare()
            job = replace(bench.job(OWN), cwd=workspace.path, writable=workspace.writable)
            assert runtime.run(job).completed
            return (workspace.path / "stdout.log").read_text().strip()

    runtime = RuntimeManager()
    with ThreadPoolExecutor(4) as threads:
        seen = list(threads.map(run, range(8)))
    assert len(set(seen)) == 8
    assert not [path for path in seen if (hierarchy / path.lstrip("/")).exists()]
