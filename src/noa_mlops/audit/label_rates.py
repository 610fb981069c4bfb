"""The labels before and now: how often each value comes, or where the middle of the numbers is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from noa_mlops.records.documents import Json

if TYPE_CHECKING:
    from noa_mlops.drift import DriftReport


@dataclass(frozen=True, slots=True)
class LabelRates:
    """The target of two datasets.

    ``rates`` are shares of the rows that have a label, by value, those that changed most first; of numbers there are
    ``medians`` instead. ``unlabelled`` counts the rows without a label.
    """

    target: str
    rates: tuple[tuple[str, float, float], ...]
    medians: tuple[float, float] | None
    unlabelled: tuple[int, int]

    def to_document(self) -> dict[str, Json]:
        """JSON form."""
        return {
            "target": self.target,
            "rates": [{"label": name, "before": before, "now": now} for name, before, now in self.rates],
            "medians": None if self.medians is None else list(self.medians),
            "unlabelled": list(self.unlabelled),
        }


def label_rates(report: DriftReport) -> LabelRates | None:
    """The labels that a report compares; None when no target is declared, or the labels are not there yet."""
    column = next((column for column in report.columns if column.is_label), None)
    if column is None:
        return None
    if column.kind in ("numeric", "time"):
        return LabelRates(column.name, (), column.medians, column.missing)
    rates = sorted(
        zip(column.labels, *column.picture, strict=True), key=lambda rate: (-abs(rate[2] - rate[1]), rate[0])
    )
    return LabelRates(column.name, tuple(rates), None, column.missing)
