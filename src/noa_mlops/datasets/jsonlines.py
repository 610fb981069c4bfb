"""JSON Lines: one object per line, its members the columns; read strictly, because readers that guess disagree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO, NoReturn

import pyarrow as pa

from noa_mlops.datasets.messages import invalid, quoted
from noa_mlops.datasets.names import MAX_COLUMNS, check_names

LONGEST_LINE = 1 << 24
"""Bytes that a line may have: 16 MiB."""

ROWS = 1 << 16
"""Objects turned into columns at a time."""

_Row = tuple[int, dict[str, Any]]


def read_objects(path: str, stream: BinaryIO) -> pa.Table:
    """The objects of the file as rows; a member that is absent or null is a missing value.

    A column is bool, int, float (when some of its numbers have a fraction) or text. Raises `DatasetInvalid` with the
    line for what is no strict JSON (RFC 8259, UTF-8), for nested values, and for a column that changes its type.
    """
    columns = _Columns(path)
    rows = _objects(path, stream)
    while batch := list(islice(rows, ROWS)):
        columns.add(batch)
    check_names(path, list(columns.chunks))
    return columns.table()


def line_of_object(stream: BinaryIO, row: int) -> int | None:
    """The line, counted from 1, of object ``row`` (from 0)."""
    stream.seek(0)
    for line, text in enumerate(stream, 1):
        if text.strip():
            if row == 0:
                return line
            row -= 1
    return None


def _objects(path: str, stream: BinaryIO) -> Iterator[_Row]:
    number = 0
    while line := stream.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE:
            raise invalid(path, f"line {number} is longer than {LONGEST_LINE} bytes", "Write one object per line.")
        text = _decoded(path, number, line)
        if text:
            yield number, _object(path, number, text)


def _decoded(path: str, number: int, line: bytes) -> str:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise invalid(path, f"line {number}: byte {error.start + 1} is not UTF-8", "Save the file as UTF-8.") from error
    return (text.removeprefix("\ufeff") if number == 1 else text).strip(" \t\r\n")


def _object(path: str, number: int, text: str) -> dict[str, Any]:
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise invalid(path, f"line {number}, column {error.colno}: {error.msg}", _STRICT) from error
    except RecursionError as error:
        raise invalid(path, f"line {number} is nested too deeply", _STRICT) from error
    except ValueError as error:
        raise invalid(path, f"line {number}: {error}", _STRICT) from error
    if not isinstance(value, dict):
        raise invalid(path, f"line {number} is not an object", _STRICT)
    return value


_STRICT = 'Each line must be one JSON object such as {"age": 41, "plan": "gold"}; a missing value is null.'


class _Columns:
    """Columns in the order in which their names first appear, as far as the file has been read."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.rows = 0
        self.chunks: dict[str, list[pa.Array]] = {}
        self.kinds: dict[str, pa.DataType] = {}

    def add(self, batch: list[_Row]) -> None:
        """Add the rows of a batch to every column, with nulls where a row has no such member."""
        names = dict.fromkeys(self.chunks)
        for _, row in batch:
            names.update(dict.fromkeys(row))
        if len(names) > MAX_COLUMNS:
            raise invalid(self.path, f"has more than {MAX_COLUMNS} columns")
        for name in names:
            chunks = self.chunks.setdefault(name, [pa.nulls(self.rows)])
            chunks.append(self._chunk(name, batch))
        self.rows += len(batch)

    def table(self) -> pa.Table:
        """All rows so far."""
        kinds = {name: self.kinds.get(name, pa.null()) for name in self.chunks}
        return pa.table(
            [
                pa.chunked_array([part.cast(kinds[name]) for part in parts], kinds[name])
                for name, parts in self.chunks.items()
            ],
            schema=pa.schema(list(kinds.items())),
        )

    def _chunk(self, name: str, batch: list[_Row]) -> pa.Array:
        values = [row.get(name) for _, row in batch]
        kind = self.kinds.get(name)
        for found in {type(value) for value in values} - {type(None)}:
            kind = _common(kind, _ARROW.get(found))
            if kind is None:
                self._refuse(name, batch)
        if kind is None:
            return pa.nulls(len(values))
        self.kinds[name] = kind
        try:
            return pa.array(values, kind)
        except (pa.ArrowInvalid, OverflowError, UnicodeError):
            self._refuse(name, batch)

    def _refuse(self, name: str, batch: list[_Row]) -> NoReturn:
        """Find the first value that spoils the column and say why it does."""
        kind = self.kinds.get(name)
        for line, row in batch:
            value = row.get(name)
            if value is None:
                continue
            common = _common(kind, _ARROW.get(type(value)))
            if common is None or not _fits(value):
                raise self._spoiled(name, line, value, kind)
            kind = common
        raise invalid(self.path, f"column {quoted(name)} holds numbers that do not fit 64 bits")

    def _spoiled(self, name: str, line: int, value: Any, kind: pa.DataType | None) -> Exception:
        what = f"line {line}, column {quoted(name)}: {quoted(json.dumps(value))}"
        if isinstance(value, (dict, list)):
            return invalid(self.path, f"{what} is nested", "Write each part as a member of its own.")
        if not _fits(value):
            return invalid(self.path, f"{what} does not fit 64 bits or is no Unicode text", "Write it as valid text.")
        word = _WORDS[kind] if kind is not None else "another type"
        return invalid(self.path, f"{what} stands where the lines before have {word}", "Write the column in one type.")


_ARROW = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
_WORDS = {pa.bool_(): "true or false", pa.int64(): "a number", pa.float64(): "a number", pa.string(): "text"}


def _common(one: pa.DataType | None, other: pa.DataType | None) -> pa.DataType | None:
    """The type that holds both, None when there is none; ``one`` is None before any value."""
    if one in {None, other}:
        return other
    return pa.float64() if {one, other} == {pa.int64(), pa.float64()} else None


def _fits(value: Any) -> bool:
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    return not isinstance(value, int) or -(2**63) <= value < 2**63


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        raise ValueError("a member stands twice in one object")
    return row


def _number(text: str) -> float:
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise ValueError(f"{quoted(text)} is larger than a number of 64 bits can be")
    return value


def _whole(text: str) -> int:
    if len(text) > 40:
        raise ValueError(f"{quoted(text)} does not fit 64 bits")
    return int(text)


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON; a missing value is null")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_float=_number, parse_int=_whole, parse_constant=_no_constant, strict=True
)
