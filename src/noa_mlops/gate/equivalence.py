"""Is a model that was trained again as good as the recorded one? Shown, not assumed: too little to tell is no equality."""

from __future__ import annotations

from noa_mlops.records.reproduction import MetricAgain
from noa_mlops.records.spread import Moments, PairedProportion
from noa_mlops.records.verdict import Estimate

ERROR = 0.05
"""Of each one-sided bound; nothing is decided by a reproduction, so no looks are counted."""


def equivalent(metric: str, recorded: Estimate, now: Estimate, improvement: Estimate | None) -> MetricAgain:
    """Two one-sided tests (Schuirmann 1987) of a metric, by the paired ``improvement`` on the rows of both measurements.

    It is equal when it moved on no row, or when the 90 % interval of the improvement lies within half the width of the
    recorded metric's own 90 % interval: then the difference is smaller than what the recorded measurement left open. An
    interval that merely holds zero would call any two models equal on few rows. A metric whose best value lies in between
    can move without being better or worse, so the new value must lie in the recorded interval too.
    """
    if recorded.value == now.value and improvement is not None and _unmoved(improvement):
        return MetricAgain(metric, recorded.value, now.value, equal=True, reason="it moved on no row", improvement=0.0)
    own, paired = recorded.bounds(ERROR), None if improvement is None else improvement.bounds(ERROR)
    if recorded.value is None or now.value is None:
        why = f"{'when it was recorded' if recorded.value is None else 'now'}, it {(recorded if recorded.value is None else now).unbounded}"
        return MetricAgain(metric, recorded.value, now.value, equal=False, reason=why)
    if own is None:
        return MetricAgain(metric, recorded.value, now.value, equal=False, reason=f"recorded, it {recorded.unbounded}")
    if improvement is None or paired is None:
        why = "cannot be compared row by row" if improvement is None else str(improvement.unbounded)
        return MetricAgain(metric, recorded.value, now.value, equal=False, reason=f"the difference {why}")
    margin = (own[1] - own[0]) / 2
    equal = -margin < paired[0] and paired[1] < margin and own[0] <= now.value <= own[1]
    said = "is shown" if equal else "is not shown"
    return MetricAgain(
        metric,
        recorded.value,
        now.value,
        equal=equal,
        reason=f"the difference {said} to be under {margin:.4g}",
        improvement=improvement.value,
        lower=paired[0],
        upper=paired[1],
        margin=margin,
    )


def _unmoved(improvement: Estimate) -> bool:
    """Whether no row, or group of rows, adds anything to the difference."""
    match improvement.spread:
        case PairedProportion(gained=0, lost=0):
            return True
        case Moments(error=0.0):
            return improvement.value == 0
        case _:
            return False


def answered_alike(metric: str, recorded: Estimate, now: Estimate) -> MetricAgain:
    """A metric of two models that gave the same answers, about which nothing is uncertain."""
    return MetricAgain(metric, recorded.value, now.value, equal=True, reason="every row is answered alike")
