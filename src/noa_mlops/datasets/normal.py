"""The normal form of a table: five Arrow types, so that one content has one representation.

    int64            every signed and unsigned integer that fits
    float64          half, single, double, decimal, and a column without any value; NaN becomes missing, -0.0 becomes 0.0
    bool
    string           every text type, dictionaries decoded
    timestamp[us]    dates and timestamps; digits beyond the microsecond are dropped, zones turned into UTC, no zone kept

Everything else (lists, structures, binary, times of day, durations) has no place in a table of features and is refused.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types as kinds

from noa_mlops.datasets.messages import quoted
from noa_mlops.errors import DatasetInvalid

TIME = pa.timestamp("us")
"""The Arrow type of points in time."""


def normal_table(table: pa.Table) -> pa.Table:
    """``table`` in normal form, without metadata; columns already in it are not copied.

    Raises `DatasetInvalid` naming the first column whose type or values have no normal form.
    """
    columns = [normal_column(name, column) for name, column in zip(table.column_names, table.columns, strict=True)]
    return pa.table(
        columns, schema=pa.schema(zip(table.column_names, (column.type for column in columns), strict=True))
    )


def normal_column(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """One column in normal form. Raises `DatasetInvalid`."""
    convert = _converter(column.type)
    if convert is None:
        raise DatasetInvalid(
            f"column {quoted(name)} holds {quoted(str(column.type))}, which is not a number, truth value, text or time",
            hint="Write it as one of these, or leave the column out of the file.",
        )
    try:
        return convert(column)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DatasetInvalid(
            f"column {quoted(name)} holds values of {quoted(str(column.type))} that are out of range",
            hint="Whole numbers and microseconds must fit 64 bits; write larger ones as float or text.",
        ) from error


def refuse_other_types(schema: pa.Schema) -> None:
    """Refuse a file by its schema, before its rows are read. Raises `DatasetInvalid`."""
    for name, kind in zip(schema.names, schema.types, strict=True):
        if _converter(kind) is None:
            normal_column(name, pa.chunked_array([], kind))


_Convert = Callable[[pa.ChunkedArray], pa.ChunkedArray]


def _converter(kind: pa.DataType) -> _Convert | None:
    if kinds.is_dictionary(kind):
        return None if _converter(kind.value_type) is None else _decode_dictionary
    if kinds.is_run_end_encoded(kind):
        return None if _converter(kind.value_type) is None else _decode_runs
    for holds, convert in _CONVERTERS:
        if holds(kind):
            return convert
    return None


def _is_text(kind: pa.DataType) -> bool:
    return bool(kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind))


def _is_real(kind: pa.DataType) -> bool:
    return bool(kinds.is_floating(kind) or kinds.is_decimal(kind) or kinds.is_null(kind))


def _same(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column


def _integers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.int64())


def _reals(column: pa.ChunkedArray) -> pa.ChunkedArray:
    reals = column.cast(pa.float64())
    if pc.any(pc.is_nan(reals)).as_py():
        reals = pc.if_else(pc.is_nan(reals), pa.scalar(None, pa.float64()), reals)
    if pc.any(pc.equal(reals, 0.0)).as_py():
        reals = pc.add(reals, 0.0)
    return reals


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column if kinds.is_string(column.type) else column.cast(pa.string())


def _times(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if column.type == TIME:
        return column
    zone = getattr(column.type, "tz", None)
    if kinds.is_timestamp(column.type) and column.type.unit == "ns":
        microseconds = column.cast(pa.timestamp("us", zone), safe=False)
    else:
        microseconds = column.cast(pa.timestamp("us", zone))
    if zone is None:
        return microseconds
    return pa.chunked_array([chunk.view(pa.int64()).view(TIME) for chunk in microseconds.chunks], TIME)


def _decode_dictionary(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return _normal(pa.chunked_array([chunk.dictionary_decode() for chunk in column.chunks], column.type.value_type))


def _decode_runs(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return _normal(pa.chunked_array([pc.run_end_decode(chunk) for chunk in column.chunks], column.type.value_type))


def _normal(column: pa.ChunkedArray) -> pa.ChunkedArray:
    convert = _converter(column.type)
    return column if convert is None else convert(column)


_CONVERTERS: tuple[tuple[Callable[[pa.DataType], bool], _Convert], ...] = (
    (kinds.is_boolean, _same),
    (kinds.is_integer, _integers),
    (_is_real, _reals),
    (_is_text, _texts),
    (kinds.is_date, _times),
    (kinds.is_timestamp, _times),
)
