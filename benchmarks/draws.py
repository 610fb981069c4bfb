"""Data drawn by chance, as summaries, for `benchmarks.false_alarms`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.signal import lfilter

from noa_mlops.datasets import Counting, Dataset, summarise_table
from noa_mlops.datasets.typed import columns_of
from noa_mlops.records.dataset import DatasetDefinition, DatasetIdentity
from noa_mlops.records.summary import DatasetSummary

LEVELS = (2, 3, 5, 8, 10, 20, 30, 50, 70, 100)
DAYS = 365
GROUP = 20
"""Rows of a group."""

WITHIN = 0.2
"""Correlation of the rows of a group."""

Real = npt.NDArray[np.float64]


def wide(random: np.random.Generator, rows: int, *, moved: int = 0, shift: float = 0.0) -> DatasetSummary:
    """40 columns of numbers and 10 of texts; the first ``moved`` ones are normal and shifted."""
    shapes = (random.normal, random.exponential, random.random)
    numbers: dict[str, Any] = {
        f"moved{place}" if place < moved else f"n{place}": random.normal(size=rows) + shift
        if place < moved
        else shapes[place % 3](size=rows)
        for place in range(40)
    }
    return summarise_table(pa.table(numbers | {f"c{levels}": named(random, levels, rows) for levels in LEVELS}))


def texts(random: np.random.Generator, rows: int) -> DatasetSummary:
    """50 columns of 50 levels that are alike often."""
    return summarise_table(pa.table({f"c{place}": named(random, 50, rows) for place in range(50)}))


def missing(random: np.random.Generator, rows: int) -> DatasetSummary:
    """40 columns of numbers, of which 1 to 40 % are missing."""
    columns = {}
    for place in range(40):
        absent = random.random(rows) < (place + 1) / 100
        columns[f"n{place}"] = pa.array(random.normal(size=rows), mask=absent)
    return summarise_table(pa.table(columns))


def sold(random: np.random.Generator, rows: int) -> DatasetSummary:
    """Names of which most are rare, whole numbers of few values, and identifiers."""
    columns: dict[str, Any] = {f"name{place}": random.zipf(1.5 + place / 10, rows).astype(str) for place in range(10)}
    columns |= {f"count{place}": random.poisson(place + 1, rows) for place in range(5)}
    columns |= {f"id{place}": random.integers(0, 10**12, rows).astype(str) for place in range(5)}
    return summarise_table(pa.table(columns))


def series(share: float, random: np.random.Generator, rows: int, *, shift: float = 0.0) -> DatasetSummary:
    """Rows in time of which each keeps a ``share`` of the one before."""
    return in_time(autoregressive(random, rows, share, 16), 0, shift)


def groups(random: np.random.Generator, rows: int, *, shift: float = 0.0) -> DatasetSummary:
    """Rows of which `GROUP` have something in common."""
    of = np.repeat(np.arange(rows // GROUP), GROUP)
    common = random.normal(size=(rows // GROUP, 16))[of]
    values = common * WITHIN**0.5 + random.normal(size=(len(of), 16)) * (1 - WITHIN) ** 0.5
    names = [f"{value:x}" for value in random.integers(0, 1 << 60, rows // GROUP)]
    return counted({"by": pa.array(names).take(pa.array(of))}, values, shift, group="by")


def days(
    random: np.random.Generator, reference: int, window: int, *, share: float = 0.0, declared: bool = True
) -> Iterator[DatasetSummary]:
    """A reference, then a window for each day of a year: one series, cut; its rows are independent when ``share`` is 0.

    The time is declared, so that dependence is found, where there is some and it is ``declared``.
    """
    values = autoregressive(random, reference + DAYS * window, share, 16)
    starts = [0, *range(reference, len(values), window)]
    for start, end in zip(starts, [*starts[1:], len(values)], strict=True):
        yield in_time(values[start:end], start) if share and declared else counted({}, values[start:end])


def alike(random: np.random.Generator, rows: int, share: float = 0.0, correlation: float = 0.0) -> Dataset:
    """8 columns, each as always, which go together or not; rows in time, each of which keeps a ``share`` of the one before."""
    values = autoregressive(random, rows, share, 8)
    values[:, 1::2] = correlation * values[:, ::2] + (1 - correlation**2) ** 0.5 * values[:, 1::2]
    at = pa.array(np.arange(rows) * 3_600_000_000, pa.timestamp("us"))
    table = pa.table({"at": at, **{f"x{place}": values[:, place] for place in range(8)}})
    definition = DatasetDefinition(files=("drawn.arrow",), time="at" if share else None)
    return Dataset(definition, table, DatasetIdentity("drawn.arrow", "", rows, (), ()))


def in_time(values: Real, start: int, shift: float = 0.0) -> DatasetSummary:
    """Rows an hour apart, from the hour ``start``; the definition declares the time."""
    hours = (np.arange(len(values)) + start) * 3_600_000_000
    return counted({"at": pa.array(hours, pa.timestamp("us"))}, values, shift, time="at")


def counted(by: Mapping[str, pa.Array], values: Real, shift: float = 0.0, **roles: Any) -> DatasetSummary:
    """The summary of 16 columns made of ``values``: numbers that are ``shift``ed, a truth value, texts, missing ones."""
    columns: dict[str, Any] = {f"moved{place}": values[:, place] + shift for place in range(12)}
    columns["flag"] = values[:, 12] > 0.5
    columns["level"] = pa.array(list("abcdef")).take(pa.array(np.digitize(values[:, 13], (-1, -0.3, 0.3, 1, 1.5))))
    columns["rare"] = np.where(values[:, 14] > 2, "yes", "no")
    columns["gap"] = pa.array(values[:, 14], mask=values[:, 15] > 1)
    definition = DatasetDefinition(files=("drawn.arrow",), **roles)
    table = pa.table({**by, **columns})
    counting = Counting(columns_of(table, definition), definition)
    for batch in table.to_batches():
        counting.add(batch)
    return counting.summary()


def autoregressive(random: np.random.Generator, rows: int, share: float, columns: int) -> Real:
    """Normal numbers of spread 1, each of which keeps a ``share`` of the one before."""
    noise = random.normal(size=(rows, columns))
    noise[1:] *= (1 - share**2) ** 0.5
    kept: Real = lfilter([1.0], [1.0, -share], noise, axis=0)
    return kept


def named(random: np.random.Generator, levels: int, rows: int) -> pa.Array:
    """Texts of so many levels, all as likely."""
    return pa.array([f"level {level}" for level in range(levels)]).take(pa.array(random.integers(0, levels, rows)))
