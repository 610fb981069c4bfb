"""Two datasets for one model: evaluation data must have the columns that training data had."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa

from noa_mlops.datasets.dataset import Dataset
from noa_mlops.datasets.messages import invalid, listed, quoted, shown
from noa_mlops.datasets.typed import TYPES
from noa_mlops.errors import DatasetInvalid


def aligned(evaluation: Dataset, train: Dataset) -> Dataset:
    """The evaluation data with exactly the columns that agents saw in training: order and types as there.

    Columns that either definition ignores are left out. Types change only where no value does: whole numbers become
    float, floats without fractions become int, a column without values becomes anything. The identity stays that of
    the data as it was read. Raises `DatasetInvalid` listing every difference.
    """
    columns = {name: evaluation.table.column(name) for name in _seen(evaluation)}
    wanted = {name: train.table.schema.field(name).type for name in _seen(train)}
    beyond = [name for name in columns if name not in wanted and name not in train.definition.ignore]
    cast = {name: _cast(columns[name], kind) for name, kind in wanted.items() if name in columns}
    differences = [
        *([f"lacks {listed(lacking)}"] if (lacking := [name for name in wanted if name not in columns]) else []),
        *([f"has {listed(beyond)} beyond them"] if beyond else []),
        *_other_types({name: columns[name].type for name, done in cast.items() if done is None}, wanted),
    ]
    if differences:
        raise _different(evaluation, train, differences)
    table = pa.table([cast[name] for name in wanted], schema=pa.schema(list(wanted.items())))
    return Dataset(replace(evaluation.definition, ignore=()), table, evaluation.identity)


def _seen(dataset: Dataset) -> list[str]:
    return [name for name in dataset.table.column_names if name not in dataset.definition.ignore]


def _cast(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray | None:
    if column.type == wanted:
        return column
    if column.null_count == len(column):
        return pa.chunked_array([pa.nulls(len(column), wanted)])
    if {column.type, wanted} != {pa.int64(), pa.float64()}:
        return None
    try:
        return column.cast(wanted)
    except pa.ArrowInvalid:
        return None


def _other_types(kinds: dict[str, pa.DataType], wanted: dict[str, pa.DataType]) -> Iterator[str]:
    for name, kind in kinds.items():
        yield f"has {quoted(name)} as {TYPES[kind]}, not {TYPES[wanted[name]]}"


def _different(evaluation: Dataset, train: Dataset, differences: list[str]) -> DatasetInvalid:
    text = "; ".join(differences[:8]) + (f"; and {len(differences) - 8} more differences" if differences[8:] else "")
    return invalid(
        evaluation.identity.path,
        f"has not the columns of the training data {shown(train.identity.path)}: it {text}",
        "Name evaluation data of the same form, or declare types and ignored columns in dataset definitions.",
    )
