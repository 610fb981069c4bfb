"""One form for one model: whatever it is measured on, or asked about, has the columns that training data had."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from noa_mlops.datasets import times
from noa_mlops.datasets.bad_cell import BadCell
from noa_mlops.datasets.dataset import Dataset
from noa_mlops.datasets.messages import invalid, listed, quoted, shown
from noa_mlops.datasets.normal import TIME, normal_column, normal_table
from noa_mlops.datasets.typed import ARROW, TYPES
from noa_mlops.errors import DatasetInvalid
from noa_mlops.records.dataset import Column


def aligned(evaluation: Dataset, train: Dataset) -> Dataset:
    """The evaluation data with exactly the columns that agents saw in training: order and types as there.

    Columns that either definition hides from agents are left out. Types change only where no value does: whole numbers
    become float, floats without fractions become int, text in ISO 8601 becomes a time, a column without values becomes
    anything. The identity stays that of the data as it was read. Raises `DatasetInvalid` listing every difference.
    """
    seen = [name for name in _seen(evaluation) if name not in train.definition.hidden]
    wanted = {name: train.table.schema.field(name).type for name in _seen(train)}
    try:
        table = _in_form(evaluation.table.select(seen), wanted)
    except _Different as different:
        raise _refused(evaluation, train, different.text) from different
    return Dataset(replace(evaluation.definition, ignore=(), key=None), table, evaluation.identity)


def conformed(table: pa.Table, columns: Sequence[Column]) -> pa.Table:
    """Any Arrow table in the form of the data that a model was trained on: exactly these columns, in this order.

    Types change only where no value does, as in `aligned`. Raises `DatasetInvalid` listing every difference.
    """
    try:
        return _in_form(normal_table(table), {column.name: ARROW[column.type] for column in columns})
    except _Different as different:
        times = " Times are datetimes, or text in ISO 8601." if ", not time" in different.text else ""
        raise DatasetInvalid(
            f"the table has not the features of the model: it {different.text}",
            hint=f"Give exactly the columns that the model was trained on, without the target.{times}",
        ) from None


class _Different(Exception):
    """A table that cannot be brought into a form; the text says every reason, to follow a name."""

    def __init__(self, differences: Sequence[str]) -> None:
        more = f"; and {len(differences) - 8} more differences" if differences[8:] else ""
        self.text = "; ".join(differences[:8]) + more
        super().__init__(self.text)


def _in_form(table: pa.Table, wanted: Mapping[str, pa.DataType]) -> pa.Table:
    """The columns of ``table`` in the order and with the types of ``wanted``. Raises `_Different`."""
    columns = dict(zip(table.column_names, table.columns, strict=True))
    lacking = [name for name in wanted if name not in columns]
    beyond = [name for name in columns if name not in wanted]
    cast = {name: _cast(columns[name], kind) for name, kind in wanted.items() if name in columns}
    differences = [
        *([f"lacks {listed(lacking)}"] if lacking else []),
        *([f"has {listed(beyond)} beyond them"] if beyond else []),
        *_other_types({name: columns[name].type for name, done in cast.items() if done is None}, wanted),
    ]
    if differences:
        raise _Different(differences)
    return pa.table([cast[name] for name in wanted], schema=pa.schema(list(wanted.items())))


def _seen(dataset: Dataset) -> list[str]:
    return [name for name in dataset.table.column_names if name not in dataset.definition.hidden]


def _cast(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray | None:
    if column.type == wanted:
        return column
    if column.null_count == len(column):
        return pa.chunked_array([pa.nulls(len(column), wanted)])
    try:
        if {column.type, wanted} == {pa.int64(), pa.float64()}:
            return column.cast(wanted)
        if column.type == pa.string() and wanted == TIME and (found := times.read(column)) is not None:
            return normal_column("", found)
    except (pa.ArrowInvalid, BadCell):
        return None
    return None


def _other_types(kinds: Mapping[str, pa.DataType], wanted: Mapping[str, pa.DataType]) -> Iterator[str]:
    for name, kind in kinds.items():
        yield f"has {quoted(name)} as {TYPES[kind]}, not {TYPES[wanted[name]]}"


def _refused(evaluation: Dataset, train: Dataset, text: str) -> DatasetInvalid:
    return invalid(
        evaluation.identity.path,
        f"has not the columns of the training data {shown(train.identity.path)}: it {text}",
        "Name evaluation data of the same form, or declare types and ignored columns in dataset definitions.",
    )
