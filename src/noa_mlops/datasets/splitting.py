"""One dataset in two parts: rows to learn from, and rows held back to measure on.

Which rows are held back follows from the data and the split alone, by arithmetic that no version of a library changes,
so the same data are divided in the same way wherever a plan runs. Both parts keep the order of the file, and each has a
fingerprint of its own.

    by        the rows whose value is at least t, where t is such that they are the wanted share or just more: rows of
              one moment are never divided, and nothing in training is later than anything held back
    by_group  groups in the order of SHA-256("seed:value"), each held back when that brings the rows held back nearer to
              the wanted share; rows without a value are one group
    share     rows in the order of PCG64(seed), sorted by target (stable) when it has classes; evenly spaced ones are
              held back, so every class has its share of both parts
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from noa_mlops.datasets.dataset import Dataset
from noa_mlops.datasets.fingerprints import fingerprint
from noa_mlops.datasets.labels import MAX_CLASSES, permutation
from noa_mlops.datasets.messages import invalid, quoted
from noa_mlops.errors import DatasetInvalid
from noa_mlops.records.split import Split

Rows: TypeAlias = npt.NDArray[np.bool_]
"""For each row whether it is held back."""


class Parts(NamedTuple):
    """What one dataset was divided into."""

    train: Dataset
    evaluation: Dataset


def split(dataset: Dataset, by: Split, target: str) -> Parts:
    """Divide ``dataset``; the target only balances the classes. Raises `DatasetInvalid` when a part would be empty."""
    if dataset.table.num_rows < 2:
        raise _refused(dataset, "has one row, which cannot be divided", "Add rows, or name evaluation data.")
    if by.by is not None:
        held = _latest(dataset, by.by, by.last or 0)
    elif by.by_group is not None:
        held = _groups(dataset, by.by_group, by.share or 0, by.seed)
    else:
        held = _drawn(dataset, target, by.share or 0, by.seed)
    return Parts(_part(dataset, ~held), _part(dataset, held))


def _part(dataset: Dataset, rows: Rows) -> Dataset:
    table = dataset.table.filter(pa.array(rows)).combine_chunks()
    whole = dataset.identity
    identity = replace(whole, fingerprint=fingerprint(table), rows=table.num_rows, whole=whole.fingerprint)
    return Dataset(dataset.definition, table, identity)


def _latest(dataset: Dataset, name: str, last: float) -> Rows:
    dataset.require_column(name, "evaluation.split.by")
    column = dataset.table.column(name)
    if pa.types.is_string(column.type) or pa.types.is_boolean(column.type):
        hint = f'Declare how its times are written in a dataset definition: types: {{{name}: {{time: "%d.%m.%Y"}}}}.'
        raise _refused(dataset, f"column {quoted(name)} has neither times nor numbers, so no rows are the last", hint)
    if column.null_count:
        missing = (
            f"{column.null_count} of {len(column)} rows have no {quoted(name)}, so they are neither early nor late"
        )
        raise _refused(dataset, missing, "Fill them in or leave these rows out, or split by_group or by share.")
    values = (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_numpy()
    ordered = np.sort(values)
    first = ordered[len(ordered) - _wanted(last, len(ordered))]
    if first == ordered[0]:
        later = ordered[ordered > first]
        if not len(later):
            raise _refused(dataset, f"all rows have the same {quoted(name)}", "Split by_group or by share.")
        first = later[0]
    return np.asarray(values >= first)


def _groups(dataset: Dataset, name: str, share: float, seed: int) -> Rows:
    dataset.require_column(name, "evaluation.split.by_group")
    column = dataset.table.column(name).combine_chunks()
    encoded = column.dictionary_encode(null_encoding="encode")
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    values = encoded.dictionary.to_pylist()
    if len(values) < 2:
        hint = "Name a column of several groups, or split by share."
        raise _refused(dataset, f"all rows have the same {quoted(name)}: they are one group", hint)
    sizes = np.bincount(codes, minlength=len(values))
    order = sorted(range(len(values)), key=lambda index: hashlib.sha256(f"{seed}:{values[index]}".encode()).digest())
    wanted, taken, chosen = _wanted(share, len(codes)), 0, np.zeros(len(values), np.bool_)
    for index in order:
        nearer = abs(taken + sizes[index] - wanted) <= abs(taken - wanted)
        if nearer and taken + sizes[index] < len(codes):
            taken += sizes[index]
            chosen[index] = True
    if not chosen.any():
        chosen[np.argmin(sizes)] = True
    return np.asarray(chosen[codes])


def _drawn(dataset: Dataset, target: str, share: float, seed: int) -> Rows:
    group = dataset.definition.group
    if group is not None:
        hint = f"Write split: {{by_group: {group}, share: {share:.0%}}}."
        raise _refused(dataset, f"rows of one {quoted(group)} depend on each other, so they must stay together", hint)
    dataset.require_column(target)
    rows = dataset.table.num_rows
    order = permutation(rows, seed)
    classes = _classes(dataset.table.column(target))
    if classes is not None:
        order = order[np.argsort(classes[order], kind="stable")]
    wanted = _wanted(share, rows)
    places = (np.arange(wanted) * rows + rows // 2) // wanted
    held = np.zeros(rows, np.bool_)
    held[order[places]] = True
    return held


def _classes(labels: pa.ChunkedArray) -> npt.NDArray[np.int64] | None:
    """The class of every row as a number, in the order of the labels; None when they name no classes."""
    if pa.types.is_floating(labels.type) or pa.types.is_timestamp(labels.type):
        return None
    distinct = labels.unique().drop_null()
    if len(distinct) > MAX_CLASSES:
        return None
    codes = pc.index_in(labels, value_set=distinct.take(pc.array_sort_indices(distinct)))
    return np.asarray(pc.fill_null(codes, len(distinct)).to_numpy(), np.int64)


def _wanted(share: float, rows: int) -> int:
    """The share in rows: at least one, and at least one is left."""
    return min(max(round(share * rows), 1), rows - 1)


def _refused(dataset: Dataset, message: str, hint: str) -> DatasetInvalid:
    return invalid(dataset.identity.path, message, hint)
