"""Points in time: ISO 8601 as it is inferred, other spellings as they are declared."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from noa_mlops.datasets.bad_cell import BadCell, refuse_failing
from noa_mlops.datasets.normal import TIME

_YEAR = r"(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
_DAY = rf"{_YEAR}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
_ZONE = r"(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)"

PATTERN = re.compile(rf"^{_DAY}(?:{_CLOCK}{_ZONE}?)?$")
"""A date, or a date and a time of day with or without a zone (ISO 8601, extended format)."""


def read(cells: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """``cells`` as points in time when all match `PATTERN`, else None.

    Times with a zone become UTC. Raises `BadCell` for a day that the calendar does not have, and when only some
    cells have a zone.
    """
    if not pc.all(pc.match_substring_regex(cells, PATTERN.pattern)).as_py():
        return None
    zoned = pc.match_substring_regex(cells, rf"[T ].*{_ZONE}$")
    with_zone = pc.sum(zoned).as_py()
    if with_zone not in {0, len(cells) - cells.null_count}:
        row = pc.index(zoned, with_zone * 2 < len(cells)).as_py()
        raise BadCell(row, cells[row].as_py(), "mixes times with a zone and times without")
    whole = pc.replace_substring_regex(cells, r"(\.[0-9]{6})[0-9]+", r"\1")
    return _cast_zoned(whole) if with_zone else _cast_naive(whole)


def read_as(cells: pa.ChunkedArray, written: str) -> pa.ChunkedArray:
    """``cells`` as points in time written in the ``strptime`` format ``written``. Raises `BadCell`.

    Every distinct cell is read once, by Python's own rules, so 31.02.2024 is refused and not carried over.
    """
    distinct = cells.unique().drop_null()
    moments = []
    for cell in distinct.to_pylist():
        try:
            moments.append(_naive(datetime.strptime(cell, written)))  # noqa: DTZ007 - naive means as written
        except ValueError:
            row = pc.index(cells, cell).as_py()
            raise BadCell(row, cell, f"is not a time written as {written!r}") from None
    where = pc.index_in(cells, value_set=distinct)
    return pc.take(pa.chunked_array([pa.array(moments, TIME)]), where)


def _naive(moment: datetime) -> datetime:
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _cast_naive(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    return _cast(cells, TIME)


def _cast_zoned(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    found = _cast(cells, pa.timestamp("us", "UTC"))
    return pa.chunked_array([chunk.view(pa.int64()).view(TIME) for chunk in found.chunks], TIME)


def _cast(cells: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    try:
        return cells.cast(kind)
    except pa.ArrowInvalid:
        refuse_failing(cells, lambda some: some.cast(kind), "is not a day of the calendar")
