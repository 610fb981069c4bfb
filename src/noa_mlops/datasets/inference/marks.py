"""The marks of numbers: which decimal mark, and which mark between thousands, makes the most cells numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from noa_mlops.datasets import numerals
from noa_mlops.records.dataset import TextFormat

LIKE_NUMBERS = r"^[+-]?[0-9.,][0-9.,'_ \x{a0}\x{202f}]*(?:[eE][+-]?[0-9]+)?$"
"""What a number in some style may look like."""

MANY = 200
"""Columns of numbers from which other styles are not tried when the plainest fits all."""

_OTHERS = ("'", " ", "\u00a0", "\u202f", "_")

Marks: TypeAlias = tuple[Literal[".", ","], str | None]
"""Decimal mark and mark of thousands."""

STYLES: Sequence[Marks] = (
    (".", None),
    (",", None),
    (".", ","),
    (",", "."),
    *((".", mark) for mark in _OTHERS),
    *((",", mark) for mark in _OTHERS),
)
"""Every style that is tried, the plainest first."""


def with_marks(columns: Mapping[str, pa.Array], style: TextFormat) -> tuple[TextFormat, str | None]:
    """``style`` with the marks under which most cells of ``columns`` (distinct texts) are numbers.

    The second answer is a sentence when another reading makes as many of them numbers.
    """
    marked = [cells for cells in columns.values() if _has_marks(cells)]
    if not marked:
        return style, None
    candidates = [replace(style, decimal=decimal, thousands=mark) for decimal, mark in _order(style)]
    if len(marked) > MANY and sum(matching(cells, candidates[0]) for cells in marked) == sum(map(len, marked)):
        return candidates[0], None
    scores = [sum(matching(cells, candidate) for cells in marked) for candidate in candidates]
    if not max(scores):
        return style, None
    chosen = candidates[scores.index(max(scores))]
    rivals = [other for other, score in zip(candidates, scores, strict=True) if score == max(scores)]
    return chosen, _doubt(chosen, rivals, marked)


def matching(cells: pa.Array, style: TextFormat) -> int:
    """How many of ``cells`` are numbers written in ``style``."""
    return pc.sum(pc.match_substring_regex(cells, numerals.pattern(style).pattern)).as_py() or 0


def _order(style: TextFormat) -> Sequence[Marks]:
    """Where commas divide the cells, a comma inside one is more likely to divide thousands."""
    if style.delimiter not in {None, ","}:
        return STYLES
    return (STYLES[0], STYLES[2], STYLES[1], *STYLES[3:])


def _has_marks(cells: pa.Array) -> bool:
    """Whether most cells look like numbers, and one is not a plain whole number."""
    like = pc.match_substring_regex(cells, LIKE_NUMBERS)
    whole = pc.match_substring_regex(cells, "^[+-]?[0-9]+$")
    return 2 * (pc.sum(like).as_py() or 0) > len(cells) and bool(pc.any(pc.and_not(like, whole)).as_py())


def _doubt(chosen: TextFormat, rivals: Sequence[TextFormat], marked: Sequence[pa.Array]) -> str | None:
    """Only a reading with the other decimal mark gives other numbers: ``1,234`` is in doubt, ``1,5`` is not."""
    other = next((rival for rival in rivals if rival.decimal != chosen.decimal), None)
    if other is None:
        return None
    ambiguous = rf"[{re.escape(other.decimal)}{re.escape(other.thousands or other.decimal)}]"
    example = next(
        (cells.filter(found)[0].as_py() for cells in marked if pc.any(found := _holds(cells, ambiguous)).as_py()), None
    )
    if example is None:
        return None
    thousands = "" if other.thousands is None else f", thousands: {other.thousands!r}"
    return f"{example!r} may be meant otherwise: decimal: {other.decimal!r}{thousands}"


def _holds(cells: pa.Array, pattern: str) -> pa.Array:
    return pc.match_substring_regex(cells, pattern)
