"""Metrics by the values of a column: what was measured in each slice of the evaluation rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from noa_mlops.records.quantiles import plain_number
from noa_mlops.records.spread import Moments, Spread
from noa_mlops.records.verdict import Estimate

SliceValue: TypeAlias = str | int | bool | None
"""One value of a column; None is that of the rows that have none."""

MAX_VALUES = 50
"""Values that a column may have whose slices are measured."""

MAX_LENGTH = 64
"""Bytes that such a column's name, and each of its values, may have in JSON: they stand in the ledger."""

MAX_CELLS = 200
"""Most pairs of a metric and a slice that are measured at once, so that they fit into one ledger line."""


@dataclass(frozen=True, slots=True)
class Sliced:
    """The rows of an evaluation apart by the values of one column.

    ``values`` are sorted, that of rows without one last; ``rows`` counts the rows with a label of each; ``metrics`` holds an
    estimate for each value.
    """

    values: tuple[SliceValue, ...]
    rows: tuple[int, ...]
    metrics: Mapping[str, tuple[Estimate, ...]]

    def to_document(self) -> dict[str, Any]:
        """JSON form; moments are rounded to six digits."""
        metrics = {name: [_cell(one) for one in estimates] for name, estimates in self.metrics.items()}
        return {"values": list(self.values), "rows": list(self.rows), "metrics": metrics}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Sliced:
        """What `to_document` wrote. Raises `KeyError` or `ValueError` for anything else."""
        values, rows = tuple(document["values"]), tuple(document["rows"])
        sizes = {len(values), len(rows), *(len(cells) for cells in document["metrics"].values())}
        if len(sizes) != 1 or not all(type(count) is int and count >= 0 for count in rows):
            raise ValueError("slices are values, rows and estimates, one of each for every slice")
        if not all(value is None or type(value) in (str, int, bool) for value in values):
            raise ValueError("a slice has a value that is none")
        return cls(
            values,
            rows,
            {
                name: tuple(
                    Estimate.from_document({**cell, "rows": count}) for cell, count in zip(cells, rows, strict=True)
                )
                for name, cells in document["metrics"].items()
            },
        )


@dataclass(frozen=True, slots=True)
class Slicing:
    """All slices of an evaluation, by column.

    ``grouped``: rows depend on each other in groups, and rows of one group may be in different slices.
    """

    by: Mapping[str, Sliced] = field(default_factory=dict)
    grouped: bool = False


WHOLE = Slicing()
"""An evaluation whose rows were not taken apart."""


def slice_name(column: str, value: SliceValue) -> str:
    """A slice as messages call it."""
    return f"rows without {column}" if value is None else f"{column} {value!r}"


def _cell(estimate: Estimate) -> dict[str, Any]:
    if estimate.value is None:
        return {"value": None, "reason": estimate.reason}
    value = {"value": plain_number(estimate.value)}
    return value if estimate.spread is None else {**value, "spread": _rounded(estimate.spread).to_document()}


def _rounded(spread: Spread) -> Spread:
    if not isinstance(spread, Moments):
        return spread
    return replace(
        spread,
        error=_short(spread.error),
        skew=_short(spread.skew),
        freedom=_short(spread.freedom),
        floor=_short(spread.floor),
    )


def _short(number: float) -> float:
    return float(f"{number:.6g}")
