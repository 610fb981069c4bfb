"""A model that searches wherever it can for the labels of the evaluation data finds none when it is sealed."""

import json
import random

import pytest

from noa_mlops.agents import best_isolation

FIRST = 8_675_309
"""The digits that every label of the evaluation data begins with, followed by nine drawn ones."""

SEARCH = '''
"""Looks for numbers of sixteen digits that begin like the labels, as text and as binary numbers, wherever it can."""
import json
import os
import re
import stat
import time

import numpy as np

FIRST = 8_675_300 + 9                                        # never as text: it must not find itself
TEXT = re.compile(str(FIRST).encode() + rb"\\\\d{9}")
LOW, HIGH = FIRST * 10**9, (FIRST + 1) * 10**9


def binary(data):
    """Three labels in a row, as whole numbers or as binary64, at any alignment of eight."""
    words = np.frombuffer(data[: len(data) // 8 * 8], dtype="<i8")
    for values in (words, words.view("<f8")):
        with np.errstate(invalid="ignore"):
            hit = (values >= LOW) & (values < HIGH)
        if (hit[:-2] & hit[1:-1] & hit[2:]).any():
            return True
    return False


def holds_labels(data):
    return TEXT.search(data) is not None or binary(data)


def readable(path, limit=64 << 20):
    """The beginning of a regular file; pipes and devices of others are left alone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return b""
    try:
        return os.read(descriptor, limit) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def memory(pid):
    """The writable memory of a process, as far as it may be read."""
    try:
        maps = open(f"/proc/{pid}/maps").read().splitlines()
        stream = open(f"/proc/{pid}/mem", "rb", buffering=0)
    except OSError:
        return
    with stream:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(part, 16) for part in span.split("-"))
            if "rw" in rights and end - start < 1 << 30:
                try:
                    stream.seek(start)
                    yield stream.read(end - start)
                except OSError:
                    pass


def ancestors():
    """This process and those that started it, as far as they can be seen."""
    pid = os.getpid()
    while pid > 1:
        yield pid
        lines = readable(f"/proc/{pid}/status").decode().splitlines()
        parent = next((int(line.split()[1]) for line in lines if line.startswith("PPid:")), 0)
        pid = parent or (os.getppid() if pid == os.getpid() else 0)


def processes(everywhere):
    neighbours = [*range(1, 100), *range(os.getpid() - 500, os.getpid() + 50)]
    for pid in [*ancestors(), *neighbours, *filter(str.isdigit, listed("/proc"))] if everywhere else ancestors():
        for name in ("environ", "cmdline"):
            yield f"/proc/{pid}/{name}", readable(f"/proc/{pid}/{name}")
        for folder in ("fd", "cwd", "root"):
            for name in listed(f"/proc/{pid}/{folder}")[:200]:
                yield f"/proc/{pid}/{folder}/{name}", readable(f"/proc/{pid}/{folder}/{name}", 1 << 20)
        for part in memory(pid):
            yield f"/proc/{pid}/mem", part


def listed(folder):
    try:
        return os.listdir(folder)
    except OSError:
        return []


def guesses():
    """Where the file would be if nothing were hidden: below each folder above this one."""
    folder = os.getcwd()
    while folder != "/":
        for name in ("data/eval.csv", "data/train.csv", "data/eval.parquet"):
            yield os.path.join(folder, name)
        folder = os.path.dirname(folder)


def young_files(everywhere):
    """Every file of the machine that somebody has changed within the hour."""
    since = time.time() - 3600
    for folder, folders, files in os.walk("/", followlinks=False) if everywhere else ():
        folders[:] = [name for name in folders if os.path.join(folder, name) not in ("/proc", "/sys", "/dev")]
        for name in files:
            path = os.path.join(folder, name)
            try:
                if os.stat(path, follow_symlinks=False).st_mtime > since:
                    yield path
            except OSError:
                pass


def search(job):
    everywhere = job.params["everywhere"]
    found = [path for path, data in processes(everywhere) if holds_labels(data)]
    found += [path for path in guesses() if holds_labels(readable(path))]
    found += [path for path in young_files(everywhere) if holds_labels(readable(path))]
    found += [str(path) for path in job.workspace.rglob("*") if path.is_file() and holds_labels(readable(path))]
    print("FOUND", json.dumps(sorted(set(found))))


def train(job):
    search(job)
    (job.out / "model.txt").write_text("nothing")


def predict(job):
    assert job.target not in job.data.table().column_names
    search(job)
    return np.arange(job.data.table().num_rows, dtype=float)
'''


@pytest.fixture
def searching(folder):
    """A project whose model searches; labels of the evaluation data are numbers that occur nowhere else."""
    draw = random.Random()
    training = [f"{row / 100},{row}" for row in range(100)]
    labels = [f"{row / 100},{FIRST}{draw.randrange(10**9):09}" for row in range(100)]
    folder.write("data/train.csv", "\n".join(["x,y", *training, ""]))
    folder.write("data/eval.csv", "\n".join(["x,y", *labels, ""]))
    folder.write("src/search.py", SEARCH.replace("\\\\", "\\"))
    assert folder.tell("init").status == 0
    return folder


def found(project, isolation):
    """What the trainer and the predictor found, by agent."""
    plan = project.plan(
        lifecycle_id="search",
        agent_profile="python",
        target="y",
        hyperparameters={"everywhere": isolation == "sealed"},
        code=["src/search.py"],
        evaluation={"dataset_path": "data/eval.csv", "metric_thresholds": {"r2": 0.5}},
        resources={"isolation": isolation, "memory": "8GiB"},
    )
    result = project.noa("run", plan, "--json")
    assert result.status == 3, result.said
    logs = project.tell("logs", "search", "--json").document
    printed = {name: text.split("FOUND ")[1] for name, text in logs.items() if "FOUND " in text}
    return {name.split("/")[0]: json.loads(text.splitlines()[0]) for name, text in printed.items()}


@pytest.mark.skipif(best_isolation() != "sealed", reason="this kernel offers no Landlock")
def test_a_sealed_model_finds_no_label_in_memory_processes_folders_or_files(searching):
    assert found(searching, "sealed") == {"search-1": [], "search-1.predict": []}
    view = searching.tell("show", "search@1", "--json").document
    assert view["evaluation"]["noa:run"]["isolation"]["labels_hidden"] is True


def test_the_same_search_finds_them_where_nothing_hides_them_and_the_evidence_says_so(searching):
    everything = found(searching, "basic")
    assert any(path.endswith("/mem") for path in everything["search-1.predict"])
    assert str(searching.path / "data/eval.csv") in everything["search-1.predict"]
    view = searching.tell("show", "search@1", "--json").document
    assert view["evaluation"]["noa:run"]["isolation"]["labels_hidden"] is False
    assert "labels not hidden" in searching.tell("show", "search@1").out
