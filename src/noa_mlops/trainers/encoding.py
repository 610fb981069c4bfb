"""From typed columns to the numbers an estimator takes, and the same way again at prediction.

What is learnt from the training data (categories, the first point in time) is plain data and is kept as JSON beside
the model. Missing, infinite and unseen values become NaN; what to do about NaN is the estimator's business
(`noa_mlops.trainers.pipelines`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from noa_mlops.trainers.contract import Column, JobInvalid

DAY = 86_400_000_000
"""Microseconds."""

FREE_TEXT = 1000
"""A text column with more distinct values is free text or a key, not a set of categories; it is left out."""

FEW = 20
"""Up to this many distinct values a text column is a set of categories, however few rows there are."""

LARGEST = float(np.finfo(np.float32).max)
"""Trees work in single precision; larger numbers are taken as this one."""

Vector: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.float64]]"
Matrix: TypeAlias = "np.ndarray[tuple[int, int], np.dtype[np.float64]]"


@dataclass(frozen=True, slots=True)
class Numbers:
    """A column taken as numbers; false and true are 0 and 1. ``present`` counts its values in training."""

    column: str
    present: int


@dataclass(frozen=True, slots=True)
class Categories:
    """A column of ``values``, the most frequent first; with ``others`` the rarer ones share one more code."""

    column: str
    values: tuple[str, ...]
    others: bool


@dataclass(frozen=True, slots=True)
class Times:
    """Points in time, as calendar parts and days since ``origin`` (microseconds since 1970, UTC)."""

    column: str
    origin: int
    clock: bool
    present: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """A column that is left out, and why."""

    column: str
    reason: str


Encoding: TypeAlias = Numbers | Categories | Times | Skipped
KINDS: dict[str, type[Encoding]] = {kind.__name__.lower(): kind for kind in (Numbers, Categories, Times, Skipped)}


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of the matrix; ``present`` counts its values in training, ``category`` says they are codes."""

    name: str
    category: bool
    present: int


def learn(table: pa.Table, columns: Sequence[Column], most_categories: int) -> tuple[Encoding, ...]:
    """How each of ``columns`` is encoded, from the training rows; at most ``most_categories`` codes per column.

    Raises `JobInvalid` when a column is missing, has values of another type, or when nothing is left to learn from.
    """
    encodings = tuple(_learn(_column(table, column.name), column, most_categories) for column in columns)
    if not features(encodings):
        raise JobInvalid("there is no column to learn from: " + ("; ".join(notes(encodings)) or "all are left out"))
    return encodings


def features(encodings: Sequence[Encoding]) -> tuple[Feature, ...]:
    """The columns of the matrix, in order."""
    return tuple(feature for encoding in encodings for feature in _features(encoding))


def notes(encodings: Sequence[Encoding]) -> tuple[str, ...]:
    """What an operator should know: the columns that are left out."""
    return tuple(f"column {e.column!r} is left out: {e.reason}" for e in encodings if isinstance(e, Skipped))


def encode(table: pa.Table, encodings: Sequence[Encoding]) -> Matrix:
    """The matrix of shape (rows, features). Raises `JobInvalid` as `learn` does."""
    matrix = np.empty((table.num_rows, len(features(encodings))), dtype=np.float64)
    position = 0
    for encoding in encodings:
        for values in _vectors(table, encoding):
            matrix[:, position] = values
            position += 1
    return matrix


def to_document(encodings: Sequence[Encoding]) -> list[dict[str, Any]]:
    """The encodings as JSON."""
    return [{"kind": type(encoding).__name__.lower(), **asdict(encoding)} for encoding in encodings]


def from_document(document: Sequence[dict[str, Any]]) -> tuple[Encoding, ...]:
    """The encodings that `to_document` wrote. Raises `KeyError`, `TypeError` for any other document."""
    return tuple(_from_facts(dict(facts)) for facts in document)


def _from_facts(facts: dict[str, Any]) -> Encoding:
    kind = KINDS[facts.pop("kind")]
    if "values" in facts:
        facts["values"] = tuple(facts["values"])
    return kind(**facts)


def _learn(values: pa.ChunkedArray, column: Column, most_categories: int) -> Encoding:
    match column.type:
        case "text" | "category":
            return _learn_categories(values, column, most_categories)
        case "time":
            points = _points(values, column.name)
            known = points.drop_null()
            origin = pc.min(known).as_py() or 0
            clock = len(known) > 0 and bool((known.to_numpy() % DAY).any())
            return Times(column.name, origin, clock, len(known))
        case _:
            numbers = _numbers(values, column.name)
            return Numbers(column.name, int(np.count_nonzero(~np.isnan(numbers))))


def _learn_categories(values: pa.ChunkedArray, column: Column, most: int) -> Encoding:
    texts = _texts(values, column.name).drop_null()
    if len(texts) == 0:
        return Numbers(column.name, 0)
    counts = pc.value_counts(texts)
    distinct = len(counts)
    if column.type == "text" and (distinct > FREE_TEXT or (distinct > FEW and distinct * 2 > len(texts))):
        return Skipped(column.name, f"{distinct} distinct texts in {len(texts)} rows are no categories")
    ranked = sorted(zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True), key=_rank)
    kept = tuple(value for value, _ in ranked)
    return (
        Categories(column.name, kept, others=False)
        if distinct <= most
        else Categories(column.name, kept[: most - 1], others=True)
    )


def _rank(counted: tuple[str, int]) -> tuple[int, str]:
    return -counted[1], counted[0]


def _features(encoding: Encoding) -> tuple[Feature, ...]:
    match encoding:
        case Numbers(column, present):
            return (Feature(column, category=False, present=present),)
        case Categories(column):
            return (Feature(column, category=True, present=1),)
        case Times(column, _, clock, present):
            parts = ("year", "month", "weekday", "day of year", "days", *(("hour",) if clock else ()))
            return tuple(Feature(f"{column}: {part}", category=False, present=present) for part in parts)
        case Skipped():
            return ()


def _vectors(table: pa.Table, encoding: Encoding) -> tuple[Vector, ...]:
    match encoding:
        case Numbers(column, present):
            values = _column(table, column)
            return (_numbers(values, column) if present else np.full(table.num_rows, np.nan),)
        case Categories(column):
            return (_codes(_texts(_column(table, column), column), encoding),)
        case Times(column, origin, clock, _):
            return _time_parts(_points(_column(table, column), column), origin, clock=clock)
        case Skipped():
            return ()


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    if name not in table.column_names:
        raise JobInvalid(f"the data has no column {name!r}")
    return table.column(name)


def _numbers(values: pa.ChunkedArray, name: str) -> Vector:
    if pa.types.is_boolean(values.type):
        values = _cast(values, pa.uint8(), name)
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        raise JobInvalid(f"column {name!r} holds text where numbers were declared")
    numbers: Vector = _cast(values, pa.float64(), name).to_numpy().astype(np.float64)
    numbers[np.isinf(numbers)] = np.nan
    return np.clip(numbers, -LARGEST, LARGEST)


def _texts(values: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    return _cast(values, pa.string(), name)


def _points(values: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Microseconds since 1970 in UTC; a time of day counts from midnight."""
    kind = values.type
    if pa.types.is_time(kind):
        return _cast(_cast(values, pa.time64("us"), name), pa.int64(), name)
    if not (pa.types.is_temporal(kind) or pa.types.is_null(kind)):
        raise JobInvalid(f"column {name!r} holds {kind} where points in time were declared")
    zone = kind.tz if pa.types.is_timestamp(kind) else None
    return _cast(_cast(values, pa.timestamp("us", tz=zone), name), pa.int64(), name)


def _cast(values: pa.ChunkedArray, kind: pa.DataType, name: str) -> pa.ChunkedArray:
    try:
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        return values.cast(kind, safe=False)
    except MemoryError:
        raise
    except pa.ArrowException as error:
        raise JobInvalid(f"column {name!r} cannot be read as {kind}: {error}") from error


def _codes(texts: pa.ChunkedArray, encoding: Categories) -> Vector:
    codes = pc.index_in(texts, value_set=pa.array(encoding.values, pa.string()))
    if encoding.others:
        rare = pc.and_(pc.is_null(codes), pc.is_valid(texts))
        codes = pc.if_else(rare, pa.scalar(len(encoding.values), pa.int32()), codes)
    numbers: Vector = codes.cast(pa.float64()).to_numpy()
    return numbers


def _time_parts(points: pa.ChunkedArray, origin: int, *, clock: bool) -> tuple[Vector, ...]:
    calendar = points.cast(pa.timestamp("us"))
    functions = (pc.year, pc.month, pc.day_of_week, pc.day_of_year)
    parts = [function(calendar).cast(pa.float64()).to_numpy() for function in functions]
    exact = points.cast(pa.float64(), safe=False).to_numpy()
    parts.append((exact - origin) / DAY)
    if clock:
        parts.append(np.mod(exact, DAY) / (DAY / 24))
    return tuple(parts)
