"""The challenger against the champion, metric by metric, on the same rows."""

from __future__ import annotations

from collections.abc import Iterable

from noa_mlops.gate.certainty import advice, error_at, rows_to_decide
from noa_mlops.gate.finding import Finding, passed, undecided
from noa_mlops.records.comparison import Comparison
from noa_mlops.records.thresholds import Threshold
from noa_mlops.records.verdict import Estimate, Violation
from noa_mlops.records.versus import VersusChampion


def compares(thresholds: Iterable[Threshold]) -> bool:
    """Whether a challenger is compared with the champion: in every metric, but for those whose threshold says ``none``.

    Nor in one that is not compared by default, see `Metric.compared`; one that has no interval never is.
    """
    return any(threshold.compares for threshold in thresholds)


def against_champion(threshold: Threshold, comparison: Comparison, look: int) -> Finding:
    """Whether the challenger is no worse than the plan allows, or as much better as it asks.

    It passes when the lower bound of its improvement is above the limit, fails when the upper bound is below it, and is
    undecided between the two. What cannot be compared is undecided, never passed. Beside a champion that could not
    be measured at all the thresholds decide, and `decide` holds the challenger back. The same model again is exactly as
    good, which no number of rows could show better: it passes where a drop is allowed and fails where a gain is asked for.
    """
    name, champion = threshold.metric, comparison.metrics.get(threshold.metric)
    if comparison.unavailable is not None or not threshold.compares:
        return passed()
    if comparison.identical:
        return _again(threshold, threshold.versus_champion or _ASKED, comparison.champion)
    improvement = comparison.improvements.get(name)
    if champion is None or improvement is None or improvement.value is None:
        reason = improvement.reason if improvement is not None else "it was not measured"
        return undecided(f"{name}: cannot be compared with the champion @{comparison.champion}: {reason}")
    rule = asked_of(threshold, champion)
    if rule.margin == 0 and threshold.versus_champion is None:
        return Finding(violation=_worse(threshold, improvement, "a drop in relation to a champion at 0 is not defined"))
    return _bounded(threshold, improvement, rule, comparison.champion, error_at(look))


def asked_of(threshold: Threshold, champion: float) -> VersusChampion:
    """What a plan asks of the improvement over a champion with that value of the metric."""
    return threshold.versus_champion or VersusChampion.default(threshold.row, champion)


def _again(threshold: Threshold, rule: VersusChampion, champion: int) -> Finding:
    if rule.rule == "max_drop":
        return passed()
    reason = f"it is the champion @{champion} again, to the byte; {_asked(rule)}"
    return Finding(violation=Violation(threshold, 0.0, reason, rule="champion"))


def _bounded(threshold: Threshold, improvement: Estimate, rule: VersusChampion, champion: int, error: float) -> Finding:
    bounds = improvement.bounds(error)
    if bounds is None or improvement.value is None:
        return undecided(f"{threshold.metric}: the comparison with the champion @{champion} {improvement.unbounded}")
    lower, upper = bounds
    if lower > rule.limit:
        return passed()
    said = f"{improvement.value:+.4g} against the champion @{champion} ({lower:.4g} .. {upper:.4g}), {_asked(rule)}"
    if upper < rule.limit:
        return Finding(violation=_worse(threshold, improvement, said))
    return undecided(f"{threshold.metric}: {said}: {advice(_rows(improvement, rule, error))}")


def _rows(improvement: Estimate, rule: VersusChampion, error: float) -> int | None:
    """Rows that would decide: as if the models were equal where a drop is allowed, else by the gain that was seen."""
    if improvement.value is None or improvement.value <= rule.limit:
        return None
    equal = rule.rule == "max_drop" and rule.margin > 0
    return rows_to_decide(improvement, rule.margin if equal else improvement.value - rule.limit, error)


def _worse(threshold: Threshold, improvement: Estimate, reason: str) -> Violation:
    return Violation(threshold, improvement.value, reason, rule="champion")


def _asked(rule: VersusChampion) -> str:
    return f"allowed {rule.limit:.4g}" if rule.rule == "max_drop" else f"asked for {rule.limit:.4g}"


_ASKED = VersusChampion("max_drop")
"""A comparison, which is what a plan that says nothing asks for."""
