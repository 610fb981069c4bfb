"""Delimited text (CSV, TSV; RFC 4180): read as cells, without guessing a delimiter or a type."""

from __future__ import annotations

import csv
from typing import BinaryIO

import pyarrow as pa
from pyarrow import csv as arrow_csv

from noa_mlops.datasets.delimited_faults import (
    ENCODING_HINT,
    LONGEST_ROW,
    delimiter_of,
    explained,
    malformed,
    records,
    undecodable,
)
from noa_mlops.datasets.messages import invalid, quoted
from noa_mlops.datasets.names import check_names
from noa_mlops.files import blocks
from noa_mlops.records.dataset import MISSING, TextFormat


def read_cells(path: str, stream: BinaryIO, style: TextFormat) -> pa.Table:
    """Every cell of the file as text, missing ones as null; one row per record, the header as names.

    Empty lines are no records, but for a file of one column, where they are missing values. Raises `DatasetInvalid`
    for bytes that are not in the declared encoding, for rows that are longer or shorter than the header, and for a
    header that cannot name columns; each with its line.
    """
    names = _names(path, stream, style)
    stream.seek(0)
    try:
        table = arrow_csv.read_csv(stream, *_options(path, style, len(names)))
    except (pa.ArrowException, UnicodeError) as error:
        raise explained(path, stream, style, len(names), error) from error
    _check_agreement(path, stream, style, table, names)
    return table.slice(1).rename_columns(names)


def _options(
    path: str, style: TextFormat, width: int
) -> tuple[arrow_csv.ReadOptions, arrow_csv.ParseOptions, arrow_csv.ConvertOptions]:
    return (
        arrow_csv.ReadOptions(
            autogenerate_column_names=True, block_size=LONGEST_ROW, encoding=_arrow_encoding(style.encoding)
        ),
        arrow_csv.ParseOptions(
            delimiter=delimiter_of(path, style), newlines_in_values=True, ignore_empty_lines=width > 1
        ),
        arrow_csv.ConvertOptions(
            column_types={f"f{index}": pa.string() for index in range(width)},
            strings_can_be_null=True,
            null_values=list(MISSING if style.missing is None else style.missing),
        ),
    )


def _arrow_encoding(encoding: str) -> str:
    """Arrow decodes UTF-8 itself, everything else through Python's codecs."""
    return "utf8" if encoding.lower() == "utf-8" else encoding


def _names(path: str, stream: BinaryIO, style: TextFormat) -> list[str]:
    try:
        with records(path, stream, style) as found:
            _, header = next(found, (1, []))
    except UnicodeError as error:
        raise undecodable(path, stream, style) or invalid(path, "is not text", ENCODING_HINT) from error
    except csv.Error as error:
        raise invalid(path, f"the header cannot be read: {error}", "Write one line of column names first.") from error
    names = [name.strip() for name in header]
    if "\0" in "".join(names):
        hint = (
            "Save it as UTF-8. If it is UTF-16, say so in a definition (*.dataset.yaml): format: {encoding: utf-16-le}."
        )
        raise invalid(path, f"holds NUL bytes, so it is not text in {style.encoding}", hint)
    if style.delimiter is None and len(names) == 1:
        _refuse_other_delimiter(path, names[0])
    check_names(path, names)
    return names


_OTHER_DELIMITERS = {";": "semicolon", "\t": "tab", "|": "bar", ",": "comma"}


def _refuse_other_delimiter(path: str, header: str) -> None:
    for mark, word in _OTHER_DELIMITERS.items():
        if mark in header:
            written = '"\\t"' if mark == "\t" else f'"{mark}"'
            raise invalid(
                path,
                f"has one column, and its header contains {quoted(mark)}",
                f"If the {word} separates the columns, write a definition (*.dataset.yaml) with "
                f"format: {{delimiter: {written}}}; 'noa init --data FILE --target COLUMN' does.",
            )


def _check_agreement(path: str, stream: BinaryIO, style: TextFormat, table: pa.Table, names: list[str]) -> None:
    """Hold Arrow's reading against Python's: the same header, and no quoted cell that swallowed the rows after it."""
    header = [column[0].as_py() for column in table.columns]
    same = len(header) == len(names) and all(
        cell is None or cell.strip() == name for cell, name in zip(header, names, strict=True)
    )
    stream.seek(0)
    if not same or sum(block.count(b'"') for block in blocks(stream)) % 2:
        error = malformed(path, stream, style, len(names))
        if error is not None:
            raise error
    if not same:
        raise invalid(path, "begins with a line that is no header", "Write the column names in the first line.")
