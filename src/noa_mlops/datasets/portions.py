"""The rows of two datasets by the values of a column: which portions grew, and which shrank."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from noa_mlops.datasets.dataset import Dataset
from noa_mlops.records.documents import Json
from noa_mlops.records.slices import MAX_VALUES, SliceValue, slice_name


@dataclass(frozen=True, slots=True)
class Portion:
    """The rows that have one value of a column: their shares of all rows before and now."""

    name: str
    shares: tuple[float, float]

    @property
    def change(self) -> float:
        """By how much its share of the rows grew."""
        return self.shares[1] - self.shares[0]

    def to_document(self) -> dict[str, Json]:
        """JSON form."""
        return {"slice": self.name, "shares": list(self.shares)}


def portions(reference: Dataset, current: Dataset, column: str) -> tuple[Portion, ...] | None:
    """The portions by ``column``, those whose share changed most first; None where there are no kinds to count.

    That is where one of both has no such column, or more than `MAX_VALUES` values of it, or fractions and times.
    """
    sides = [_counts(dataset.table, column) for dataset in (reference, current)]
    before, now = sides
    if before is None or now is None:
        return None
    wholes = reference.identity.rows, current.identity.rows
    found = [
        Portion(slice_name(column, value), (before.get(value, 0) / wholes[0], now.get(value, 0) / wholes[1]))
        for value in {**before, **now}
    ]
    return ranked(found)


def ranked(found: Iterable[Portion]) -> tuple[Portion, ...]:
    """Those whose share changed most first."""
    return tuple(sorted(found, key=lambda one: (-abs(one.change), one.name)))


def _counts(table: pa.Table, column: str) -> Mapping[SliceValue, int] | None:
    if column not in table.column_names:
        return None
    values = table[column]
    if pa.types.is_floating(values.type) or pa.types.is_timestamp(values.type):
        return None
    counted = pc.value_counts(values)
    if len(counted) > MAX_VALUES:
        return None
    return {one["values"]: one["counts"] for one in counted.to_pylist()}
