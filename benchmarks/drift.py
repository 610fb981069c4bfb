"""What a scan costs: summaries in one pass, against sorting the same columns; and comparing two of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from functools import partial

import numpy as np
import pyarrow as pa

from benchmarks.measure import Line, medians
from noa_mlops.datasets import summarise_table
from noa_mlops.drift import scan

NUMERIC = 4
"""Of five columns, how many hold numbers; the fifth holds one of fifty texts."""


def lines(rounds: int = 3) -> Iterator[Line]:
    """Summaries of 100,000 rows of 50 columns and of 1,000,000 of 20 (``--full``: of 50); a scan of two of the first."""
    for rows, columns in ((100_000, 50), (1_000_000, 50 if "--full" in sys.argv else 20)):
        table = drawn(rows, columns)
        numbers = [table[name].to_numpy() for name in table.column_names if pa.types.is_floating(table[name].type)]
        times = medians(
            {"ours": partial(summarise_table, table), "floor": partial(sort_all, numbers)},
            rounds=rounds,
            warm_up=1,
            clock=time.process_time,
        )
        name = f"summary, {rows // 1000:,}k x {columns}"
        yield Line(name, "numpy.sort of its numbers alone", times["floor"], times["ours"], 2 if rows < 1_000_000 else 1)
    first, second = (summarise_table(drawn(100_000, 50, seed)) for seed in (1, 2))
    bare = medians({"ours": lambda: scan(first, second)}, rounds=3 * rounds, clock=time.process_time)
    yield Line("scan of two summaries, 50 columns", "the goal", 50, bare["ours"], 1)


def sort_all(columns: list[np.ndarray[tuple[int], np.dtype[np.float64]]]) -> None:
    """What exact quantiles would take."""
    for values in columns:
        np.sort(values)


def drawn(rows: int, columns: int, seed: int = 0) -> pa.Table:
    """A table of normal numbers and of texts with 50 levels."""
    draw = np.random.default_rng(seed)
    return pa.table(
        {
            f"c{place}": draw.normal(size=rows)
            if place % (NUMERIC + 1)
            else pa.array(draw.integers(0, 50, rows).astype(str))
            for place in range(columns)
        }
    )
