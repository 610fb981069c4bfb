"""Timing that a busy machine cannot tilt: candidates take turns, and the median of each counts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Candidate = Callable[[], object]
"""One thing to time; called many times."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the output: ``ours`` and ``floor`` in milliseconds, the greatest ratio we are content with."""

    what: str
    floor_name: str
    floor: float
    ours: float
    goal: float
    note: str = ""

    def __str__(self) -> str:
        ratio = self.ours / self.floor
        kept = "ok " if ratio <= self.goal else "MISSED"
        numbers = f"{self.ours:9.2f} ms  {ratio:6.2f}x of {self.floor:8.2f} ms {self.floor_name}"
        return f"  {self.what:<34}{numbers}   goal {self.goal:.1f}x  {kept} {self.note}".rstrip()


def medians(candidates: Mapping[str, Candidate], *, rounds: int, warm_up: int = 2) -> dict[str, float]:
    """The median time of each candidate in milliseconds, over ``rounds`` rounds in which each runs once."""
    taken: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(-warm_up, rounds):
        for name, candidate in candidates.items():
            began = time.perf_counter()
            candidate()
            if turn >= 0:
                taken[name].append(time.perf_counter() - began)
    return {name: statistics.median(times) * 1000 for name, times in taken.items()}
