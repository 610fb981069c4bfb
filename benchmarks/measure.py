"""Timing that a busy machine cannot tilt: candidates take turns, and the median of each counts."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

Candidate = Callable[[], object]
"""One thing to time; called many times."""


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder on the disk that the current one is on, with keys and pins of its own; gone afterwards.

    A file system in memory would make the floors worth nothing.
    """
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder:
        os.environ |= {"NOA_KEYS": f"{folder}/keys", "XDG_STATE_HOME": f"{folder}/state"}
        try:
            yield Path(folder)
        finally:
            os.environ.clear()
            os.environ.update(before)


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the output: ``ours`` and ``floor`` in milliseconds, the greatest ratio we are content with; 0 is no goal."""

    what: str
    floor_name: str
    floor: float
    ours: float
    goal: float = 0
    note: str = ""

    def __str__(self) -> str:
        ratio = self.ours / self.floor
        kept = "ok " if ratio <= self.goal else "MISSED"
        numbers = f"{self.ours:9.2f} ms  {ratio:6.2f}x of {self.floor:8.2f} ms {self.floor_name}"
        judged = f"goal {self.goal:.4g}x  {kept}" if self.goal else ""
        return f"  {self.what:<34}{numbers}   {judged} {self.note}".rstrip()


def medians(
    candidates: Mapping[str, Candidate],
    *,
    rounds: int,
    warm_up: int = 2,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """The median time of each candidate in milliseconds, over ``rounds`` rounds in which each runs once.

    What only computes is best timed by ``time.process_time``, which does not count the turns of other programs.
    """
    taken: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(-warm_up, rounds):
        for name, candidate in candidates.items():
            began = clock()
            candidate()
            if turn >= 0:
                taken[name].append(clock() - began)
    return {name: statistics.median(times) * 1000 for name, times in taken.items()}


@dataclass(frozen=True, slots=True)
class Rate:
    """One row of the output: how many per second, and at least how many we want; 0 is no goal."""

    what: str
    floor_name: str
    floor: float
    ours: float
    goal: float = 0
    note: str = ""

    def __str__(self) -> str:
        numbers = f"{self.ours:9,.0f} /s  {self.ours / self.floor:6.2f}x of {self.floor:9,.0f} /s {self.floor_name}"
        kept = "ok " if self.ours >= self.goal else "MISSED"
        judged = f"goal {self.goal:,.0f} /s  {kept}" if self.goal else ""
        return f"  {self.what:<34}{numbers}   {judged} {self.note}".rstrip()


def best_rates(candidates: Mapping[str, Callable[[], float]], *, rounds: int = 3) -> dict[str, float]:
    """The best rate of each candidate, which gives its own, over ``rounds`` rounds in which each runs once."""
    turns = [{name: candidate() for name, candidate in candidates.items()} for _ in range(rounds)]
    return {name: max(turn[name] for turn in turns) for name in candidates}
