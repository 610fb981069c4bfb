"""How one dataset becomes two: the rows to learn from, and the rows held back to measure on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from noa_mlops.records.documents import Json
from noa_mlops.records.reading.fields import Fault, FieldInvalid, Form, Rule, check_fields, shown, whole
from noa_mlops.records.reading.values import text_problem

SHARE_PATTERN = r"([0-9]{1,2}(?:\.[0-9]{1,6})?) ?%"
"""A share of the rows as text."""

_SHARE = re.compile(SHARE_PATTERN)


def read_share(value: Any) -> float | None:
    """A share of 1, from ``"20%"`` or a number. Raises `FieldInvalid`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    match = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise FieldInvalid([Fault(f"must be a share of the rows, got {shown(value)}", suggestion="write it like 20%")])
    return float(Decimal(match[1]) / 100)


def _share(value: Any) -> Iterator[Fault]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield Fault(f"must be a share of the rows, got {shown(value)}", suggestion="write it like 20%")
    elif not 0 < value < 1:
        suggestion = f"did you mean {value:g}%?" if 1 < value < 100 else "write it like 20%"
        yield Fault(f"must be more than none and less than all of the rows, got {shown(value)}", suggestion=suggestion)


def _column(value: Any) -> Iterator[Fault]:
    if not isinstance(value, str) or not value:
        yield Fault(f"must name a column, got {shown(value)}")
    elif problem := text_problem(value):
        yield Fault(problem)


_WRITTEN = Form(
    read_share,
    lambda: {
        "anyOf": [
            {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            {"type": "string", "pattern": f"^{SHARE_PATTERN}$"},
        ],
        "examples": ["20%"],
    },
)


@dataclass(frozen=True, slots=True)
class Split:
    """Which rows of the dataset are held back: the latest, whole groups, or rows drawn from every class.

    One of ``{by: COLUMN, last: 20%}``, ``{by_group: COLUMN, share: 20%, seed: 7}`` and ``{share: 20%, seed: 7}``.
    The same data and the same split always give the same two parts.
    """

    by: Annotated[str | None, Rule(_column)] = None
    """The column of times or numbers whose largest values are held back."""

    last: Annotated[float | None, _WRITTEN, Rule(_share)] = None
    """With 'by': the share of the rows that is held back, such as 20%."""

    by_group: Annotated[str | None, Rule(_column)] = None
    """The column whose equal values stay together: a group is held back as a whole or not at all."""

    share: Annotated[float | None, _WRITTEN, Rule(_share)] = None
    """The share of the rows that is held back, such as 20%."""

    seed: Annotated[int, whole(0, 2**32 - 1)] = 0
    """Which of the many possible draws is taken."""

    def __post_init__(self) -> None:
        check_fields(self, self._faults())

    def to_document(self) -> dict[str, Json]:
        """The normal form, without what stands at its default."""
        document: dict[str, Json] = {
            "by": self.by,
            "last": self.last,
            "by_group": self.by_group,
            "share": self.share,
            "seed": self.seed or None,
        }
        return {name: value for name, value in document.items() if value is not None}

    def _faults(self) -> Iterator[Fault]:
        if self.by is None:
            if self.last is not None:
                yield Fault("needs 'by'", ("last",), "name the column of times: {by: signup_date, last: 20%}")
            elif self.share is None:
                yield Fault(
                    "must say which rows are held back", (), "write {share: 20%} or {by: signup_date, last: 20%}"
                )
            return
        if self.last is None:
            yield Fault("is missing", ("last",), "say how much is held back: 20%")
        for name in ("by_group", "share", "seed"):
            if getattr(self, name):
                yield Fault("must be absent with 'by'", (name,), "the latest rows are held back, none are drawn")
