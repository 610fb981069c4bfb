"""Rows of two datasets matched by their key: which came, which went, and which changed where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from noa_mlops.datasets.dataset import Dataset
from noa_mlops.datasets.messages import invalid, quoted
from noa_mlops.records.documents import Json


@dataclass(frozen=True, slots=True)
class RowDifference:
    """Counts of rows by ``key``; ``by_column`` says for each column how many rows have another value there."""

    key: str
    added: int
    removed: int
    changed: int
    same: int
    by_column: Mapping[str, int]

    def to_document(self) -> dict[str, Json]:
        """JSON form."""
        return {
            "key": self.key,
            "added": self.added,
            "removed": self.removed,
            "changed": self.changed,
            "same": self.same,
            "by_column": dict(self.by_column),
        }


def match_rows(reference: Dataset, current: Dataset, key: str) -> RowDifference:
    """Match rows by the column ``key``; missing and another value are different, missing twice is the same.

    Columns that only one of both has, or with another type, are left to the comparison of schemas. Raises
    `DatasetInvalid` when the key is no column, has no value somewhere, or names two rows.
    """
    before, after = (_by_key(dataset, key) for dataset in (reference, current))
    if before[key].type != after[key].type:
        raise invalid(
            current.identity.path, f"the key {quoted(key)} has another type than in {reference.identity.path}"
        )
    place = pc.index_in(after[key], value_set=before[key].combine_chunks())
    known = place.is_valid()
    old, new = before.take(place.drop_null()), after.filter(known)
    changed = np.zeros(len(new), bool)
    by_column = {}
    for name in sorted(set(before.column_names) & set(after.column_names) - {key}):
        if old[name].type == new[name].type and (different := _different(old[name], new[name])).any():
            by_column[name] = int(different.sum())
            changed |= different
    return RowDifference(
        key=key,
        added=len(after) - len(new),
        removed=len(before) - len(new),
        changed=int(changed.sum()),
        same=len(new) - int(changed.sum()),
        by_column=by_column,
    )


def _by_key(dataset: Dataset, key: str) -> pa.Table:
    dataset.require_column(key, "key")
    column = dataset.table[key]
    if column.null_count:
        raise invalid(dataset.identity.path, f"the key {quoted(key)} is missing in {column.null_count} rows")
    if (distinct := pc.count_distinct(column).as_py()) < len(column):
        raise invalid(
            dataset.identity.path,
            f"the key {quoted(key)} names {len(column) - distinct} rows that another row has named",
            "Name a column that identifies each row, or compare without a key.",
        )
    return dataset.table


def _different(old: pa.ChunkedArray, new: pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    unlike = pc.fill_null(pc.not_equal(old, new), False)  # noqa: FBT003 - a fill value
    one_missing = pc.xor(old.is_null(), new.is_null())
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = pc.or_(unlike, one_missing).to_numpy()
    return found
