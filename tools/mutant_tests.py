"""What tests do without any mutant: how long each takes, and which lines it runs; so which ones to ask about a line."""

from __future__ import annotations

import os
import pickle
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import coverage
import pytest

from tools.mutations import Mutant

PACKAGE = Path("src/noa_mlops")
TESTS = {
    "gate": ("tests/gate",),
    "ledger": ("tests/ledger", "tests/trust"),
    "audit": ("tests/audit", "tests/trust", "tests/vectors"),
}
"""Where tests lie that are asked about what shows when a module of a room is loaded, beside those that use it."""

PATIENCE = 60.0
"""Seconds of tests, as they were measured, that are asked about one mutant; the quick ones first."""


@dataclass(slots=True)
class Record:
    """The seconds that each test takes, the tests that run each line of a file, and what failed."""

    seconds: dict[str, float] = field(default_factory=dict)
    asked: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def add(self, other: Record) -> None:
        """Take in what other tests did."""
        self.seconds |= other.seconds
        self.failed += other.failed
        for place, tests in other.asked.items():
            self.asked.setdefault(place, set()).update(tests)

    def tests(self, mutant: Mutant) -> list[str]:
        """The tests to ask about a mutant, in their order."""
        places: Iterable[tuple[str, int]] = ((str(mutant.file), line) for line in mutant.lines)
        found: set[str] = set()
        own = {test for test in self.seconds if test.startswith(TESTS[mutant.file.parent.name])}
        if mutant.function is None:
            places = (place for name in mutant.names for place in _mentions(name))
            found |= own
        found.update(*(self.asked.get(place, ()) for place in places))
        return self.affordable(found & own, found - own)

    def limit(self, test: str) -> float:
        """Seconds after which a test hangs."""
        return 5 + 10 * self.seconds[test]

    def affordable(self, *found: Iterable[str]) -> list[str]:
        """As many quick ones as there is time for, those of ``found`` that come first before the others.

        Those of one file are together, for they share what they prepare.
        """
        kept: list[str] = []
        left = PATIENCE
        for test in (test for tests in found for test in sorted(tests, key=self.seconds.__getitem__)):
            left -= self.seconds[test]
            if left >= 0 or not kept:
                kept.append(test)
        files: dict[str, list[float]] = defaultdict(list)
        for test in kept:
            files[_file(test)].append(self.seconds[test])
        mean = {file: sum(times) / len(times) for file, times in files.items()}
        return sorted(kept, key=lambda test: (mean[_file(test)], _file(test), self.seconds[test]))


def run(items: Sequence[pytest.Item]) -> None:
    """Run tests one after the other; what they write goes where temporary files of this process go."""
    for item, following in zip(items, [*items[1:], None], strict=True):
        vars(item.config)["_tmp_path_factory"]._basetemp = Path(tempfile.gettempdir())  # noqa: SLF001  no option is as late
        item.ihook.pytest_runtest_protocol(item=item, nextitem=following)


def measure(items: Sequence[pytest.Item], path: str) -> int:
    """Run tests and write a `Record` of it."""
    record, watched = Record(), coverage.Coverage(data_file=None, config_file=False, source=[str(PACKAGE.resolve())])
    items[0].config.pluginmanager.register(_Clock(record, watched))
    watched.start()
    run(items)
    watched.stop()
    data = watched.get_data()
    for file in data.measured_files():
        for line, tests in data.contexts_by_lineno(file).items():
            record.asked[os.path.relpath(file), line] = set(tests) - {""}
    with open(path, "wb") as stored:
        pickle.dump(record, stored)
    return 0


@dataclass(slots=True, eq=False)
class _Clock:
    record: Record
    watched: coverage.Coverage

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """What runs from here on runs for this test."""
        self.watched.switch_context(item.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up setup, call and teardown."""
        self.record.seconds[report.nodeid] = self.record.seconds.get(report.nodeid, 0.0) + report.duration
        if report.failed:
            self.record.failed.append(f"{report.nodeid}\n{report.longreprtext}")


@cache
def _mentions(name: str) -> frozenset[tuple[str, int]]:
    """Where the project speaks of a name."""
    word = re.compile(rf"\b{re.escape(name)}\b")
    return frozenset(
        (str(file), number)
        for file in PACKAGE.rglob("*.py")
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        if word.search(line)
    )


def _file(test: str) -> str:
    return test.partition("::")[0]
