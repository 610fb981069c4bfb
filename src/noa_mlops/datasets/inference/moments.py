"""Dates and times as people write them: the format that every cell of a column keeps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from noa_mlops.datasets import times

DAYS = (
    *("%d.%m.%Y", "%d.%m.%y", "%Y.%m.%d", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d/%m/%y", "%Y/%m/%d"),
    *("%d-%m-%Y", "%m-%d-%Y", "%d-%m-%y", "%d %b %Y", "%d %B %Y", "%b %d %Y", "%B %d %Y", "%b %d, %Y", "%B %d, %Y"),
    *("%d-%b-%Y", "%d-%b-%y", "%d. %B %Y", "%Y-%m-%d"),
)
"""Dates; where two read the same cells, the first is taken and the other named."""

CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S")
"""Times of day that may follow a date."""

FORMATS = (*(day + clock for day in DAYS for clock in CLOCKS), "%Y%m%d%H%M%S")
"""Every format that is tried."""

LIKE_TIMES = r"^[0-9A-Za-z.]{1,9}[-./ ][0-9A-Za-z.,]{1,10}[-./ ,] ?[0-9]{2,4}(?:[T ,].{4,20})?$"
"""What a date in some format may look like."""

SAMPLE = 40
"""Distinct cells that settle which formats are tried on all."""


@dataclass(frozen=True, slots=True)
class Moments:
    """How the cells of a column are written: one format, or another that reads them too, or several formats."""

    written: str | None
    also: str | None = None
    mixed: tuple[tuple[str, str], ...] = ()
    """Several formats, each with a cell that is written in it."""
    exception: tuple[str, str] | None = None
    """The format of most cells, and the first cell that is not written in it."""


def moments(cells: Sequence[str]) -> Moments | None:
    """How the distinct texts ``cells`` are written as times; None when they are not, or when one is no time."""
    sample = cells[:: max(1, len(cells) // SAMPLE)]
    found = [written for written in FORMATS if _reads(sample, written) and _reads(cells, written)]
    if found:
        other = next((written for written in found[1:] if _values_differ(cells, found[0], written)), None)
        return Moments(found[0], other)
    several = tuple(_several(cells))
    return Moments(None, mixed=several) if len(several) > 1 else _with_exceptions(cells)


def moments_of_digits(cells: Sequence[str]) -> str | None:
    """The format of dates without marks, ``20260131``; None for what are more likely numbers."""
    likely = all(len(cell) == 8 and cell[:2] in {"19", "20"} for cell in cells[:SAMPLE])
    return "%Y%m%d" if likely and _reads(cells, "%Y%m%d") else None


def _with_exceptions(cells: Sequence[str]) -> Moments | None:
    """The format of nearly all cells, as one that is no day of the calendar shows it."""
    for written in (written for written in FORMATS if any(_reads([cell], written) for cell in cells[:3])):
        odd = [cell for cell in cells if not _reads([cell], written)]
        if len(odd) <= max(1, len(cells) // 10):
            return Moments(None, exception=(written, odd[0]))
    return None


def _several(cells: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Formats that together read every cell, each with its first cell; nothing when one cell is read by none."""
    rest, found = list(cells), []
    if times.PATTERN.match(rest[0]) or any(times.PATTERN.match(cell) for cell in rest):
        found.append(("ISO 8601", next(cell for cell in rest if times.PATTERN.match(cell))))
        rest = [cell for cell in rest if not times.PATTERN.match(cell)]
    while rest and len(found) < 6:
        written = next((written for written in FORMATS if _reads(rest[:1], written)), None)
        if written is None:
            return
        found.append((written, rest[0]))
        rest = [cell for cell in rest if not _reads([cell], written)]
    if not rest:
        yield from found


def _reads(cells: Sequence[str], written: str) -> bool:
    shape = _shape(written)
    return all(shape.fullmatch(cell) and _moment(cell, written) for cell in cells)


def _moment(cell: str, written: str) -> datetime | None:
    try:
        return datetime.strptime(cell, written)  # noqa: DTZ007 - as written
    except ValueError:
        return None


def _values_differ(cells: Sequence[str], one: str, other: str) -> bool:
    return any(_moment(cell, one) != _moment(cell, other) for cell in cells[:SAMPLE])


_CODES = {
    **dict.fromkeys("dmHIMSy", "[0-9]{1,2}"),
    "Y": "[0-9]{4}",
    "f": "[0-9]{1,6}",
    "b": "[A-Za-z]{3}",
    "B": "[A-Za-z]{3,9}",
    "p": "[AaPp][Mm]",
}


@cache
def _shape(written: str) -> re.Pattern[str]:
    """What strptime may read in this format: it also takes years of one digit and more blanks than we want."""
    parts = re.split(r"%(.)", written)
    return re.compile("".join(_CODES[part] if index % 2 else re.escape(part) for index, part in enumerate(parts)))
