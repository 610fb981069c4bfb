"""Tables on their way to an agent: Parquet, which every language reads with its types, or CSV.

Both appear whole or not at all, and replace a file of the same name. Nothing is synced: a workspace that a power cut
harms is laid out anew.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv
from pyarrow import parquet

ROW_GROUP = 1 << 18
"""Rows in a row group, so that a reader can work in pieces."""


def write_rows(table: pa.Table, path: Path, form: Literal["parquet", "csv"]) -> None:
    """Write ``table`` to ``path`` with the form as its suffix; the folder is made when missing. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    (write_csv if form == "csv" else write_parquet)(table, path.with_name(f"{path.name}.{form}"))


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write ``table`` with its types, compressed with Snappy. Raises `OSError` when it cannot be written."""
    texts = [
        name for name, kind in zip(table.column_names, table.schema.types, strict=True) if pa.types.is_string(kind)
    ]
    with _replacing(path) as stream:
        parquet.write_table(table, stream, row_group_size=ROW_GROUP, use_dictionary=texts, compression="snappy")


def write_csv(table: pa.Table, path: Path) -> None:
    """Write ``table`` as RFC 4180 says, in UTF-8 with a header, lines ended by LF.

    A missing value is an empty cell without quotes, an empty text is ``""``; truth values are ``true`` and ``false``,
    times ISO 8601 with microseconds, numbers the shortest digits that give the same number back. Raises `OSError`.
    """
    columns = [_iso(column) if pa.types.is_timestamp(column.type) else column for column in table.columns]
    with _replacing(path) as stream:
        arrow_csv.write_csv(pa.table(columns, names=table.column_names), stream)


def _iso(times: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.strftime(times.cast(pa.timestamp("us")), "%Y-%m-%dT%H:%M:%S")


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        with temporary.open("xb") as stream:
            yield stream
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
