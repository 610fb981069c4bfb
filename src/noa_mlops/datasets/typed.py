"""Types of columns: those of the file, those that the definition declares, those that all cells agree on."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from noa_mlops.datasets.bad_cell import BadCell
from noa_mlops.datasets.cells import declared, without_markers
from noa_mlops.datasets.messages import quoted
from noa_mlops.datasets.normal import TIME, normal_column
from noa_mlops.errors import DatasetInvalid
from noa_mlops.records.dataset import Column, ColumnType, DatasetDefinition, TextFormat, TimeFormat

Infer = Callable[[pa.ChunkedArray, TextFormat], pa.ChunkedArray]
"""How a format finds the type of a column of text: all formats but delimited text know more than that."""


class BadColumn(Exception):
    """A column with a cell that is not of its type."""

    def __init__(self, name: str, cell: BadCell) -> None:
        super().__init__(name)
        self.name = name
        self.cell = cell


def typed(table: pa.Table, definition: DatasetDefinition, infer: Infer) -> pa.Table:
    """``table`` in normal form with the declared types. Raises `BadColumn` or `DatasetInvalid`."""
    columns = [
        _column(name, column, definition, infer) for name, column in zip(table.column_names, table.columns, strict=True)
    ]
    kinds = [column.type for column in columns]
    return pa.table(columns, schema=pa.schema(list(zip(table.column_names, kinds, strict=True))))


def columns_of(table: pa.Table, definition: DatasetDefinition) -> tuple[Column, ...]:
    """Names and types of a table in normal form; text that is declared a category is one."""
    return tuple(
        Column(name, "category" if definition.types.get(name) == "category" else TYPES[kind])
        for name, kind in zip(table.column_names, table.schema.types, strict=True)
    )


TYPES: dict[pa.DataType, ColumnType] = {
    pa.int64(): "int",
    pa.float64(): "float",
    pa.bool_(): "bool",
    pa.string(): "text",
    TIME: "time",
}
"""The type of each Arrow type of the normal form."""

ARROW: dict[ColumnType, pa.DataType] = {kind: arrow for arrow, kind in TYPES.items()} | {"category": pa.string()}
"""The Arrow type of each type."""


def _column(name: str, column: pa.ChunkedArray, definition: DatasetDefinition, infer: Infer) -> pa.ChunkedArray:
    kind, style = definition.types.get(name), definition.format
    try:
        if not pa.types.is_string(column.type):
            normal = normal_column(name, column)
            return normal if kind is None else _converted(name, normal, kind)
        cells = column if style.missing is None else without_markers(column, style.missing)
        return normal_column(name, infer(cells, style) if kind is None else declared(cells, kind, style))
    except BadCell as cell:
        raise BadColumn(name, cell) from cell


def _converted(name: str, column: pa.ChunkedArray, kind: ColumnType | TimeFormat) -> pa.ChunkedArray:
    """A typed column as another type, when no value changes by it."""
    wanted = TIME if isinstance(kind, TimeFormat) else ARROW[kind]
    have = TYPES[column.type]
    try:
        if column.type == wanted or column.null_count == len(column):
            return column.cast(wanted) if column.type == wanted else pa.chunked_array([pa.nulls(len(column), wanted)])
        if {column.type, wanted} <= {pa.int64(), pa.float64()} or pa.types.is_string(wanted):
            return column.cast(wanted)
        if wanted == pa.bool_() and have == "int" and pc.all(pc.is_in(column, pa.array([0, 1, None]))).as_py():
            return column.cast(wanted)
        if have == "bool" and wanted != TIME:
            return column.cast(wanted)
    except pa.ArrowInvalid as error:
        raise _refused(name, have, kind, "not every value can be one") from error
    raise _refused(name, have, kind, "none of its values can be one")


def _refused(name: str, have: str, kind: ColumnType | TimeFormat, why: str) -> DatasetInvalid:
    wanted = "time" if isinstance(kind, TimeFormat) else kind
    return DatasetInvalid(
        f"column {quoted(name)} is {have} in the file and declared {wanted}: {why}",
        hint="Correct the type in the definition, or leave it out to keep that of the file.",
    )
