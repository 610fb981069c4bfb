"""Numbers as people and programs write them: with a decimal mark, perhaps a mark between thousands."""

from __future__ import annotations

import re
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from noa_mlops.datasets.bad_cell import refuse_failing, refuse_first
from noa_mlops.records.dataset import TextFormat

_INFINITE = r"[+-]?(?i:inf|infinity)"


@lru_cache(maxsize=64)
def pattern(style: TextFormat) -> re.Pattern[str]:
    """Every number written in ``style``, anchored at both ends; for RE2 and for Python."""
    mark = re.escape(style.decimal)
    unsigned = rf"(?:{_digits(style)}(?:{mark}[0-9]*)?|{mark}[0-9]+)"
    return re.compile(rf"^(?:[+-]?{unsigned}(?:[eE][+-]?[0-9]+)?|{_INFINITE})$")


@lru_cache(maxsize=64)
def whole_pattern(style: TextFormat) -> re.Pattern[str]:
    """Every whole number written in ``style`` without fraction or exponent."""
    return re.compile(rf"^[+-]?{_digits(style)}$")


def numbers(cells: pa.ChunkedArray, style: TextFormat) -> pa.ChunkedArray | None:
    """``cells`` as integers when all are whole numbers, else as reals when all are numbers, else None.

    Also None for whole numbers of which one begins with a zero or does not fit 64 bits: those are names, which
    a number would damage.
    """
    if _is_plain(style):
        whole = _whole_at_once(cells)
        if whole is not None:
            return None if _any_match(cells, r"^-?0[0-9xX]") else whole
        if pc.any(pc.match_substring(cells, ".")).as_py():
            return reals(cells, style)
    if not _all_match(cells, whole_pattern(style).pattern):
        return reals(cells, style)
    plain = _plain(cells, style)
    return None if _any_match(plain, r"^-?0[0-9]") else _whole_at_once(plain)


def integers(cells: pa.ChunkedArray, style: TextFormat) -> pa.ChunkedArray | None:
    """``cells`` as integers of 64 bits, None when one is not a whole number. Raises `BadCell` beyond 64 bits."""
    if not _all_match(cells, whole_pattern(style).pattern):
        return None
    plain = _plain(cells, style)
    whole = _whole_at_once(plain)
    if whole is None:
        refuse_failing(plain, lambda some: some.cast(pa.int64()), "does not fit 64 bits")
    return whole


def reals(cells: pa.ChunkedArray, style: TextFormat) -> pa.ChunkedArray | None:
    """``cells`` as reals, None when one is not a number. Raises `BadCell` for a number beyond binary64."""
    if not _is_plain(style):
        if not _all_match(cells, pattern(style).pattern):
            return None
        cells = _plain(cells, style)
    try:
        found = cells.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    finite = pc.is_finite(found)
    if not pc.all(finite).as_py():
        expected = pc.or_(finite, pc.match_substring_regex(cells, rf"^{_INFINITE}$"))
        if not _all_match(cells.filter(pc.invert(expected)), "[0-9]"):
            return None
        if not pc.all(expected).as_py():
            refuse_first(cells, expected, "is larger than a number of 64 bits can be")
    return found


def _digits(style: TextFormat) -> str:
    if style.thousands is None:
        return "[0-9]+"
    return rf"(?:[1-9][0-9]{{0,2}}(?:{re.escape(style.thousands)}[0-9]{{3}})+|[0-9]+)"


def _is_plain(style: TextFormat) -> bool:
    return style.decimal == "." and style.thousands is None


def _plain(cells: pa.ChunkedArray, style: TextFormat) -> pa.ChunkedArray:
    """Numbers in ``style`` as Arrow reads them."""
    if style.thousands is not None:
        cells = pc.replace_substring(cells, style.thousands, "")
    if style.decimal != ".":
        cells = pc.replace_substring(cells, style.decimal, ".")
    return pc.ascii_ltrim(cells, characters="+")


def _whole_at_once(cells: pa.ChunkedArray) -> pa.ChunkedArray | None:
    try:
        return cells.cast(pa.int64())
    except pa.ArrowInvalid:
        return None


def _all_match(cells: pa.ChunkedArray, wanted: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(cells, wanted), min_count=0).as_py())


def _any_match(cells: pa.ChunkedArray, unwanted: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(cells, unwanted), min_count=0).as_py())
