"""No slow decline: challengers that are each a little worse than the champion before must not walk it down without end.

A promotion that proves a gain sets a limit: v, the bound of the promoted version's own measurement on the side that is
worse, less two drops as its plan allows. It proves a gain when the lower bound of its improvement over the champion is
above zero, or when there is no champion that it could be compared with: the first one of a lifecycle, and the one that is
enabled after drift, when what held before holds no more. A limit only ever gets stricter until then, but a champion that is
brought back brings back those that held when it was promoted.

A later version must clear the limit by its bound and fails when it is shown to be beyond it. While an incident is open no
limit holds, as the data are not what they were. Metrics that are best inside their range, are not compared, or are a plan's own, have none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from noa_mlops.gate.certainty import advice, error_at, rows_to_decide
from noa_mlops.gate.finding import Finding, passed, undecided
from noa_mlops.records.comparison import Comparison
from noa_mlops.records.metrics import METRICS
from noa_mlops.records.proven import Proven, ProvenGain
from noa_mlops.records.thresholds import Threshold
from noa_mlops.records.verdict import Estimate, Violation
from noa_mlops.records.versus import VersusChampion

DROPS = 2
"""How many drops, as a plan allows each, a version may lose of what was proven."""


def above_proven(threshold: Threshold, measured: Estimate, proven: Proven, look: int) -> Finding:
    """Whether a version is not shown to be, and cannot be, beyond the limit that a proven gain has set for its metric."""
    gain = proven.get(threshold.metric)
    if gain is None or not _limits(threshold):
        return passed()
    limit = Threshold(threshold.metric, *threshold.row.limits(gain.limit))
    error = error_at(look)
    if (bounds := measured.bounds(error)) is None:
        return undecided(
            f"{threshold.metric}: cannot be held against what @{gain.version} has shown: {measured.unbounded}"
        )
    if limit.surely_clears(bounds):
        return passed()
    lower, upper = bounds
    value = measured.value or 0.0
    said = f"{value:.4g} ({lower:.4g} .. {upper:.4g}), {gain.limit:.4g} is left of what @{gain.version} has shown"
    if limit.surely_misses(bounds):
        return Finding(violation=Violation(threshold, value, said, rule="champion"))
    return undecided(f"{threshold.metric}: {said}: {advice(rows_to_decide(measured, limit.room(value), error))}")


def proven_with(
    thresholds: Iterable[Threshold],
    metrics: Mapping[str, Estimate],
    comparison: Comparison | None,
    *,
    version: int,
    look: int,
) -> Proven:
    """The limits that the promotion of ``version`` sets by itself; ``comparison`` is None where nothing could be compared."""
    found: dict[str, ProvenGain] = {}
    for threshold in thresholds:
        measured = metrics.get(threshold.metric)
        if measured is not None and _limits(threshold) and _gained(threshold.metric, comparison, look):
            limit = _limit(threshold, measured, look)
            if limit is not None:
                found[threshold.metric] = ProvenGain(limit, version)
    return found


def stricter(proven: Proven, new: Proven) -> Proven:
    """Of each metric the limit that asks for more."""
    kept = {name: gain for name, gain in proven.items() if name not in new or not _asks_more(name, new[name], gain)}
    return {**new, **kept}


def _limits(threshold: Threshold) -> bool:
    """Whether the metric of a threshold has limits: it is in the table, better in one direction, and compared."""
    return threshold.metric in METRICS and threshold.row.direction != "nearest" and threshold.compares


def _gained(metric: str, comparison: Comparison | None, look: int) -> bool:
    if comparison is None:
        return True
    improvement = comparison.improvements.get(metric)
    bounds = None if improvement is None or comparison.identical else improvement.bounds(error_at(look))
    return bounds is not None and bounds[0] > 0


def _limit(threshold: Threshold, measured: Estimate, look: int) -> float | None:
    bounds, metric, versus = measured.bounds(error_at(look)), threshold.row, threshold.versus_champion
    if bounds is None or measured.value is None:
        return None
    if versus is None or versus.rule != "max_drop":
        versus = VersusChampion.default(metric, measured.value)
    allowed = DROPS * versus.margin
    least, greatest = metric.range
    return max(least, bounds[0] - allowed) if metric.direction == "higher" else min(greatest, bounds[1] + allowed)


def _asks_more(name: str, new: ProvenGain, old: ProvenGain) -> bool:
    return new.limit > old.limit if METRICS[name].direction == "higher" else new.limit < old.limit
