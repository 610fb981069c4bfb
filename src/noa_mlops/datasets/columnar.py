"""Parquet and Arrow IPC: typed tables, checked before a reader trusts their numbers."""

from __future__ import annotations

from typing import BinaryIO

import pyarrow as pa
from pyarrow import ipc, parquet

from noa_mlops.datasets.messages import invalid, quoted
from noa_mlops.datasets.names import check_names
from noa_mlops.datasets.normal import refuse_other_types
from noa_mlops.datasets.sizes import check_cells
from noa_mlops.errors import DatasetInvalid


def read_parquet(path: str, stream: BinaryIO) -> pa.Table:
    """The table of a Parquet file. Raises `DatasetInvalid` for what is damaged or has columns of refused types."""
    try:
        file = parquet.ParquetFile(stream, page_checksum_verification=True)
        _check_schema(path, file.schema_arrow)
        check_cells(path, file.metadata.num_rows, file.metadata.num_columns)
        return _sound(file.read())
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise _damaged(path, "Parquet", error) from error


def read_arrow(path: str, stream: BinaryIO) -> pa.Table:
    """The table of an Arrow IPC file or stream (Feather 2). Raises `DatasetInvalid`."""
    try:
        reader = ipc.open_file(stream) if _is_arrow_file(stream) else ipc.open_stream(stream)
        _check_schema(path, reader.schema)
        return _sound(reader.read_all())
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise _damaged(path, "Arrow IPC", error) from error


def _is_arrow_file(stream: BinaryIO) -> bool:
    magic = stream.read(6)
    stream.seek(0)
    return magic == b"ARROW1"


def _check_schema(path: str, schema: pa.Schema) -> None:
    check_names(path, schema.names)
    try:
        refuse_other_types(schema)
    except DatasetInvalid as error:
        raise invalid(path, str(error), error.hint) from error


def _sound(table: pa.Table) -> pa.Table:
    """The table, once offsets, lengths and UTF-8 of every column are known to hold."""
    table.validate(full=True)
    return table


def _damaged(path: str, kind: str, error: Exception) -> DatasetInvalid:
    reason = quoted(str(error).partition("\n")[0])
    return invalid(path, f"cannot be read as {kind}: {reason}", f"Write the file again; is it really {kind}?")
