"""The data of a job, read as a typed table."""

from __future__ import annotations

from collections.abc import Sequence
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


def read_table(path: Path, data_format: str, columns: Sequence[Column]) -> pa.Table:
    """Read a Parquet or CSV file. Raises `JobInvalid` when it is missing, damaged or of another format."""
    try:
        match data_format:
            case "parquet":
                return parquet.ParquetFile(path).read()
            case "csv":
                return _read_csv(path, columns)
            case other:
                raise JobInvalid(f"data format {other!r} is not known; it is parquet or csv")
    except MemoryError:
        raise
    except (OSError, pa.ArrowException) as error:
        raise JobInvalid(f"the data file {path.name} cannot be read: {error}") from error


def as_arrays(table: pa.Table) -> dict[str, np.ndarray[Any, Any]]:
    """One NumPy array per column; missing values are NaN, NaT or None."""
    return {name: _as_array(table.column(name)) for name in table.column_names}


def _read_csv(path: Path, columns: Sequence[Column]) -> pa.Table:
    types = {column.name: CSV_TYPES.get(column.type, pa.string()) for column in columns}
    convert = csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True)
    convert.quoted_strings_can_be_null = False
    return csv.read_csv(path, convert_options=convert, parse_options=csv.ParseOptions(newlines_in_values=True))


def _as_array(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    return np.asarray(column.to_numpy())
