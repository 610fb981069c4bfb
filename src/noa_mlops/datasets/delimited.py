"""Delimited text (CSV, TSV; RFC 4180): read as cells, without guessing a delimiter or a type."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import pyarrow as pa
from pyarrow import csv as arrow_csv

from noa_mlops.datasets.messages import invalid, quoted
from noa_mlops.datasets.names import check_names
from noa_mlops.errors import DatasetInvalid
from noa_mlops.files import blocks
from noa_mlops.records.dataset import MISSING, TextFormat

LONGEST_HEADER = 1 << 24
"""Characters of a header, and bytes of a row, that are read: 16 Mi."""

_OTHER_DELIMITERS = {";": "semicolon", "\t": "tab", "|": "bar", ",": "comma"}


def read_cells(path: str, stream: BinaryIO, style: TextFormat) -> pa.Table:
    """Every cell of the file as text, missing ones as null; one row per record, the header as names.

    Raises `DatasetInvalid` for bytes that are not in the declared encoding, for rows that are longer or shorter than
    the header, and for a header that cannot name columns; each with its line.
    """
    names = _names(path, stream, style)
    stream.seek(0)
    try:
        table = arrow_csv.read_csv(
            stream,
            read_options=arrow_csv.ReadOptions(
                autogenerate_column_names=True, block_size=LONGEST_HEADER, encoding=style.encoding.lower()
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=_delimiter(path, style), newlines_in_values=True, ignore_empty_lines=len(names) > 1
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types={f"f{index}": pa.string() for index in range(len(names))},
                strings_can_be_null=True,
                null_values=list(MISSING if style.missing is None else style.missing),
            ),
        )
    except (pa.ArrowException, UnicodeError) as error:
        raise _explained(path, stream, style, len(names)) from error
    _check_agreement(path, stream, style, table, names)
    return table.slice(1).rename_columns(names)


def line_of_row(path: str, stream: BinaryIO, style: TextFormat, row: int) -> int | None:
    """The line, counted from 1, on which data row ``row`` (from 0) begins; None when it cannot be told."""
    with _records(path, stream, style) as records:
        try:
            for index, (line, _) in enumerate(records):
                if index == row + 1:
                    return line
        except (csv.Error, UnicodeError):
            return None
    return None


def _delimiter(path: str, style: TextFormat) -> str:
    return style.delimiter or ("\t" if path.lower().endswith(".tsv") else ",")


def _names(path: str, stream: BinaryIO, style: TextFormat) -> list[str]:
    with _records(path, stream, style) as records:
        try:
            _, header = next(records, (1, []))
        except UnicodeError as error:
            raise _explained(path, stream, style, 0) from error
        except csv.Error as error:
            raise invalid(path, f"the header cannot be read: {error}") from error
    names = [name.strip() for name in header]
    if "\0" in "".join(names):
        raise invalid(path, "holds NUL bytes, so it is not text in the declared encoding", _ENCODING_HINT)
    if style.delimiter is None and len(names) == 1:
        _refuse_other_delimiter(path, names[0])
    check_names(path, names)
    return names


def _refuse_other_delimiter(path: str, header: str) -> None:
    for mark, word in _OTHER_DELIMITERS.items():
        if mark in header:
            raise invalid(
                path,
                f"has one column, and its header contains {quoted(mark)}",
                f"If the {word} separates the columns, write a definition (*.dataset.yaml) with "
                f"format: {{delimiter: {_yaml(mark)}}}.",
            )


def _yaml(mark: str) -> str:
    return '"\\t"' if mark == "\t" else f'"{mark}"'


@contextmanager
def _records(path: str, stream: BinaryIO, style: TextFormat) -> Iterator[Iterator[tuple[int, list[str]]]]:
    """The records of the file as Python reads them, each with its first line; slow, exact, for messages."""
    stream.seek(0)
    encoding = "utf-8-sig" if style.encoding.lower() == "utf-8" else style.encoding
    text = io.TextIOWrapper(stream, encoding, errors="strict", newline="")
    limit = csv.field_size_limit(LONGEST_HEADER)
    try:
        yield _numbered(text, _delimiter(path, style))
    finally:
        csv.field_size_limit(limit)
        text.detach()


def _numbered(text: io.TextIOWrapper, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)
    line = 1
    for record in reader:
        if record:
            yield line, record
        line = reader.line_num + 1


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(LONGEST_HEADER):
        if len(line) == LONGEST_HEADER:
            raise csv.Error(f"a line is longer than {LONGEST_HEADER} characters")
        yield line


_ENCODING_HINT = (
    "Save it as UTF-8, or name its encoding in a definition (*.dataset.yaml), for example format: {encoding: cp1252}."
)


def _check_agreement(path: str, stream: BinaryIO, style: TextFormat, table: pa.Table, names: list[str]) -> None:
    """Hold Arrow's reading against Python's: the same header, and no quoted cell that swallowed the rows after it."""
    header = [column[0].as_py() for column in table.columns]
    same = len(header) == len(names) and all(
        cell is None or cell.strip() == name for cell, name in zip(header, names, strict=True)
    )
    if not same:
        raise _explained(path, stream, style, len(names))
    stream.seek(0)
    quotes = sum(block.count(b'"') for block in blocks(stream))
    if quotes % 2 and (error := _malformed(path, stream, style, len(names))):
        raise error


def _explained(path: str, stream: BinaryIO, style: TextFormat, width: int) -> DatasetInvalid:
    """Why the file could not be read: the first undecodable byte, or the first record of another width."""
    return (
        _undecodable(path, stream, style)
        or _malformed(path, stream, style, width)
        or invalid(path, "cannot be read as delimited text", "Rows may have at most 16 MiB; quotes must be closed.")
    )


def _undecodable(path: str, stream: BinaryIO, style: TextFormat) -> DatasetInvalid | None:
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(style.encoding)()
    position, line = 0, 1
    for block in (*blocks(stream), b""):
        pending = len(decoder.getstate()[0])
        try:
            line += decoder.decode(block, final=not block).count("\n")
        except UnicodeDecodeError as error:
            line += _count_lines(error.object[: error.start], style)
            byte = error.object[error.start]
            where = position - pending + error.start
            return invalid(
                path, f"byte 0x{byte:02x} at position {where} (line {line}) is not {style.encoding}", _ENCODING_HINT
            )
        position += len(block)
    return None


def _count_lines(data: bytes, style: TextFormat) -> int:
    return data.decode(style.encoding, errors="replace").count("\n")


def _malformed(path: str, stream: BinaryIO, style: TextFormat, width: int) -> DatasetInvalid | None:
    line = 1
    with _records(path, stream, style) as records:
        try:
            for line, record in records:
                if len(record) != width:
                    count = "1 cell" if len(record) == 1 else f"{len(record)} cells"
                    hint = "Quote cells that contain the delimiter, or correct the delimiter in the definition."
                    return invalid(path, f"line {line} has {count}, the header has {width}", hint)
        except csv.Error as error:
            hint = "Close every quoted cell, and double the quotes inside; a row may have 16 MiB."
            return invalid(path, f"cannot be read after line {line}: {error}", hint)
    return None
