"""Whatever a job starts is dead when its outcome is there, or soon after its runtime is killed."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from noa_mlops.agents import RuntimeManager, best_isolation

RUNGS = ["basic"] if best_isolation() == "basic" else ["basic", "sealed"]
SLEEPER = "subprocess.Popen([sys.executable, '-I', '-S', '-c', 'import time; time.sleep(3600)', MARK]{})"


@pytest.fixture
def mark(tmp_path):
    return f"noa-mark-{os.getpid()}-{tmp_path.name}"


def start(mark, body):
    return f"import os, subprocess, sys, time\nMARK = {mark!r}\n{textwrap.dedent(body)}\n"


def until(condition):
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_leaving_a_child_behind_is_not_success(bench, mark, still_alive):
    outcome = bench.run(start(mark, SLEEPER.format("")))
    assert (outcome.cause, outcome.exit_status, outcome.left_behind) == ("left_processes", 0, 1)
    assert not still_alive(mark)


def test_finds_a_daemon_that_forked_twice_into_its_own_session(bench, mark, still_alive):
    daemon = f"""
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                {SLEEPER.format(", start_new_session=True")}
                open("tmp/up", "w").close()
                os.closerange(0, 100)
                time.sleep(3600)
            os._exit(0)
        while not os.path.exists("tmp/up"): time.sleep(0.01)
    """
    outcome = bench.run(start(mark, daemon))
    assert outcome.cause == "left_processes"
    assert outcome.left_behind == 2
    assert not still_alive(mark)


def test_helpers_may_end_a_moment_after_the_program(bench, mark):
    helper = "subprocess.Popen([sys.executable, '-I', '-S', '-c', 'import time; time.sleep(0.2)', MARK])"
    assert bench.run(start(mark, helper)).cause == "completed"


def test_names_the_failure_of_the_program_before_what_it_left(bench, mark, still_alive):
    outcome = bench.run(start(mark, SLEEPER.format("") + "\nraise SystemExit(4)"))
    assert (outcome.cause, outcome.exit_status, outcome.left_behind) == ("exit_status", 4, 1)
    assert not still_alive(mark)


@pytest.mark.parametrize("isolation", RUNGS)
def test_kills_the_whole_tree_at_the_time_limit(bench, mark, still_alive, isolation):
    body = f"for _ in range(5): {SLEEPER.format(', start_new_session=True')}\ntime.sleep(3600)"
    outcome = bench.run(start(mark, body), time=1, isolation=isolation)
    assert outcome.cause == "time_limit"
    assert not still_alive(mark)


def test_survives_a_bomb_of_fifty_processes_that_fork_again_when_killed(bench, mark, still_alive):
    body = """
        for _ in range(50):
            if os.fork() == 0:
                os.setsid()
                while True:
                    if os.fork() == 0:
                        time.sleep(3600)
                    os.wait()
        time.sleep(3600)
    """
    outcome = bench.run(start(mark, body), time=2)
    assert outcome.cause == "time_limit"
    assert not still_alive(mark)


def test_stops_a_tree_that_grows_over_the_limit_of_processes(bench, mark, still_alive):
    body = """
        while True:
            try:
                os.fork()
            except OSError:
                time.sleep(0.01)
            time.sleep(0.02)
    """
    outcome = bench.run(start(mark, body), processes=40, time=30)
    assert outcome.cause == "process_limit"
    assert not still_alive(mark)


@pytest.mark.parametrize("each", ["pass", "os.setsid()"])
@pytest.mark.parametrize("isolation", RUNGS)
def test_outruns_a_tree_that_forks_without_end(bench, mark, still_alive, isolation, each):
    bomb = f"""
        end = time.monotonic() + 2
        while time.monotonic() < end:
            if os.fork() == 0:
                {each}
    """
    outcome = bench.run(start(mark, bomb), processes=64, isolation=isolation)
    assert outcome.cause == "process_limit"
    assert not still_alive(mark)


def test_a_callback_that_raises_kills_the_job_first(bench, mark, still_alive):
    def raising(said):
        raise RuntimeError(said["message"])

    body = SLEEPER.format("") + "\nopen('progress.jsonl', 'a').write('{\"message\": \"hi\"}\\n')\ntime.sleep(3600)"
    with pytest.raises(RuntimeError, match="hi"):
        RuntimeManager().run(bench.job(start(mark, body)), on_progress=raising)
    assert not still_alive(mark)


ORCHESTRATOR = """
import sys, threading
from pathlib import Path
from noa_mlops.agents import Job, RuntimeManager
workspace = Path(sys.argv[1])
job = Job((sys.executable, "-I", "-S", "-c", sys.argv[2]), workspace)
threading.Thread(target=RuntimeManager().run, args=(job,)).start()
"""


def test_dies_with_a_runtime_that_is_killed(bench, mark, still_alive):
    body = SLEEPER.format(", start_new_session=True") + "\nopen('tmp/up', 'w').close()\ntime.sleep(3600)"
    arguments = [sys.executable, "-c", ORCHESTRATOR, str(bench.workspace.path), start(mark, body)]
    with subprocess.Popen(arguments) as orchestrator:
        assert until((bench.workspace.tmp / "up").exists)
        orchestrator.send_signal(signal.SIGKILL)
    assert until(lambda: not still_alive(mark))


def test_dies_with_a_runtime_whose_pipes_somebody_else_still_holds(bench, mark, still_alive):
    holding = ORCHESTRATOR + textwrap.dedent("""
        import os, time
        while not (workspace / "tmp" / "up").exists(): time.sleep(0.01)
        if os.fork() == 0:
            (workspace / "tmp" / "heir").write_text(str(os.getpid()))
            time.sleep(60)
        time.sleep(60)
    """)
    body = SLEEPER.format("") + "\nopen('tmp/up', 'w').close()\ntime.sleep(3600)"
    job = start(mark, body)
    with subprocess.Popen([sys.executable, "-c", holding, str(bench.workspace.path), job]) as orchestrator:
        assert until((bench.workspace.tmp / "heir").exists)
        time.sleep(0.1)
        orchestrator.send_signal(signal.SIGKILL)
    heir = int((bench.workspace.tmp / "heir").read_text())
    try:
        assert until(lambda: set(still_alive(mark)) <= {heir})
    finally:
        os.kill(heir, signal.SIGKILL)


def test_cleans_up_behind_a_supervisor_that_was_killed(bench, mark, still_alive):
    body = SLEEPER.format(", start_new_session=True") + "\nos.kill(os.getppid(), 9)\ntime.sleep(3600)"
    outcome = bench.run(start(mark, body))
    assert outcome.cause == "lost"
    assert not still_alive(mark)


def zygote_of(pid):
    """The parent of a supervisor."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_running_job_survives_the_loss_of_the_zygote_and_the_next_one_starts(bench):
    runtime = RuntimeManager()
    source = "import os, time\nprint(os.getppid(), flush=True)\nwhile not os.path.exists('tmp/go'): time.sleep(0.01)"
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(runtime.run, bench.job(source))
        assert until(lambda: (bench.workspace.path / "stdout.log").exists() and bench.printed().endswith("\n"))
        os.kill(zygote_of(int(bench.printed())), signal.SIGKILL)
        (bench.workspace.tmp / "go").touch()
        assert running.result().cause == "completed"
    assert runtime.run(bench.job("pass")).cause == "completed"


def test_a_forked_process_runs_jobs_of_its_own(bench):
    runtime = RuntimeManager()
    assert runtime.run(bench.job("pass")).completed
    child = os.fork()
    if child == 0:
        os._exit(0 if runtime.run(bench.job("pass")).completed else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert runtime.run(bench.job("pass")).completed


def test_the_zygote_ends_with_its_runtime(bench):
    runtime = RuntimeManager()
    runtime.run(bench.job("import os; print(os.getppid())"))
    zygote = [int(pid) for pid in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()]
    assert len(zygote) == 1
    del runtime
    assert until(lambda: not Path(f"/proc/{zygote[0]}").exists())


def test_a_supervisor_ignores_polite_signals(bench, mark):
    body = "for s in (1, 2, 15): os.kill(os.getppid(), s)"
    assert bench.run(start(mark, body)).cause == "completed"


def test_leaves_no_descriptor_and_no_child_in_the_runtime(bench):
    bench.run("pass")
    before = sorted(os.listdir("/proc/self/fd"))
    cancel = threading.Event()
    for source in ("pass", "raise SystemExit(1)", "import os; os.kill(os.getppid(), 9)"):
        RuntimeManager().run(bench.job(source), cancel=cancel)
    assert sorted(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
