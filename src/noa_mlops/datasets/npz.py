"""NumPy archives: an array of one dimension is a column, one of two dimensions a column for each of its columns.

No pickle is ever opened, and no header is believed: an array larger than its part of the archive, or an archive that
unpacks to more than `MAX_BYTES`, is refused before memory is taken for it.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
from numpy.lib import format as npy

from noa_mlops.datasets.messages import invalid, quoted
from noa_mlops.datasets.names import MAX_COLUMNS, check_names
from noa_mlops.datasets.sizes import check_cells

MAX_BYTES = 1 << 34
"""Bytes that all arrays may have together, unpacked: 16 GiB."""


def read_npz(path: str, stream: BinaryIO) -> pa.Table:
    """The arrays of the archive as columns: ``name``, or ``name_0``, ``name_1`` ... for an array of two dimensions.

    Numbers, truth values, ``datetime64`` and Unicode text are read; NaN and NaT are missing values. Raises
    `DatasetInvalid` for object arrays, other types, arrays of different length, and damaged archives.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            columns = [pair for member in _members(path, archive) for pair in _columns(path, archive, member)]
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise invalid(
            path, f"cannot be read as NPZ: {quoted(str(error))}", "Write it again with numpy.savez."
        ) from error
    names = [name for name, _ in columns]
    check_names(path, names)
    _check_lengths(path, columns)
    return pa.table([_arrow(path, name, values) for name, values in columns], names=names)


def _members(path: str, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    total = sum(member.file_size for member in members)
    if total > MAX_BYTES:
        raise invalid(path, f"unpacks to {total} bytes; at most {MAX_BYTES} (16 GiB) are read", "Thin it out.")
    for member in members:
        if not member.filename.endswith(".npy"):
            raise invalid(path, f"holds {quoted(member.filename)}, which is not an array", "Write it with numpy.savez.")
    return members


def _columns(
    path: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo
) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    name = member.filename.removesuffix(".npy")
    _check_header(path, archive, member, name)
    with archive.open(member) as stream:
        array = npy.read_array(stream, allow_pickle=False)
    if array.ndim == 1:
        yield name, array
    else:
        yield from ((f"{name}_{index}", array[:, index]) for index in range(array.shape[1]))


def _check_header(path: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> None:
    with archive.open(member) as stream:
        version = npy.read_magic(stream)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, kind = read(stream)
    what = f"array {quoted(name)}"
    if kind.hasobject:
        raise invalid(path, f"{what} holds Python objects, which are never loaded", "Save it as numbers or text.")
    if kind.kind not in "biufUM":
        raise invalid(path, f"{what} holds {quoted(str(kind))}", "Save numbers, truth values, datetime64 or str.")
    if len(shape) not in {1, 2}:
        raise invalid(path, f"{what} has {len(shape)} dimensions", "Save columns as arrays of one or two dimensions.")
    if math.prod(shape) * kind.itemsize > member.file_size:
        raise invalid(path, f"{what} claims more values than the file has", "Write it again with numpy.savez.")
    rows, columns = shape[0], math.prod(shape[1:])
    if columns > MAX_COLUMNS:
        raise invalid(path, f"{what} has {columns} columns; at most {MAX_COLUMNS} are read")
    check_cells(path, rows, columns)


def _check_lengths(path: str, columns: list[tuple[str, np.ndarray[Any, Any]]]) -> None:
    first, values = columns[0]
    for name, other in columns:
        if len(other) != len(values):
            message = f"column {quoted(name)} has {len(other)} values, {quoted(first)} has {len(values)}"
            raise invalid(path, message, "Save arrays of the same length.")


def _arrow(path: str, name: str, values: np.ndarray[Any, Any]) -> pa.Array:
    kind = values.dtype
    if kind.kind == "M":
        values = values.astype("M8[us]") if kind != np.dtype("M8") else values
    elif kind.kind == "f" and kind.itemsize > 8:
        values = values.astype("f8")
    elif kind.kind == "U":
        return _text(path, name, values)
    return pa.array(np.ascontiguousarray(values, values.dtype.newbyteorder("=")))


def _text(path: str, name: str, values: np.ndarray[Any, Any]) -> pa.Array:
    try:
        return pa.array(values.tolist(), pa.string())
    except (UnicodeError, pa.ArrowInvalid) as error:
        raise invalid(path, f"array {quoted(name)} holds text that is not Unicode", "Save it as valid text.") from error
