"""What a program finds around itself: environment, descriptors, limits, logs, progress."""

import json
import os

import pytest

from noa_mlops.agents import RuntimeManager

CANARY = "canary-3f1c"


def test_passes_a_short_list_of_variables_and_no_secret(bench, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    monkeypatch.setenv("PYTHONPATH", f"/{CANARY}")
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    said = bench.said("import os, json; print(json.dumps(dict(os.environ)))", cpus=2)
    environment = json.loads(said)
    assert CANARY not in said
    assert environment.pop("NOA_PAYLOAD") == str(bench.workspace.payload)
    assert environment.pop("HOME") == environment.pop("TMPDIR") == str(bench.workspace.tmp)
    assert environment.pop("OMP_NUM_THREADS") == environment.pop("OPENBLAS_NUM_THREADS") == "2"
    assert environment.pop("OPENBLAS_CORETYPE") == "Haswell"
    assert environment.pop("TZ") == "Europe/Berlin"
    allowed = {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT", "OPENBLAS_L2_SIZE"}
    assert set(environment) <= allowed


def test_no_process_of_a_job_has_the_callers_secret(bench, monkeypatch):
    monkeypatch.setenv("NOA_TEST_SECRET", CANARY)
    source = "import os; print(CANARY in open(f'/proc/{os.getppid()}/environ').read())".replace("CANARY", repr(CANARY))
    assert bench.said(source) == "False"


def test_adds_the_variables_of_the_job(bench):
    assert bench.said("import os; print(os.environ['X'])", environment={"X": "1 \n2"}) == "1 \n2"


def test_opens_nothing_but_the_three_standard_streams(bench):
    with open(__file__) as held:
        os.set_inheritable(held.fileno(), True)
        assert bench.said("import os; print(len(os.listdir('/proc/self/fd')))") == "4"  # one is the listing itself


def test_reads_nothing_from_the_standard_input(bench):
    assert bench.said("import sys; print(repr(sys.stdin.read()))") == "''"


def test_starts_with_default_signals_none_blocked_in_its_own_session(bench):
    source = """
import os
status = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
print(status["SigBlk"], os.getsid(0) == os.getpid(), status["NoNewPrivs"])
"""
    assert bench.said(source) == "0000000000000000 True 1"


def test_runs_with_the_priority_of_its_caller(bench):
    source = "import os; print(os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0))"
    assert bench.said(source) == f"{os.sched_getscheduler(0)} {os.getpriority(os.PRIO_PROCESS, 0)}"


def test_limits_core_files_open_files_and_file_size(bench):
    source = (
        "import resource as r\n"
        "print([r.getrlimit(k)[0] for k in (r.RLIMIT_CORE, r.RLIMIT_FSIZE)], r.getrlimit(r.RLIMIT_NOFILE)[0] <= 4096)"
    )
    assert bench.said(source, disk=1 << 20) == "[0, 1048576] True"


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("piece", ["x", "line\\n"])
def test_caps_the_log_of_a_program_that_prints_gigabytes_in_one_line_or_in_many(bench, piece):
    """Ten of them in the long form, which takes as long as a pipe takes."""
    megabytes = 10 << 10 if os.environ.get("NOA_SOAK") else 256
    source = f"import os\nblock = (b'{piece}' * (1 << 20))[:1 << 20]\nfor _ in range({megabytes}): os.write(1, block)"
    outcome = bench.run(source, log=1 << 20, time=3600)
    assert outcome.cause == "completed"
    size = (bench.workspace.path / "stdout.log").stat().st_size
    assert 1 << 20 < size < (1 << 20) + 200
    assert bench.printed().endswith("\n[noa: capped at 1048576 bytes, the rest was discarded]\n")


def test_keeps_the_last_words_for_the_verdict_though_the_log_is_capped(bench):
    source = "import sys\nsys.stderr.write('x' * (2 << 20))\nraise MemoryError"
    assert bench.run(source, log=1 << 10).cause == "memory_limit"


def test_keeps_output_that_a_child_prints_after_the_program_has_ended(bench):
    source = "import os, time\nif os.fork() == 0:\n time.sleep(0.2); os.write(1, b'late'); os._exit(0)"
    assert bench.said(source) == "late"


def test_keeps_the_bytes_of_both_streams(bench):
    bench.run("import os; os.write(1, b'\\x1b[31m\\xff'); os.write(2, b'no')")
    assert (bench.workspace.path / "stdout.log").read_bytes() == b"\x1b[31m\xff"
    assert (bench.workspace.path / "stderr.log").read_bytes() == b"no"


def test_does_not_write_logs_through_a_link(bench, tmp_path):
    target = tmp_path / "precious"
    target.write_text("precious")
    (bench.workspace.path / "controller.log").symlink_to(target)
    with pytest.raises(OSError, match="symbolic"):
        bench.run("pass")
    assert target.read_text() == "precious"


def progress_of(bench, source):
    told = []
    outcome = RuntimeManager().run(bench.job(source), on_progress=told.append)
    assert outcome.completed, bench.workspace.tail()
    return told


def test_tells_the_progress_in_order(bench):
    source = "f = open('progress.jsonl', 'a')\nfor n in range(5): f.write('{\"step\": %d}\\n' % n)"
    assert progress_of(bench, source) == [{"step": number} for number in range(5)]


def test_leaves_out_lines_of_progress_that_are_no_objects(bench):
    lines = ["no json", "[1]", '{"a": NaN}', '{"a": 1, "a": 2}', '{"b": "' + "x" * 70_000 + '"}', '{"step": 1}']
    source = f"open('progress.jsonl', 'w').write({chr(10).join(lines)!r} + '\\n')"
    assert progress_of(bench, source) == [{"step": 1}]


def test_reads_at_most_a_mebibyte_of_progress(bench):
    source = "f = open('progress.jsonl', 'a')\nfor n in range(100_000): f.write('{\"step\": %d, \"pad\": \"xxxxxxxxx\"}\\n' % n)"
    told = progress_of(bench, source)
    assert 1000 < len(told) < 40_000


def test_never_waits_for_a_progress_file_that_is_a_pipe(bench):
    bench.workspace.progress.unlink()
    os.mkfifo(bench.workspace.progress)
    assert progress_of(bench, "pass") == []
