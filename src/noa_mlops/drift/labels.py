"""Does it hurt? The champion measured again on labelled data of now, against its thresholds and what it was promoted on.

Labels decide and nothing else does. They clear drift when the lower bounds meet every threshold of the champion's plan
and no drop is shown; they show that it hurts when a metric dropped, beyond its bounds, by more than the plan allows.
Between the two they say nothing, and the data alone are judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from noa_mlops.records.documents import Json
from noa_mlops.records.thresholds import Threshold
from noa_mlops.records.verdict import Estimate
from noa_mlops.records.versus import VersusChampion

ERROR = 0.05
"""The chance that a one-sided bound is wrong; two of them make the intervals that are printed, of 90 %."""

Finding: TypeAlias = Literal["clears", "hurts", "undecided"]


@dataclass(frozen=True, slots=True)
class MetricNow:
    """One metric of the champion: ``then`` when it was promoted, ``now`` with its bounds; what it may drop at most."""

    metric: str
    then: float | None
    now: float | None
    bounds: tuple[float, float] | None
    allowed: float
    finding: Finding
    why: str

    def to_document(self) -> dict[str, Json]:
        """JSON form."""
        return {
            "metric": self.metric,
            "then": self.then,
            "now": self.now,
            "bounds": None if self.bounds is None else list(self.bounds),
            "allowed": self.allowed,
            "finding": self.finding,
            "why": self.why,
        }


@dataclass(frozen=True, slots=True)
class LabelReport:
    """What the labels of a window say, metric by metric; ``problem`` is why they could not be asked, else None."""

    rows: int
    metrics: tuple[MetricNow, ...]
    problem: str | None = None

    @property
    def finding(self) -> Finding:
        """One metric that hurts is enough; to clear, all must, and there must be one."""
        found = {metric.finding for metric in self.metrics}
        if "hurts" in found:
            return "hurts"
        return "clears" if found == {"clears"} else "undecided"

    def to_document(self) -> dict[str, Json]:
        """JSON form."""
        return {
            "rows": self.rows,
            "finding": self.finding,
            "metrics": [metric.to_document() for metric in self.metrics],
            "problem": self.problem,
        }


def judge_labels(
    thresholds: Sequence[Threshold], now: Mapping[str, Estimate], then: Mapping[str, float | None], rows: int
) -> LabelReport:
    """Hold what was measured ``now`` against the plan's thresholds and the metrics of ``then``, at the promotion."""
    return LabelReport(rows, tuple(_metric(threshold, now, then) for threshold in thresholds))


def _metric(threshold: Threshold, now: Mapping[str, Estimate], then: Mapping[str, float | None]) -> MetricNow:
    name, before = threshold.metric, then.get(threshold.metric)
    measured = now.get(name)
    bounds = measured.bounds(ERROR) if measured is not None else None
    allowed = _allowed(threshold, before)
    if measured is None or bounds is None:
        why = "was not measured" if measured is None else f"cannot be bounded: it {measured.unbounded}"
        value = None if measured is None else measured.value
        return MetricNow(name, before, value, None, allowed, "undecided", why)
    finding, why = _weigh(threshold, bounds, before, allowed)
    return MetricNow(name, before, measured.value, bounds, allowed, finding, why)


def _weigh(
    threshold: Threshold, bounds: tuple[float, float], before: float | None, allowed: float
) -> tuple[Finding, str]:
    best = _best_change(threshold, bounds, before)
    if best is not None and best < -allowed:
        return "hurts", "dropped by more than is allowed"
    if not all(threshold.clears(bound) for bound in _sides(threshold, bounds)):
        return "undecided", "is not shown to meet its threshold"
    return "clears", "meets its threshold, and no drop is shown"


def _best_change(threshold: Threshold, bounds: tuple[float, float], before: float | None) -> float | None:
    """The upper bound of the improvement since the promotion; None where none is defined."""
    if before is None:
        return None
    match threshold.row.direction:
        case "higher":
            return bounds[1] - before
        case "lower":
            return before - bounds[0]
        case "nearest":
            return None


def _sides(threshold: Threshold, bounds: tuple[float, float]) -> tuple[float, ...]:
    """The bounds that must meet the threshold: the one on each side that it limits."""
    return (
        *((bounds[0],) if threshold.minimum is not None else ()),
        *((bounds[1],) if threshold.maximum is not None else ()),
    )


def _allowed(threshold: Threshold, before: float | None) -> float:
    rule = threshold.versus_champion
    if rule is None or rule.rule != "max_drop":
        rule = VersusChampion.default(threshold.row, before or 0.0)
    return rule.margin
