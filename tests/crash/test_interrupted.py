"""Interrupted by a signal or by a cancelled task: the exit says so, nothing is half done, the same run goes on."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from crash.projects import Calls, orchestrator, plan, processes_below, processes_of, until

PLAN = """
lifecycle_id: odd
agent_profile: command
dataset_path: data/train.csv
target: odd
hyperparameters:
  command: [sh, -ec, 'WAIT; echo learned > "$NOA_OUT/model.txt"']
  predict: [sh, -ec, '{ echo prediction; tail -n +2 "$NOA_DATA" | awk "{print \\$1 % 2}"; } > "$NOA_OUT/predictions.csv"']
  data_format: csv
evaluation:
  dataset_path: data/holdout.csv
  metric_thresholds: {accuracy: 0.9}
"""
SOAK = bool(os.environ.get("NOA_SOAK"))
ENDS = {signal.SIGINT: 130, signal.SIGTERM: 143}


@pytest.fixture
def noa(project):
    waits = 'until [ -e "$NOA_CHECKPOINT/go" ]; do sleep 0.05; done'
    (project.layout.project / "plan.yaml").write_text(PLAN.replace("WAIT", ":"))
    (project.layout.project / "waits.yaml").write_text(PLAN.replace("WAIT", waits))

    def begin(*arguments):
        command = [sys.executable, "-m", "noa_mlops", *arguments, "-C", str(project.layout.project)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return begin


def end(process, number=None):
    if number is not None:
        process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert before_ours(err) or "Traceback" not in err
    return process.returncode, out, err


def before_ours(err):
    """Whether the interpreter was still starting itself, which ends with words and a status of its own."""
    return "Traceback" in err and "noa_mlops" not in err


@pytest.mark.parametrize("number", ENDS, ids=lambda number: number.name)
def test_a_signal_in_training_ends_the_run_and_the_same_command_goes_on(project, noa, number):
    running = noa("run", "waits.yaml")
    until(lambda: processes_of(project.layout))
    status, out, err = end(running, number)
    assert (status, out) == (ENDS[number], "")
    assert "odd@1 was interrupted" in err
    assert processes_of(project.layout) == []
    assert project.statuses() == ["submitted"]
    assert project.findings() == []
    (project.layout.workspaces / "odd-1" / "checkpoint" / "go").touch()
    assert end(noa("run", "waits.yaml"))[0] == 0
    assert project.statuses() == ["champion"]


@pytest.mark.timeout(3600)
def test_signals_at_any_moment_leave_something_that_goes_on(project, noa):
    began = time.monotonic()
    assert end(noa("run", "plan.yaml"))[0] == 0
    lasted = time.monotonic() - began
    draw = random.Random(62)
    drawn = [(draw.random(), draw.choice(sorted(ENDS))) for _ in range(100)]
    for part, number in drawn if SOAK else ((0.3, signal.SIGINT), (0.7, signal.SIGTERM)):
        running = noa("run", "plan.yaml")
        time.sleep(part * lasted)
        status, _, err = end(running, number)
        assert status in (ENDS[number], -number, 0) or before_ours(err)
        assert project.findings() == []
    assert end(noa("run", "plan.yaml"))[0] == 0
    states = project.statuses()
    assert states == ["former"] * (len(states) - 1) + ["champion"]


def test_a_second_signal_ends_a_run_that_cannot_stop(project, noa):
    running = noa("run", "waits.yaml")
    until(lambda: processes_of(project.layout))
    supervisor = processes_below(running.pid)[1]
    os.kill(supervisor, signal.SIGSTOP)
    running.send_signal(signal.SIGINT)
    assert "once more" in running.stderr.readlines(1)[0] + running.stderr.readline() + running.stderr.readline()
    assert running.poll() is None
    assert end(running, signal.SIGINT)[0] == 130
    os.kill(supervisor, signal.SIGCONT)
    until(lambda: not processes_of(project.layout))


def test_a_keyboard_interrupt_at_any_call_leaves_an_orchestrator_that_can_go_on(project):
    """As in a notebook, where the same process runs the plan again."""

    def interrupt():
        raise KeyboardInterrupt

    with orchestrator(project.layout) as running:
        for nth in range(2, 120, 13):
            given = plan(f"odd-{nth}")
            with contextlib.suppress(KeyboardInterrupt), Calls("", nth, interrupt).watched():
                running.run_plan(given)
            assert running.run_plan(given).state == "champion", f"interrupted before call {nth}"
    assert project.findings() == []


async def test_a_cancelled_task_ends_its_agent_and_the_run_goes_on(project):
    with orchestrator(project.layout) as running:
        task = asyncio.create_task(running.execute_plan(plan(profile="waits-for-a-sign")))
        await asyncio.to_thread(until, lambda: processes_of(project.layout))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert processes_of(project.layout) == []
        assert running.ledger.state.lifecycle("odd").versions[1].status == "submitted"
        (project.layout.workspaces / "odd-1" / "checkpoint" / "sign").touch()
        report = await running.execute_plan(plan(profile="waits-for-a-sign"))
    assert (report.address, report.state) == ("odd@1", "champion")
    assert project.findings() == []


async def test_a_task_cancelled_before_its_turn_submits_nothing(project):
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    with orchestrator(project.layout) as running:
        first = asyncio.create_task(running.execute_plan(plan(profile="waits-for-a-sign")))
        with ThreadPoolExecutor(1) as watching:
            await asyncio.get_running_loop().run_in_executor(watching, until, lambda: processes_of(project.layout))
        second = asyncio.create_task(running.execute_plan(plan("even")))
        await asyncio.sleep(0.05)
        second.cancel()
        (project.layout.workspaces / "odd-1" / "checkpoint" / "sign").touch()
        assert (await first).state == "champion"
        with pytest.raises(asyncio.CancelledError):
            await second
    assert project.statuses("even") == []
