"""A data file nobody has described yet: its format, types and roles, from all of its rows.

What is found is a definition that reads the file, with a remark beside every choice that a person may want to change.
Nothing is written, and what cannot be used is refused as reading it would be: with its place and the next step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from noa_mlops.datasets.dataset import Dataset
from noa_mlops.datasets.delimited import read_cells
from noa_mlops.datasets.formats import format_of
from noa_mlops.datasets.inference.columns import guess
from noa_mlops.datasets.inference.marks import with_marks
from noa_mlops.datasets.inference.remarks import Guess, Remark
from noa_mlops.datasets.inference.text_form import delimiter_in, encoding_of
from noa_mlops.datasets.messages import listed, quoted
from noa_mlops.datasets.numerals import pattern
from noa_mlops.datasets.reader import DatasetReader
from noa_mlops.datasets.sources import Sources
from noa_mlops.records.dataset import MISSING, DatasetDefinition, TextFormat

MANY = 200
"""Columns from which only the types that reading would not find by itself are written down."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A data file as it was understood, and what is worth saying of it."""

    dataset: Dataset
    remarks: tuple[Remark, ...] = ()


def examine(sources: Sources, path: str) -> Examined:
    """Find out how the data file at ``path`` is written and read it so. Raises `DatasetInvalid`, `UnsafePath`."""
    sources.place(path)
    reader = DatasetReader(sources.project, sources.data_roots)
    if format_of(path, (path,)).name != "delimited text":
        return Examined(reader.read(path))
    definition, remarks = _delimited(sources, path)
    return Examined(reader.read_as(path, definition), remarks)


def _delimited(sources: Sources, path: str) -> tuple[DatasetDefinition, tuple[Remark, ...]]:
    with sources.open(path) as stream:
        encoding = encoding_of(path, stream)
        style = TextFormat(delimiter=delimiter_in(path, stream, encoding), encoding=encoding)
        table = read_cells(path, stream, replace(style, missing=MISSING))
    columns = {name: _distinct(column) for name, column in zip(table.column_names, table.columns, strict=True)}
    style, doubt = with_marks(columns, style)
    guesses = {name: guess(table.column(name), cells, style) for name, cells in columns.items()}
    markers = {name: found.markers for name, found in guesses.items() if found.markers}
    written = {name: found.kind for name, found in guesses.items() if len(guesses) <= MANY or not found.plain}
    definition = DatasetDefinition(
        files=(path,),
        format=replace(style, missing=_missing(markers)),
        types={name: kind for name, kind in written.items() if len(columns[name])},
    )
    told = (
        *_of_header(columns, style),
        *_of_encoding(encoding, columns),
        *_of_marks(doubt),
        *_of_markers(markers),
        *_of_types(guesses),
    )
    return definition, told


def _distinct(column: pa.ChunkedArray) -> pa.Array:
    """The distinct cells that have a value, without the blanks around them."""
    cells = pc.ascii_trim_whitespace(column.unique()).unique().drop_null()
    return cells.filter(pc.invert(pc.is_in(cells, pa.array(MISSING))))


def _missing(markers: Mapping[str, tuple[str, ...]]) -> tuple[str, ...] | None:
    more = dict.fromkeys(marker for found in markers.values() for marker in found)
    return (*MISSING, *more) if more else None


def _of_header(columns: Mapping[str, pa.Array], style: TextFormat) -> tuple[Remark, ...]:
    """A first line of numbers is more likely data; blanks in the only name may divide columns."""
    if len(columns) == 1 and " " in (name := next(iter(columns))):
        advice = 'if blanks divide columns, write a definition (*.dataset.yaml) with format: {delimiter: " "}'
        return (Remark("header", f"{quoted(name)} is taken for one column: {advice}", doubtful=True),)
    if not all(pattern(style).match(name) for name in columns):
        return ()
    return (Remark("header", f"the first line, {listed(columns)}, is taken for names: is it data?", doubtful=True),)


def _of_encoding(encoding: str, columns: Mapping[str, pa.Array]) -> tuple[Remark, ...]:
    if encoding in {"utf-8", "utf-16"}:
        return ()
    strange = (cells.filter(pc.invert(pc.string_is_ascii(cells))) for cells in columns.values())
    example = next((str(cells[0].as_py()) for cells in strange if len(cells)), None)
    example = example or next((name for name in columns if not name.isascii()), None)
    look = "" if example is None else f"; if {quoted(example)} looks wrong, name another encoding"
    return (Remark("encoding", f"it is not UTF-8{look}", doubtful=True),)


def _of_marks(doubt: str | None) -> tuple[Remark, ...]:
    return () if doubt is None else (Remark("numbers", doubt, doubtful=True),)


def _of_markers(markers: Mapping[str, tuple[str, ...]]) -> tuple[Remark, ...]:
    if not markers:
        return ()
    found = listed(dict.fromkeys(marker for cells in markers.values() for marker in cells))
    where = listed(markers)
    return (Remark("missing", f"{found}: no value, as seen in {where}; and so in every column", doubtful=True),)


def _of_types(guesses: Mapping[str, Guess]) -> tuple[Remark, ...]:
    return tuple(
        Remark("type", found.why, name, found.doubtful) for name, found in guesses.items() if found.why is not None
    )
