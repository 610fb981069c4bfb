"""Labels as classes, and rows in an order that tells nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from noa_mlops.datasets.messages import no_such_column, quoted
from noa_mlops.errors import DatasetInvalid
from noa_mlops.records.verdict import ClassLabel

MAX_CLASSES = 1000
"""Distinct values that the target of a classification may have."""

Order = npt.NDArray[np.int64]
"""Row numbers, each once."""


def classes_of(table: pa.Table, target: str) -> list[ClassLabel]:
    """The distinct labels in ascending order (numbers by value, false before true, text by code point).

    A float target is accepted when all its values are whole. Raises `DatasetInvalid` when the target is no column, has
    no value, or cannot name classes: times, fractions, more than `MAX_CLASSES` values.
    """
    distinct = _target(table, target).unique().drop_null()
    if pa.types.is_floating(distinct.type):
        distinct = _whole(distinct, target)
    if pa.types.is_timestamp(distinct.type):
        raise DatasetInvalid(f"target {quoted(target)} is a time, which names no class", hint=_HINT)
    if len(distinct) > MAX_CLASSES:
        message = f"target {quoted(target)} has {len(distinct)} distinct values; at most {MAX_CLASSES} can be classes"
        raise DatasetInvalid(message, hint=_HINT)
    return sorted(distinct.to_pylist())


def permutation(rows: int, seed: int) -> Order:
    """A random order of ``rows`` rows: row ``order[i]`` comes at place ``i``. ``seed`` is any number from 0.

    The rows are sorted by the words of PCG64, whose stream NumPy guarantees, so the order is the same in every version.
    """
    words = np.random.PCG64(seed).random_raw(rows)
    return np.argsort(words, kind="stable").astype(np.int64)


def inverse(order: Order) -> Order:
    """The order that undoes ``order``."""
    undone = np.empty_like(order)
    undone[order] = np.arange(len(order), dtype=order.dtype)
    return undone


def reordered(table: pa.Table, order: Order) -> pa.Table:
    """The rows of ``table`` in the given order."""
    return table.take(pa.array(order))


_HINT = "Name another target, or use a profile for regression."


def _target(table: pa.Table, target: str) -> pa.ChunkedArray:
    if target not in table.column_names:
        raise no_such_column("the data", "target", target, table.column_names)
    labels = table.column(target)
    if labels.null_count == len(labels):
        raise DatasetInvalid(f"target {quoted(target)} has no value in any row", hint="Name labelled data.")
    return labels


def _whole(distinct: pa.Array, target: str) -> pa.Array:
    try:
        return distinct.cast(pa.int64())
    except pa.ArrowInvalid as error:
        message = f"target {quoted(target)} has values with fractions, which name no classes"
        raise DatasetInvalid(message, hint=_HINT) from error
