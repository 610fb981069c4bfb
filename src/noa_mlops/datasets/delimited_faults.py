"""Delimited text once more, slowly: Python's own reader finds the line that Arrow's fast one cannot name."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import BinaryIO

from noa_mlops.datasets.messages import invalid
from noa_mlops.errors import DatasetInvalid
from noa_mlops.files import blocks
from noa_mlops.records.dataset import TextFormat

LONGEST_ROW = 1 << 24
"""Characters of a header or line, and bytes of a row, that are read: 16 Mi."""

ENCODING_HINT = (
    "Save it as UTF-8, or name its encoding in a definition, for example format: {encoding: cp1252}; "
    "'noa init --data FILE --target COLUMN' writes one."
)
"""What to do about bytes that are not in the declared encoding."""


def delimiter_of(path: str, style: TextFormat) -> str:
    """The declared delimiter, else the one that the name of the file stands for."""
    return style.delimiter or ("\t" if path.lower().endswith(".tsv") else ",")


@contextmanager
def records(path: str, stream: BinaryIO, style: TextFormat) -> Iterator[Iterator[tuple[int, list[str]]]]:
    """The records of the file from its start, each with its first line; ``stream`` stays open afterwards.

    Iterating raises `csv.Error` for what RFC 4180 does not allow and for lines beyond `LONGEST_ROW`, `UnicodeError`
    for bytes that are not in the declared encoding.
    """
    stream.seek(0)
    encoding = "utf-8-sig" if style.encoding.lower() == "utf-8" else style.encoding
    text = io.TextIOWrapper(stream, encoding, errors="strict", newline="")
    limit = csv.field_size_limit(LONGEST_ROW)
    try:
        yield _numbered(text, delimiter_of(path, style))
    finally:
        csv.field_size_limit(limit)
        text.detach()


def line_of_row(path: str, stream: BinaryIO, style: TextFormat, row: int) -> int | None:
    """The line, counted from 1, on which data row ``row`` (from 0) begins; None when it cannot be told."""
    with records(path, stream, style) as found:
        try:
            for index, (line, _) in enumerate(found):
                if index == row + 1:
                    return line
        except (csv.Error, UnicodeError):
            return None
    return None


def explained(path: str, stream: BinaryIO, style: TextFormat, width: int, error: Exception) -> DatasetInvalid:
    """Why a file with ``width`` columns could not be read: an undecodable byte, or a record of another form."""
    found = None
    if "utf8" in str(error).lower():
        found = undecodable(path, stream, style)
    return (
        found
        or malformed(path, stream, style, width)
        or invalid(path, "cannot be read as delimited text", "Rows may have at most 16 MiB; quotes must be closed.")
    )


def malformed(path: str, stream: BinaryIO, style: TextFormat, width: int) -> DatasetInvalid | None:
    """The first record that has not ``width`` cells or breaks off, None when there is none."""
    line = 1
    try:
        with records(path, stream, style) as found:
            for line, record in found:
                if len(record) != width:
                    count = "1 cell" if len(record) == 1 else f"{len(record)} cells"
                    hint = "Quote cells that contain the delimiter, or correct the delimiter in the definition."
                    return invalid(path, f"line {line} has {count}, the header has {width}", hint)
    except UnicodeError:
        return undecodable(path, stream, style)
    except csv.Error as error:
        hint = "Close every quoted cell, and double the quotes inside; a row may have 16 MiB."
        return invalid(path, f"cannot be read after line {line}: {error}", hint)
    return None


def undecodable(path: str, stream: BinaryIO, style: TextFormat) -> DatasetInvalid | None:
    """The first byte that is not in the declared encoding, None when there is none."""
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(style.encoding)()
    position, line = 0, 1
    for block in chain(blocks(stream), (b"",)):
        pending = len(decoder.getstate()[0])
        try:
            line += decoder.decode(block, final=not block).count("\n")
        except UnicodeDecodeError as error:
            line += error.object[: error.start].decode(style.encoding, errors="replace").count("\n")
            place = f"position {position - pending + error.start} (line {line})"
            byte = error.object[error.start]
            return invalid(path, f"byte 0x{byte:02x} at {place} is not {style.encoding}", ENCODING_HINT)
        position += len(block)
    return None


def _numbered(text: io.TextIOWrapper, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)
    line = 1
    for record in reader:
        if record:
            yield line, record
        line = reader.line_num + 1


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(LONGEST_ROW):
        if len(line) == LONGEST_ROW:
            raise csv.Error(f"a line is longer than {LONGEST_ROW} characters")
        yield line
