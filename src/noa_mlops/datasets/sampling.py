"""Rows of two datasets for a check of all columns together: the same ones whatever their order, in two halves.

One half is learnt from, the other is held out. What belongs together stays in one half: the rows of a group, those of a
stretch of time; else each row is on its own. Which half and which rows follows from digests of what they hold, so that
nothing depends on the order of rows, and a row that both datasets have is in the same half on both sides.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from noa_mlops.datasets.blocks import BLOCK_ROWS, MOST_STRETCHES
from noa_mlops.datasets.dataset import Dataset
from noa_mlops.datasets.overlap import mix, row_hashes

MOST_ROWS = 20_000
"""Rows of each side that are looked at."""

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Sample:
    """Some rows of a dataset: their columns, which are held out, and the unit that each belongs to.

    ``units`` is None where rows are assumed independent.
    """

    table: pa.Table
    held_out: npt.NDArray[np.bool_]
    units: Hashes | None


def samples(reference: Dataset, current: Dataset, apart: Collection[str]) -> tuple[Sample, Sample]:
    """Rows of both with the columns that both have in the same type; but for labels, times, what agents never see, ``apart``.

    Groups and times are those that the reference declares.
    """
    definition = reference.definition
    left_out = {definition.group, definition.time, *apart}
    left_out |= {name for data in (reference, current) for name in (*data.definition.hidden, data.definition.target)}
    tables = [_comparable(dataset.table) for dataset in (reference, current)]
    names = [
        field.name
        for field in sorted(tables[0].schema, key=lambda field: field.name)
        if field.name not in left_out and not pa.types.is_timestamp(field.type)
        if field.name in tables[1].column_names and tables[1].schema.field(field.name).type == field.type
    ]
    first, second = (_sample(table.select(names), table, definition.group, definition.time) for table in tables)
    return first, second


def _comparable(table: pa.Table) -> pa.Table:
    """Whole numbers are numbers, whether they are written with a point or not."""
    for place, field in enumerate(table.schema):
        if pa.types.is_integer(field.type):
            table = table.set_column(place, field.name, table.column(place).cast(pa.float64(), safe=False))
    return table


def _sample(looked_at: pa.Table, whole: pa.Table, group: str | None, time: str | None) -> Sample:
    rows = _told_apart(row_hashes(looked_at, looked_at.column_names))
    units, halves = None, rows
    if group is not None and group in whole.column_names:
        units = halves = row_hashes(whole, [group])
    elif time is not None and time in whole.column_names:
        units = _stretches(whole.column(time))
        halves = _in_pairs(units)
    chosen = np.argsort(rows, kind="stable")[:MOST_ROWS]
    held_out = (halves[chosen] & np.uint64(1)).astype(bool)
    return Sample(looked_at.take(pa.array(chosen)), held_out, None if units is None else units[chosen])


def _told_apart(hashes: Hashes) -> Hashes:
    """Equal rows get hashes of their own, by their number among their like: which of them is which has no meaning."""
    order = np.argsort(hashes, kind="stable")
    ascending = hashes[order]
    first = np.flatnonzero(np.concatenate(([True], ascending[1:] != ascending[:-1])))
    sizes = np.diff(np.append(first, len(hashes)))
    apart = hashes.copy()
    apart[order] += (np.arange(len(hashes)) - np.repeat(first, sizes)).astype(np.uint64)
    mix(apart)
    return apart


def _stretches(times: pa.ChunkedArray) -> Hashes:
    """The number of the stretch of time that each row is in; rows of one time are in one stretch."""
    moments = pc.fill_null(times.cast(pa.int64()), 0).to_numpy()
    _, place, counts = np.unique(moments, return_inverse=True, return_counts=True)
    size = max(BLOCK_ROWS, -(-len(moments) // MOST_STRETCHES))
    before = np.cumsum(counts) - counts
    return (before // size).astype(np.uint64)[place]


def _in_pairs(stretches: Hashes) -> Hashes:
    """Of two stretches that follow each other one is held out; which one changes, so that no season is left out."""
    pairs = stretches >> np.uint64(1)
    mix(pairs)
    return pairs ^ stretches
