"""Trainers that are ended, and what is left of them: a named cause, a recorded failure, and no process."""

import os
import signal
import sys
import threading

import pytest

from end_to_end.projects import PLAN, alive, until

FATES = {
    "time_limit": ("sleep {mark}\n", {"time": "1s"}, "killed at its time limit"),
    "memory_limit": (
        "awk 'BEGIN {{ text = \"{mark}\"; while (1) text = text text }}'\n",
        {"memory": "256MiB"},
        "ran out of memory",
    ),
    "left_processes": (
        'echo 0.5 > "$NOA_OUT/cut"; sleep {mark} & disown 2>/dev/null; exit 0\n',
        {},
        "left processes running in the background",
    ),
    "exit_status": ("sleep {mark} & echo out of luck >&2; exit 9\n", {}, "exited with status 9: out of luck"),
    "signal": ("sleep {mark} & kill -SEGV $$\n", {}, "killed by signal 11"),
    "signal of its own": ("sleep {mark} & kill -KILL $$\n", {}, "killed by signal 9"),
    "memory_limit of its own": (
        "ulimit -v 100000; exec {python} -I -S -c 'b = bytearray(1 << 34) # {mark}'\n",
        {},
        "ran out of memory",
    ),
    "time_limit of fifty that fork again": (
        "for n in 1 2 3 4 5; do for m in 1 2 3 4 5 6 7 8 9 10; do (while :; do sleep {mark} & wait; done) & done; done; wait\n",
        {"time": "2s"},
        "killed at its time limit",
    ),
}
"""What ends a trainer, its first word the cause: its program, its limits, and what is said of it."""


@pytest.mark.parametrize("fate", FATES)
def test_a_trainer_that_is_ended_leaves_a_named_cause_and_no_process(promoted, mark, fate):
    (program, resources, words), cause = FATES[fate], fate.split()[0]
    promoted.programs(train=program.format(mark=mark, python=sys.executable))
    result = promoted.noa("run", promoted.plan(resources=resources))
    assert result.status == 6, result.said
    assert not alive(mark)
    assert result.out.startswith("FAILED  little@2")
    assert f"{cause}: the trainer" in result.out
    assert words in result.out
    assert "noa logs little@2" in result.out
    kind, predicate = promoted.last_entry()
    assert kind == "TrainingFailed"
    assert predicate["noa:run"]["cause"] == cause
    assert words in predicate["noa:run"]["message"]
    assert promoted.champion() == 1
    assert promoted.verifies()


@pytest.mark.parametrize("program", ["(setsid sleep {mark} &) ; exit 1\n", "nohup sleep {mark} & exit 1\n"])
def test_a_child_that_slips_out_of_its_session_is_ended_too(promoted, mark, program):
    promoted.programs(train=program.format(mark=mark))
    assert promoted.noa("run", "plan.json").status == 6
    assert not alive(mark)


def test_a_trainer_that_makes_nothing_has_failed(promoted):
    promoted.programs(train="true\n")
    result = promoted.tell("run", "plan.json")
    assert result.status == 6
    assert "noa logs little@2" in result.out
    assert promoted.last_entry()[0] == "TrainingFailed"


def test_a_program_that_is_not_there_is_named(promoted):
    programs = {**PLAN["hyperparameters"], "command": ["no-such-program-here"]}
    result = promoted.tell("run", promoted.plan(hyperparameters=programs))
    assert result.status == 6
    assert "'no-such-program-here' is not installed" in result.out


ENDLESS = """\
if [ -e checkpoint/half ]; then echo 0.5 > out/cut; exit 0; fi
sleep {mark} &
echo half > checkpoint/half
wait
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run_safely_and_the_same_command_continues_it(promoted, mark, number, status):
    promoted.programs(train=ENDLESS.format(mark=mark))
    command = promoted.start("run", "plan.json")
    until((promoted.workspace("little-2") / "checkpoint/half").exists)
    command.send_signal(number)
    out, err = command.communicate(timeout=60)
    assert command.returncode == status, out + err
    assert "Run the same plan again: it continues where it was." in err
    assert "Traceback" not in err
    assert not alive(mark)
    assert promoted.verifies()
    continued = promoted.tell("run", "plan.json", "--json")
    assert (continued.status, continued.document["version"]) == (0, 2)


def test_a_killed_run_leaves_no_process_and_the_same_command_continues_it(promoted, mark):
    promoted.programs(train=ENDLESS.format(mark=mark))
    command = promoted.start("run", "plan.json")
    until((promoted.workspace("little-2") / "checkpoint/half").exists)
    command.kill()
    command.communicate(timeout=60)
    until(lambda: not alive(mark))
    continued = promoted.tell("run", "plan.json", "--json")
    assert (continued.status, continued.document["version"]) == (0, 2)
    assert [entry["noa_entry"]["type"] for entry in promoted.entries()].count("Submitted") == 2
    assert promoted.verifies()


def test_a_live_run_is_left_alone_and_the_same_plan_makes_a_version_of_its_own(promoted, mark):
    promoted.programs(train=ENDLESS.format(mark=mark))
    promoted.start("run", "plan.json")
    until((promoted.workspace("little-2") / "checkpoint/half").exists)
    second = promoted.start("run", "plan.json")
    until((promoted.workspace("little-3") / "checkpoint/half").exists)
    assert second.poll() is None
    assert len(alive(mark)) >= 2


def test_no_thread_and_no_descriptor_is_left_of_a_run(promoted):
    promoted.tell("run", "plan.json")
    before = (threading.active_count(), len(os.listdir("/proc/self/fd")))
    promoted.tell("run", "plan.json")
    promoted.programs(train="exit 1\n")
    promoted.tell("run", "plan.json")
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == before


def test_no_secret_of_the_caller_reaches_agents_evidence_or_logs(promoted, monkeypatch):
    canary = "canary-7d1f4e"
    for name in ("AWS_SECRET_ACCESS_KEY", "DATABASE_URL", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, f"https://user:{canary}@example.org")
    promoted.programs(train='env; cat /proc/self/environ; echo 0.5 > "$NOA_OUT/cut"\n')
    result = promoted.noa("run", "plan.json")
    assert result.status == 0, result.said
    assert canary not in result.said
    assert "NOA_PAYLOAD" in (promoted.workspace("little-2") / "stdout.log").read_text()
    for path in promoted.path.rglob("*"):
        if path.is_file():
            assert canary.encode() not in path.read_bytes(), path
