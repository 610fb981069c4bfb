"""However many processes promote at once, whoever reads the champion sees one order, and never goes back in it."""

import json
import os
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest

from crash.projects import Layout, Project, end_of, orchestrator, plan, start
from faults.histories import PROMOTED, READ, Operation, inversions
from noa_mlops.ledger import Ledger

SOAK = bool(os.environ.get("NOA_SOAK"))
WRITERS, RUNS = (8, 100) if SOAK else (3, 2)


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name in ("NOA_KEYS", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    return Project.at(tmp_path / "project")


class Record:
    """A file of operations, a line each."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)

    def took(self, kind, operation):
        begun = time.monotonic_ns()
        version = operation()
        self._file.write(json.dumps(asdict(Operation(kind, version, begun, time.monotonic_ns()))) + "\n")


def champion(layout):
    return Ledger.read_only(layout).state.lifecycle("odd").champion


def promote_and_read(layout: Layout, path: Path, runs: int) -> None:
    """Run the plan some times, and look at the champion after each."""
    record = Record(path)
    with orchestrator(layout) as running:
        for _ in range(runs):
            record.took(PROMOTED, lambda: running.run_plan(plan()).version)
            record.took(READ, lambda: champion(layout))


def read_on(layout: Layout, path: Path, end: Path) -> None:
    """Look at the champion again and again, until there is a file that says it is enough."""
    record = Record(path)
    while not end.exists():
        record.took(READ, lambda: champion(layout))
        time.sleep(0.01)


@pytest.mark.timeout(3600)
def test_the_champion_is_linearisable_and_the_log_has_no_gap(project, tmp_path):
    layout, end = project.layout, tmp_path / "end"
    files = [tmp_path / f"history-{number}" for number in range(WRITERS + 1)]
    reader = start(read_on, layout, files[-1], end)
    writers = [start(promote_and_read, layout, path, RUNS) for path in files[:-1]]
    try:
        for writer in writers:
            writer.join(3000)
        assert [writer.exitcode for writer in writers] == [0] * WRITERS
    finally:
        end.touch()
    assert end_of(reader) == 0
    history = [Operation(**json.loads(line)) for path in files for line in path.read_text().splitlines()]
    entries = project.entries()
    order = [entry.version for entry in entries if entry.type == "PromotionReady" and entry.status == "ready"]
    assert list(inversions(history, order)) == []
    assert sorted(order) == list(range(1, WRITERS * RUNS + 1))
    assert sorted(each.version for each in history if each.kind == PROMOTED) == sorted(order)
    assert len({each.version for each in history if each.kind == READ}) > 1
    assert [entry.seq for entry in entries] == list(range(len(entries)))
    kinds = Counter(entry.type for entry in entries)
    assert {kinds[kind] for kind in ("Submitted", "TrainingCompleted", "PromotionReady")} == {WRITERS * RUNS}
    assert kinds["EvaluationLogged"] >= WRITERS * RUNS  # once more where another champion has come between
    assert project.findings() == []


def operations(*described):
    return [Operation(*each) for each in described]


def test_the_checker_takes_what_could_have_happened_in_order():
    history = operations(
        (PROMOTED, 1, 0, 10),
        (PROMOTED, 2, 1, 20),
        (READ, None, 2, 3),
        (READ, 2, 4, 9),
        (READ, 2, 12, 13),
        (PROMOTED, 3, 14, 30),
        (READ, 3, 15, 16),
        (READ, 3, 16, 40),
    )
    assert list(inversions(history, [1, 2, 3])) == []


@pytest.mark.parametrize(
    ("said", "history"),
    [
        ("a read goes back", [(READ, 2, 5, 6), (READ, 1, 7, 8)]),
        ("a read misses what was told before", [(PROMOTED, 2, 1, 5), (READ, 1, 6, 7)]),
        ("a read sees what nobody has begun yet", [(READ, 2, 1, 2), (PROMOTED, 2, 3, 4)]),
        ("the ledger turns round what was done in order", [(PROMOTED, 2, 1, 2), (PROMOTED, 1, 3, 4)]),
        ("a long operation between does not hide it", [(READ, 2, 5, 6), (READ, 2, 0, 9), (READ, None, 7, 8)]),
    ],
)
def test_the_checker_finds_what_could_not_have_happened_in_order(said, history):
    assert len(list(inversions(operations(*history), [1, 2]))) == 1, said


def test_the_checker_refuses_a_champion_that_was_never_promoted():
    with pytest.raises(KeyError):
        list(inversions(operations((READ, 7, 0, 1)), [1, 2]))
