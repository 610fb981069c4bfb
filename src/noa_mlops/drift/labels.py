"""Does it hurt? The champion measured again on labelled data of now, against its thresholds and what it was promoted on.

Labels decide and nothing else does. They clear drift when the lower bounds meet every threshold of the champion's plan
and no drop is shown; they show that it hurts when a metric dropped, beyond the bounds of the difference, by more than the
plan allows. Between the two they say nothing, and the data alone are judged. They say nothing either where too few of the
rows have one: those that come first are seldom like the others.

The bounds of a difference come from those of both measurements, each taken at its own distance (Zou and Donner 2008): the
value at the promotion was measured on a sample too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from noa_mlops.records.documents import Json
from noa_mlops.records.thresholds import Threshold
from noa_mlops.records.verdict import Estimate
from noa_mlops.records.versus import VersusChampion

ERROR = 0.05
"""The chance that a one-sided bound is wrong; two of them make the intervals that are printed, of 90 %."""

CERTAIN = 0.001
"""The error at which a drop blocks by one window alone: less than one false block in a year of daily windows."""

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
    is_certain: bool = False

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
            "certain": self.is_certain,
        }


@dataclass(frozen=True, slots=True)
class Labelled:
    """How many ``rows`` have a label that counts, of those that are ``due`` by their age, of all of the ``window``.

    ``least`` is the share of them that must have one before labels say anything.
    """

    rows: int
    due: int
    window: int
    least: float = 0.9

    @property
    def shows(self) -> bool:
        """Whether labels can show a drop: enough of the rows that are due have one."""
        return self.rows > 0 and self.rows >= self.least * self.due

    @property
    def clears(self) -> bool:
        """Whether labels can clear drift of the data: enough of all rows have one, and none is awaited."""
        return self.rows > 0 and self.rows >= self.least * self.window

    @property
    def lack(self) -> str | None:
        """Why labels cannot clear; None when they can."""
        if self.clears:
            return None
        young = f", {self.window - self.due} are too young" if self.due < self.window else ""
        return f"{self.rows} of {self.window} rows have a label that counts{young}; {self.least:.0%} are needed"

    def to_document(self) -> dict[str, Json]:
        """JSON form."""
        return {"rows": self.rows, "due": self.due, "window": self.window, "min_share": self.least}


@dataclass(frozen=True, slots=True)
class LabelReport:
    """What the labels of a window say, metric by metric; ``problem`` is why they could not be asked, else None."""

    labelled: Labelled
    metrics: tuple[MetricNow, ...]
    problem: str | None = None

    @property
    def finding(self) -> Finding:
        """One metric that hurts is enough; to clear, all must, and there must be one."""
        found = {metric.finding for metric in self.metrics}
        if "hurts" in found and self.labelled.shows:
            return "hurts"
        return "clears" if found == {"clears"} and self.labelled.clears else "undecided"

    @property
    def hurting(self) -> tuple[MetricNow, ...]:
        """The metrics that dropped, where labels may say so."""
        return tuple(one for one in self.metrics if one.finding == "hurts") if self.labelled.shows else ()

    @property
    def is_certain(self) -> bool:
        """Whether a drop is beyond doubt, so that one window is enough."""
        return any(metric.is_certain for metric in self.hurting)

    def to_document(self) -> dict[str, Json]:
        """JSON form."""
        return {
            **self.labelled.to_document(),
            "finding": self.finding,
            "metrics": [metric.to_document() for metric in self.metrics],
            "problem": self.problem,
        }


def judge_labels(
    thresholds: Sequence[Threshold],
    now: Mapping[str, Estimate],
    then: Mapping[str, Estimate],
    labelled: Labelled,
) -> LabelReport:
    """Hold what was measured ``now`` against the plan's thresholds and the metrics of ``then``, at the promotion."""
    return LabelReport(labelled, tuple(_metric(threshold, now, then) for threshold in thresholds))


def _metric(threshold: Threshold, now: Mapping[str, Estimate], then: Mapping[str, Estimate]) -> MetricNow:
    name, before, measured = threshold.metric, then.get(threshold.metric), now.get(threshold.metric)
    promoted = None if before is None else before.value
    bounds = measured.bounds(ERROR) if measured is not None else None
    allowed = _allowed(threshold, promoted)
    if measured is None or bounds is None:
        why = "was not measured" if measured is None else f"cannot be bounded: it {measured.unbounded}"
        value = None if measured is None else measured.value
        return MetricNow(name, promoted, value, None, allowed, "undecided", why)
    if _dropped(threshold, measured, before, ERROR) > allowed:
        # A value that nobody can bound may have been luck: one window is not enough against it.
        sure = before is not None and before.bounds(CERTAIN) is not None
        certain = sure and _dropped(threshold, measured, before, CERTAIN) > allowed
        why = "dropped by more than is allowed" + ("" if certain else "; a second window like it would block")
        return MetricNow(name, promoted, measured.value, bounds, allowed, "hurts", why, certain)
    finding: Finding = "clears"
    why = "meets its threshold, and no drop is shown"
    if not all(threshold.clears(bound) for bound in _sides(threshold, bounds)):
        finding, why = "undecided", "is not shown to meet its threshold"
    elif threshold.slices or threshold.fairness is not None:
        finding, why = "undecided", "meets its threshold as a whole; slices and fairness are not measured here"
    return MetricNow(name, promoted, measured.value, bounds, allowed, finding, why)


def _dropped(threshold: Threshold, now: Estimate, then: Estimate | None, error: float) -> float:
    """By how much a metric got worse since the promotion at least, but for the chance ``error``; 0 where nothing is shown."""
    bounds = now.bounds(error)
    if then is None or now.value is None or then.value is None or bounds is None:
        return 0.0
    known = then.bounds(error) or (then.value, then.value)
    match threshold.row.direction:
        case "higher":
            return then.value - now.value - math.hypot(bounds[1] - now.value, then.value - known[0])
        case "lower":
            return now.value - then.value - math.hypot(now.value - bounds[0], known[1] - then.value)
        case "nearest":
            return 0.0


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
