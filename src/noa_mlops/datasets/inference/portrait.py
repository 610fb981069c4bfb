"""What a table looks like, column by column: enough to recognise it, and to see what is odd about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from noa_mlops.datasets.dataset import Dataset
from noa_mlops.records.dataset import ColumnType
from noa_mlops.records.documents import Json

LEVELS = 5
"""Commonest values that are named."""

FEW = 20
"""Distinct values up to which the values of a column say more than its range."""


@dataclass(frozen=True, slots=True)
class ColumnPortrait:
    """One column; ``least``, ``middle`` (the median) and ``greatest`` are None where values have no order."""

    name: str
    type: ColumnType
    missing: int
    distinct: int
    least: Json = None
    middle: Json = None
    greatest: Json = None
    levels: tuple[tuple[Json, int], ...] = ()
    """The commonest values with their rows, of a column where values come back."""
    examples: tuple[Json, ...] = ()
    """The first different values."""

    def to_document(self) -> dict[str, Any]:
        """As JSON, without what is None."""
        document = asdict(self) | {
            "levels": [{"value": value, "rows": rows} for value, rows in self.levels],
            "examples": list(self.examples),
        }
        return {name: value for name, value in document.items() if value is not None}


def portraits(dataset: Dataset) -> tuple[ColumnPortrait, ...]:
    """Every column of ``dataset``, in the order of the file."""
    return tuple(
        _portrait(column.name, column.type, dataset.table.column(column.name)) for column in dataset.identity.columns
    )


def _portrait(name: str, kind: ColumnType, column: pa.ChunkedArray) -> ColumnPortrait:
    values = column.drop_null()
    counts = pc.value_counts(values) if len(values) else None
    distinct = len(counts) if counts is not None else 0
    repeated = counts is not None and distinct <= FEW and distinct < len(values)
    least, middle, greatest = _range(values)
    return ColumnPortrait(
        name=name,
        type=kind,
        missing=column.null_count,
        distinct=distinct,
        least=least,
        middle=middle,
        greatest=greatest,
        levels=_levels(counts) if repeated else (),
        examples=tuple(_plain(value) for value in counts.field("values")[:3].to_pylist()) if counts is not None else (),
    )


def _range(values: pa.ChunkedArray) -> tuple[Json, Json, Json]:
    if not len(values) or pa.types.is_string(values.type) or pa.types.is_boolean(values.type):
        return None, None, None
    ends = pc.min_max(values).as_py()
    if pa.types.is_timestamp(values.type):
        return _plain(ends["min"]), None, _plain(ends["max"])
    middle = pc.quantile(values, 0.5, interpolation="lower")[0].as_py()
    return _plain(ends["min"]), _plain(middle), _plain(ends["max"])


def _levels(counts: pa.StructArray) -> tuple[tuple[Json, int], ...]:
    order = pc.sort_indices(counts.field("counts"), sort_keys=[("", "descending")])[:LEVELS]
    chosen = counts.take(order)
    pairs = zip(chosen.field("values").to_pylist(), chosen.field("counts").to_pylist(), strict=True)
    return tuple((_plain(value), rows) for value, rows in pairs)


def _plain(value: Any) -> Json:
    """A value as JSON: times in ISO 8601, what is infinite as text."""
    if isinstance(value, float) and value - value != 0:
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    text: str = value.isoformat()
    return text.removesuffix("T00:00:00")
