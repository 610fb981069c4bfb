r"""The fingerprint of a table: one SHA-256 over all rows and columns, whatever file they came from.

Format 1. Integers are little-endian; *u64* is an unsigned integer of 8 bytes; H is SHA-256 (32 raw bytes).

    fingerprint = H( "noa fingerprint 1\n"  u64 rows  u64 columns  column*  )         shown in lower-case hex
    column      = u64 length of name   name in UTF-8   type   H(present)   H(lengths) for type s only   H(values)

``type`` is one ASCII letter. ``present`` has one byte per row, 1 for a value and 0 for a missing one. ``values`` has
the values of all rows in row order, back to back; where a value is missing, zero bytes of the same width:

    i  int            8 bytes, two's complement
    f  float          8 bytes, IEEE 754 binary64; -0.0 is written as 0.0, and every NaN is a missing value
    b  bool           1 byte, 0 or 1
    t  time           8 bytes, two's complement: microseconds since 1970-01-01T00:00:00 (UTC where the zone is known)
    s  text, category the UTF-8 bytes of the row (none when missing); ``lengths`` has their number, u64 per row

The order of rows and of columns counts. Chunks, compression, dictionaries, the width of a number in the file
(8, 16, 32 bits) and metadata do not: two files with one fingerprint give agents the same data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from noa_mlops.datasets.normal import normal_table

PREFIX = b"noa fingerprint 1\n"
"""What every hashed table begins with."""

ROWS = 1 << 18
"""Rows hashed at a time, which bounds the memory beyond the table itself."""


def fingerprint(table: pa.Table) -> str:
    """The fingerprint of ``table`` in lower-case hex.

    Types are normalised first (`normal_table`), so a table that was just read and one from elsewhere agree.
    Raises `DatasetInvalid` for types that have no normal form.
    """
    table = normal_table(table)
    hasher = hashlib.sha256(PREFIX + _u64(table.num_rows) + _u64(table.num_columns))
    for name, column in zip(table.column_names, table.columns, strict=True):
        encoded = name.encode()
        hasher.update(_u64(len(encoded)) + encoded + _letter(column.type))
        hasher.update(_text_digests(column) if pa.types.is_string(column.type) else _fixed_digests(column))
    return hasher.hexdigest()


def _letter(kind: pa.DataType) -> bytes:
    return {pa.int64(): b"i", pa.float64(): b"f", pa.bool_(): b"b", pa.timestamp("us"): b"t", pa.string(): b"s"}[kind]


def _fixed_digests(column: pa.ChunkedArray) -> bytes:
    present, values = hashlib.sha256(), hashlib.sha256()
    for piece in _pieces(column):
        present.update(_presence(piece))
        values.update(_fixed_values(piece))
    return present.digest() + values.digest()


def _text_digests(column: pa.ChunkedArray) -> bytes:
    present, lengths, values = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
    for piece in _pieces(column):
        present.update(_presence(piece))
        filled = pc.fill_null(piece, "") if piece.null_count else piece
        offsets = np.frombuffer(filled.buffers()[1], "<i4")[filled.offset : filled.offset + len(filled) + 1]
        lengths.update(_bytes(np.diff(offsets), "<u8"))
        data = filled.buffers()[2]
        if data is not None:
            values.update(memoryview(data)[offsets[0] : offsets[-1]])
    return present.digest() + lengths.digest() + values.digest()


def _pieces(column: pa.ChunkedArray) -> Iterator[pa.Array]:
    for chunk in column.chunks:
        for start in range(0, len(chunk), ROWS):
            yield chunk.slice(start, ROWS)


def _presence(piece: pa.Array) -> memoryview:
    if piece.null_count == 0:
        return _bytes(np.ones(len(piece), "u1"), "u1")
    return _bytes(piece.is_valid().to_numpy(zero_copy_only=False), "u1")


def _fixed_values(piece: pa.Array) -> memoryview:
    if pa.types.is_boolean(piece.type):
        return _bytes(pc.fill_null(piece, False).to_numpy(zero_copy_only=False), "u1")  # noqa: FBT003
    integers = piece.view(pa.int64())
    if integers.null_count:
        integers = pc.fill_null(integers, 0)
    return _bytes(integers.to_numpy(), "<i8")


def _bytes(values: np.ndarray[Any, Any], kind: str) -> memoryview:
    return np.ascontiguousarray(values, kind).data.cast("B")


def _u64(number: int) -> bytes:
    return number.to_bytes(8, "little")
