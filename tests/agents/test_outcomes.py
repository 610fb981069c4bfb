"""How a job can end, and what its outcome says."""

import os
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from noa_mlops.agents import Job, RuntimeManager, Workspace, ending
from noa_mlops.agents.processes import fork
from noa_mlops.agents.supervision import refuse
from noa_mlops.agents.supervisors import Line
from noa_mlops.errors import TrainingFailed

HOUR = "import time; time.sleep(3600)"


def test_tells_of_a_program_that_completes(bench):
    outcome = bench.run("print('hello')")
    assert (outcome.cause, outcome.exit_status, outcome.signal, outcome.left_behind) == ("completed", 0, None, 0)
    assert bench.printed() == "hello\n"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", outcome.started_at)
    assert outcome.started_at <= outcome.finished_at


def test_names_the_exit_status(bench):
    outcome = bench.run("raise SystemExit(3)")
    assert (outcome.cause, outcome.exit_status) == ("exit_status", 3)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_names_the_signal_that_a_program_sends_itself(bench, number):
    outcome = bench.run(f"import os; os.kill(os.getpid(), {int(number)})")
    assert (outcome.cause, outcome.exit_status, outcome.signal) == ("signal", None, number)


def test_ends_a_program_at_its_time_limit(bench):
    outcome = bench.run(HOUR, time=1)
    assert (outcome.cause, outcome.exit_status, outcome.signal) == ("time_limit", None, None)


def test_ends_a_program_that_ignores_every_polite_signal(bench):
    source = "import signal\nfor s in (1, 2, 3, 15): signal.signal(s, signal.SIG_IGN)\n" + HOUR
    assert bench.run(source, time=1).cause == "time_limit"


def test_ends_a_program_that_grows_over_its_memory(bench):
    source = "held = []\nwhile True: held.append(bytearray(b'x') * (8 << 20))"
    outcome = bench.run(source, memory=256 << 20)
    assert outcome.cause == "memory_limit"
    assert outcome.peak_memory > 200 << 20


def test_counts_the_memory_of_the_whole_tree(bench):
    source = (
        "import os, time\nfor _ in range(4):\n if not os.fork():\n  held = bytearray(b'x') * (80 << 20); time.sleep(60)\n"
        "time.sleep(60)"
    )
    assert bench.run(source, memory=256 << 20).cause == "memory_limit"


def test_counts_memory_that_forked_processes_share_only_once(bench):
    source = (
        "import os, time\nheld = bytearray(b'x') * (120 << 20)\n"
        "children = [os.fork() or time.sleep(0.5) or os._exit(0) for _ in range(4)]\n"
        "for child in children: os.waitpid(child, 0)"
    )
    assert bench.run(source, memory=256 << 20).cause == "completed"


def test_says_memory_when_one_huge_allocation_is_refused(bench):
    outcome = bench.run("held = bytearray(64 << 30)", memory=256 << 20)
    assert outcome.cause == "memory_limit"
    assert "MemoryError" in bench.printed("stderr.log")


def test_processes_that_hide_from_inspection_count_in_full(bench):
    source = (
        "import ctypes, os, time\nfor _ in range(4):\n if not os.fork():\n"
        "  held = bytearray(b'x') * (80 << 20); ctypes.CDLL(None).prctl(4, 0); time.sleep(60)\n"
        "time.sleep(60)"
    )
    assert bench.run(source, memory=256 << 20, time=30).cause == "memory_limit"


def test_ends_a_program_that_fills_the_disk(bench):
    source = (
        "import os\nblock = os.urandom(1 << 20)\nfor n in range(100000):\n"
        " with open(f'out/{n}', 'wb') as f: f.write(block)"
    )
    assert bench.run(source, disk=16 << 20).cause == "disk_limit"


def test_measures_the_disk_once_more_when_a_program_has_ended(bench):
    source = "import os\nfor n in range(8): open(f'out/{n}', 'wb').write(os.urandom(1 << 20))"
    assert bench.run(source, disk=4 << 20).cause == "disk_limit"


def test_does_not_let_folders_hide_by_their_depth(bench):
    source = "import os\nos.chdir('out')\nfor n in range(200): os.mkdir('d'); os.chdir('d')"
    outcome = bench.run(source)
    assert outcome.cause == "disk_limit"
    assert "levels deep" in outcome.detail


def test_stops_a_program_that_is_cancelled(bench):
    cancel = threading.Event()
    threading.Timer(0.3, cancel.set).start()
    assert RuntimeManager().run(bench.job(HOUR), cancel=cancel).cause == "cancelled"


def test_ends_at_once_what_was_cancelled_before(bench):
    cancel = threading.Event()
    cancel.set()
    assert RuntimeManager().run(bench.job(HOUR), cancel=cancel).cause == "cancelled"


def test_says_which_program_cannot_be_started(bench):
    job = Job(("no-such-program",), bench.workspace.path)
    outcome = RuntimeManager().run(job)
    assert (outcome.cause, outcome.exit_status) == ("exit_status", 127)
    assert "no-such-program" in outcome.detail


def test_refuses_an_argument_with_a_nul_byte(bench):
    with pytest.raises(TrainingFailed, match="NUL"):
        RuntimeManager().run(Job(("true", "a\0b"), bench.workspace.path))


def test_finds_a_program_on_the_path(bench):
    assert RuntimeManager().run(Job(("true",), bench.workspace.path)).completed


def test_serves_several_threads_at_once(layout, bench):
    def work(number):
        with Workspace.claim(layout, f"rainfall-{number}") as own:
            own.prepare()
            source = f"open('out/model', 'w').write('{number}'); raise SystemExit({number})"
            job = replace(bench.job(source), cwd=own.path, writable=own.writable)
            return runtime.run(job).exit_status, (own.out / "model").read_text()

    runtime = RuntimeManager()
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(work, range(10, 18))) == [(number, str(number)) for number in range(10, 18)]


def test_writes_down_what_the_runtime_did(bench):
    bench.run(HOUR, time=1)
    lines = bench.printed("controller.log").splitlines()
    assert "started process" in lines[0]
    assert "time_limit" in lines[1]
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", line) for line in lines)


def test_a_file_over_the_disk_limit_is_named_as_that_limit_also_when_the_program_ends_by_itself(bench):
    outcome = bench.run("open('out/big', 'wb').write(bytes(3 << 20))", disk=1 << 20)
    assert (outcome.cause, outcome.exit_status) == ("disk_limit", 1)
    assert ending(outcome, "") == "wrote more than its disk limit (a file grew over the limit)"


def test_a_program_that_is_not_there_was_not_started(bench):
    outcome = RuntimeManager().run(replace(bench.job(HOUR), argv=("no-such-program",)))
    assert (outcome.cause, outcome.exit_status) == ("exit_status", 127)
    assert (
        ending(outcome, "")
        == "was not started: 'no-such-program' cannot be started: no program 'no-such-program' on the PATH"
    )


def test_a_status_of_127_of_its_own_is_an_exit_status(bench):
    outcome = bench.run("raise SystemExit(127)")
    assert ending(outcome, "no luck") == "exited with status 127: no luck"


def test_a_job_whose_supervisor_found_no_room_on_the_machine_is_reported_as_not_started():
    control, orders = os.pipe()
    reports, report = os.pipe()
    os.close(control)
    refuse(report, "the machine has no room for its supervisor")
    os.close(report)
    line = Line(orders, reports)
    try:
        assert line.greeted()
        told = dict(line.carry_out([("cwd", "/")], lambda: False, 1))
    finally:
        line.close()
    assert line.reported
    assert (told["cause"], told["exit_status"]) == ("exit_status", "127")
    assert told["detail"] == "the machine has no room for its supervisor"


def test_a_machine_that_is_short_of_processes_for_a_moment_is_waited_for(monkeypatch):
    answers = [BlockingIOError(11, "Resource temporarily unavailable"), 4711]

    def scarce():
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(os, "fork", scarce)
    assert fork() == 4711
