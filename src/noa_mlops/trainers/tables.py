"""The data of a job, read as a typed table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from noa_mlops.trainers.contract import Column, JobInvalid

CSV_TYPES: dict[str, pa.DataType] = {
    "float": pa.float64(),
    "int": pa.int64(),
    "bool": pa.bool_(),
    "text": pa.string(),
    "category": pa.string(),
    "time": pa.timestamp("us"),
}
"""How a column type of the payload is read from CSV."""

BUFFER = 1 << 20
"""Bytes of a column of a Parquet file that are read at a time by batches; without it whole columns are held."""

CSV_ROWS = 1 << 16
"""Rows of a CSV file that are looked at together where they are only counted."""


def read_table(path: Path, data_format: str, columns: Sequence[Column]) -> pa.Table:
    """Read a Parquet or CSV file. Raises `JobInvalid` when it is missing, damaged or of another format."""
    with _reading(path, data_format):
        if data_format == "csv":
            return csv.read_csv(path, **_csv_options(columns))
        return parquet.ParquetFile(path).read()


def read_batches(path: Path, data_format: str, columns: Sequence[Column], rows: int) -> Iterator[pa.RecordBatch]:
    """Read a file by batches of at most ``rows`` rows. Raises `JobInvalid` as `read_table` does, when it gets there."""
    with _reading(path, data_format):
        if data_format == "parquet":
            with parquet.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER) as source:
                yield from source.iter_batches(rows)
            return
        with csv.open_csv(path, **_csv_options(columns)) as source:
            for block in source:
                for start in range(0, block.num_rows, rows):
                    yield block.slice(start, rows)


def count_rows(path: Path, data_format: str, columns: Sequence[Column]) -> int:
    """The rows of a file, of which no more than a block is held. Raises `JobInvalid` as `read_table` does."""
    if data_format == "csv":
        return sum(block.num_rows for block in read_batches(path, data_format, columns, CSV_ROWS))
    with _reading(path, data_format):
        return int(parquet.read_metadata(path).num_rows)


def as_arrays(table: pa.Table) -> dict[str, np.ndarray[Any, Any]]:
    """One NumPy array per column; missing values are NaN, NaT or None."""
    return {name: _as_array(table.column(name)) for name in table.column_names}


@contextmanager
def _reading(path: Path, data_format: str) -> Iterator[None]:
    """Where a file is read: what is wrong with it becomes `JobInvalid`."""
    if data_format not in ("parquet", "csv"):
        raise JobInvalid(f"data format {data_format!r} is not known; it is parquet or csv")
    try:
        yield
    except MemoryError:
        raise
    except (OSError, pa.ArrowException) as error:
        raise JobInvalid(f"the data file {path.name} cannot be read: {error}") from error


def _csv_options(columns: Sequence[Column]) -> dict[str, Any]:
    types = {column.name: CSV_TYPES.get(column.type, pa.string()) for column in columns}
    convert = csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True)
    convert.quoted_strings_can_be_null = False
    return {"convert_options": convert, "parse_options": csv.ParseOptions(newlines_in_values=True)}


def _as_array(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    return np.asarray(column.to_numpy())
