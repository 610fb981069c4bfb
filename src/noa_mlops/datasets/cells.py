"""From cells of text to typed columns: by declaration, or by what *all* cells of a column agree on.

A type is inferred only when every cell has it, so that no cell is lost or changed:

    int    whole numbers that fit 64 bits; digits with a leading zero (``007``) name things and stay text
    float  decimal numbers, ``inf``; the marks of decimals and thousands are those of the definition
    bool   ``true`` and ``false`` in any case
    time   ISO 8601 dates, and dates with times, all with a zone or all without
    text   everything else

A column that is a number or a time in all but a few cells is an error: one of the two readings is a mistake, and
only a person knows which. Spaces around numbers, truth values and times mean nothing; in text they are kept.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from noa_mlops.datasets import numerals, times
from noa_mlops.datasets.bad_cell import refuse_first
from noa_mlops.datasets.normal import TIME
from noa_mlops.records.dataset import MISSING, ColumnType, TextFormat, TimeFormat

FEW = 0.1
"""Share of cells that may disagree before a column counts as text; one cell is always a few."""


def infer(cells: pa.ChunkedArray, style: TextFormat) -> pa.ChunkedArray:
    """The typed column of ``cells`` (strings; null is missing). Raises `BadCell` when only a few cells disagree."""
    if cells.null_count == len(cells):
        return _all_missing(len(cells), pa.float64())
    typed = _agreed(cells, style)
    if typed is None:
        trimmed = _trimmed(cells, style)
        if trimmed.null_count == len(trimmed):
            return _all_missing(len(cells), pa.float64())
        typed = _agreed(trimmed, style)
        if typed is None:
            _refuse_few(trimmed, style)
    return cells if typed is None else typed


def infer_times(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Points in time when every cell is one in ISO 8601, else ``cells`` as they are."""
    if cells.null_count == len(cells) or not times.PATTERN.match(_first(cells)):
        return cells
    found = times.read(cells)
    return cells if found is None else found


def declared(cells: pa.ChunkedArray, kind: ColumnType | TimeFormat, style: TextFormat) -> pa.ChunkedArray:
    """The column of ``cells`` as the declared type. Raises `BadCell` for the first cell that is not of it."""
    if kind in {"text", "category"}:
        return cells
    trimmed = _trimmed(cells, style)
    if trimmed.null_count == len(trimmed):
        return _all_missing(len(cells), TIME if isinstance(kind, TimeFormat) else _ARROW[kind])
    match kind:
        case TimeFormat():
            return times.read_as(trimmed, kind.time)
        case "time":
            return _demanded(times.read(trimmed), trimmed, times.PATTERN, "is not an ISO 8601 date or time")
        case "int":
            return _demanded(
                numerals.integers(trimmed, style), trimmed, numerals.whole_pattern(style), "is not a whole number"
            )
        case "float":
            return _demanded(numerals.reals(trimmed, style), trimmed, numerals.pattern(style), "is not a number")
        case _:
            return _truth(trimmed, _TRUE | _ALSO_TRUE, _FALSE | _ALSO_FALSE)


def without_markers(cells: pa.ChunkedArray, markers: tuple[str, ...]) -> pa.ChunkedArray:
    """``cells`` with every cell that is one of ``markers`` turned into a missing value."""
    found = pc.is_in(cells, value_set=pa.array(markers, pa.string()))
    return pc.if_else(found, pa.scalar(None, pa.string()), cells) if pc.any(found).as_py() else cells


_ARROW = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "time": TIME}
_TRUE, _FALSE = frozenset({"true"}), frozenset({"false"})
_ALSO_TRUE, _ALSO_FALSE = frozenset({"1", "yes", "y", "t"}), frozenset({"0", "no", "n", "f"})


def _agreed(cells: pa.ChunkedArray, style: TextFormat) -> pa.ChunkedArray | None:
    """The column as the type that every cell has, None when there is none but text."""
    first = _first(cells)
    if first.lower() in _TRUE | _FALSE:
        known = pc.is_in(pc.utf8_lower(cells), value_set=pa.array(["true", "false", None]))
        return _truth(cells, _TRUE, _FALSE) if pc.all(known).as_py() else None
    if times.PATTERN.match(first):
        return times.read(cells)
    return numerals.numbers(cells, style) if numerals.pattern(style).match(first) else None


def _refuse_few(cells: pa.ChunkedArray, style: TextFormat) -> None:
    present = len(cells) - cells.null_count
    for pattern, words in ((numerals.pattern(style), "numbers"), (times.PATTERN, "ISO 8601 dates or times")):
        good = pc.match_substring_regex(cells, pattern.pattern)
        bad = present - pc.sum(good).as_py()
        if 0 < bad <= max(1, FEW * present) and present - bad >= 2:
            others = "the other cells are" if bad == 1 else f"all but {bad} cells are"
            refuse_first(cells, good, f"stands where {others} {words}")


def _demanded(
    typed: pa.ChunkedArray | None, cells: pa.ChunkedArray, pattern: re.Pattern[str], wrong: str
) -> pa.ChunkedArray:
    if typed is None:
        refuse_first(cells, pc.match_substring_regex(cells, pattern.pattern), wrong)
    return typed


def _truth(cells: pa.ChunkedArray, true: frozenset[str], false: frozenset[str]) -> pa.ChunkedArray:
    lowered = pc.utf8_lower(cells)
    known = pc.is_in(lowered, value_set=pa.array([*true, *false, None], pa.string()))
    if not pc.all(known).as_py():
        refuse_first(cells, known, "is not true or false")
    truth = pc.is_in(lowered, value_set=pa.array(sorted(true), pa.string()))
    return pc.if_else(pc.is_valid(cells), truth, pa.scalar(None, pa.bool_()))


def _trimmed(cells: pa.ChunkedArray, style: TextFormat) -> pa.ChunkedArray:
    return without_markers(pc.ascii_trim_whitespace(cells), MISSING if style.missing is None else style.missing)


def _first(cells: pa.ChunkedArray) -> str:
    return str(cells[pc.index(pc.is_valid(cells), True).as_py()].as_py())


def _all_missing(rows: int, kind: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.nulls(rows, kind)])
