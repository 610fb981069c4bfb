"""Features that tell the answer: a model would copy them, look excellent, and fail where the answer is not known yet.

A feature is suspected only when chance does not explain it: with few rows, or with values that hardly repeat, a
feature separates the classes by luck. The bounds below are on that luck, over all features together.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import lgamma, log
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

LUCK = log(0.01)
"""Logarithm of the chance, over all features, from which luck is no explanation."""

Codes = npt.NDArray[np.int64]
"""For each row the number of its value."""


def leaks(table: pa.Table, target: str, *, classes: bool) -> Iterator[tuple[str, str]]:
    """Each suspected column with the reason, in words that follow its name."""
    labelled = table.filter(pc.is_valid(table.column(target)))
    labels = labelled.column(target)
    others = [name for name in table.column_names if name != target]
    bound = LUCK - log(max(len(others), 1))
    codes = _codes(labels)
    share = log(np.bincount(codes).max() / len(codes)) if len(codes) else 0.0
    for name in others:
        column = labelled.column(name)
        if column.type == labels.type and column.equals(labels):
            yield name, f"equals {target}"
        elif classes and share < 0 and (why := _tells(column, codes, share, bound)):
            yield name, f"{why} {target}"
        elif not classes and _proportional(column, labels):
            yield name, f"is {target} on another scale"


def _tells(column: pa.ChunkedArray, codes: Codes, share: float, bound: float) -> str | None:
    """How the column gives the class away, None when it does not or may do so by chance."""
    if 0 < column.null_count < len(column):
        present = column.is_valid().to_numpy().astype(np.int64)
        if _determines(present, codes, share, bound) and len(np.unique(codes)) == 2:
            return "has a value for exactly one class of"
    values = _codes(column)
    if _determines(values, codes, share, bound):
        return "determines"
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_timestamp(column.type):
        return "separates without overlap the classes of" if _separates(column, codes, bound) else None
    return None


def _determines(values: Codes, codes: Codes, share: float, bound: float) -> bool:
    """Whether equal values always have one class, more often than the commonest class would by chance."""
    distinct = int(values.max()) + 1
    if distinct < 2 or (len(values) - distinct) * share >= bound:
        return False
    pairs = np.unique(values * (int(codes.max()) + 1) + codes)
    return len(pairs) == distinct


def _separates(column: pa.ChunkedArray, codes: Codes, bound: float) -> bool:
    """Whether the ranges of the classes do not overlap; by chance one of the ways to choose the rows of a class."""
    valid = column.is_valid().to_numpy()
    values, classes = _numbers(column)[valid], codes[valid]
    counts = np.bincount(classes)
    counts = counts[counts > 0]
    if len(counts) < 2 or len(counts) > 20:
        return False
    ways = lgamma(len(classes) + 1) - sum(lgamma(int(count) + 1) for count in counts)
    if lgamma(len(counts) + 1) - ways >= bound:
        return False
    ranges = sorted((values[classes == label].min(), values[classes == label].max()) for label in np.unique(classes))
    return all(lower[1] < upper[0] for lower, upper in pairwise(ranges))


def _proportional(column: pa.ChunkedArray, labels: pa.ChunkedArray) -> bool:
    """Whether a number is the target, but for a factor, an offset and rounding."""
    if not (_is_number(column) and _is_number(labels)):
        return False
    both = pc.and_(pc.is_valid(column), pc.is_finite(column)).to_numpy()
    x, y = _numbers(column)[both].astype(float), _numbers(labels)[both].astype(float)
    if len(x) < 10 or x.std() == 0 or y.std() == 0 or not np.isfinite(y).all():
        return False
    return bool(abs(np.corrcoef(x, y)[0, 1]) > 0.99999)


def _is_number(column: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_integer(column.type) or pa.types.is_floating(column.type))


def _numbers(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    whole = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
    return np.asarray(pc.fill_null(whole, 0).to_numpy())


def _codes(column: pa.ChunkedArray) -> Codes:
    """The values as numbers from 0, a missing one as a value of its own."""
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False), np.int64)
