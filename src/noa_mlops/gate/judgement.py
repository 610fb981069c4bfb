"""The verdict: every threshold of a plan against the metric it names, and against the champion in that metric."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from noa_mlops.gate.certainty import advice, error_of, rows_to_decide
from noa_mlops.gate.championship import against_champion
from noa_mlops.gate.decline import above_proven
from noa_mlops.gate.fairness import between_groups
from noa_mlops.gate.finding import Finding, passed, undecided
from noa_mlops.gate.slices import in_slices
from noa_mlops.records.comparison import Comparison
from noa_mlops.records.proven import NOTHING_PROVEN, Proven
from noa_mlops.records.slices import WHOLE, Slicing
from noa_mlops.records.verdict import Estimate, Outcome, Verdict, Violation

if TYPE_CHECKING:
    from noa_mlops.records.plan import Threshold

NO_GATE = "no gate declared"
"""The reason of a verdict over no thresholds."""


def judge(
    thresholds: Iterable[Threshold],
    metrics: Mapping[str, Estimate | float | None],
    comparison: Comparison | None = None,
    *,
    look: int = 1,
    slicing: Slicing = WHOLE,
    proven: Proven = NOTHING_PROVEN,
) -> Verdict:
    """Hold the metrics of a challenger against its plan and against the champion, and name every one that is not met.

    A metric exactly at its threshold meets it; there is no tolerance. One that is absent, not a number, not finite, outside of what
    its formula can give, or measured over no rows violates its threshold: silence is not success. Without
    thresholds there is nothing to pass, so the verdict is inconclusive. Any failure fails; else anything that cannot be
    known leaves the verdict inconclusive. ``comparison`` is None when there is no champion; ``look`` is the number of
    this evaluation since that champion was promoted; ``slicing`` has the slices that thresholds ask for; ``proven`` are the
    gains that hold for the lifecycle.
    """
    declared = tuple(thresholds)
    if not declared:
        return Verdict("inconclusive", reasons=(NO_GATE,))
    findings = [held_against(threshold, metrics.get(threshold.metric), look) for threshold in declared]
    measured = [t for t, found in zip(declared, tuple(findings), strict=True) if _was_measured(found)]
    for threshold in measured:
        findings += in_slices(threshold, slicing.by, look)
        findings += between_groups(threshold, slicing, look)
    if comparison is not None:
        findings += [against_champion(threshold, comparison, look) for threshold in measured]
    if comparison is None or not comparison.identical:
        findings += [above_proven(t, _as_estimate(metrics[t.metric]), proven, look) for t in measured]
    return _verdict(findings)


def _verdict(findings: Iterable[Finding]) -> Verdict:
    """Any failure fails; else anything that could not be decided leaves it undecided; what the plan tolerates is noted."""
    found = tuple(findings)
    violations = tuple(one.violation for one in found if one.violation is not None)
    unsure = tuple(one.unsure for one in found if one.unsure is not None)
    noted = tuple(dict.fromkeys(one.noted for one in found if one.noted is not None))
    outcome: Outcome = "fail" if violations else "inconclusive" if unsure else "pass"
    return Verdict(outcome, violations, unsure, notes=noted)


def held_against(threshold: Threshold, measured: Estimate | float | None, look: int) -> Finding:
    """Whether ``measured`` meets ``threshold``: its bounds when the plan asks for a confidence, else its value."""
    found = violation(threshold, measured)
    if threshold.confidence is None or (found is not None and found.value is None):
        return Finding(violation=found)
    if not isinstance(measured, Estimate) or (bounds := measured.bounds(error_of(threshold.confidence, look))) is None:
        reason = measured.unbounded if isinstance(measured, Estimate) else "has no spread"
        return undecided(f"{threshold}: {reason}")
    return _bounded(threshold, measured, bounds, look)


def violation(threshold: Threshold, measured: Estimate | float | None) -> Violation | None:
    """Why the value of ``measured`` does not meet ``threshold``, or None when it does."""
    value, problem = _number(measured)
    if value is None:
        return Violation(threshold, None, problem)
    row = threshold.row
    if not row.possible(value):
        least, greatest = row.range
        return Violation(threshold, value, f"{value!r} is outside of {least:g} to {greatest:g}")
    return None if threshold.clears(value) else Violation(threshold, value, _missed(threshold, value))


def _bounded(threshold: Threshold, measured: Estimate, bounds: tuple[float, float], look: int) -> Finding:
    """Pass when the bound on its side clears each limit, fail when the opposite bound misses one."""
    value, (lower, upper) = measured.value or 0.0, bounds
    if threshold.surely_clears(bounds):
        return passed()
    said = f"{value:.4g} ({lower:.4g} .. {upper:.4g})"
    if threshold.surely_misses(bounds):
        return Finding(violation=Violation(threshold, value, f"{said} is beyond it"))
    rows = rows_to_decide(measured, threshold.room(value), error_of(threshold.confidence or 0.5, look))
    return undecided(f"{threshold}: {said}: {advice(rows)}")


def _as_estimate(measured: Estimate | float | None) -> Estimate:
    """What was measured; of a bare number nothing is known but that."""
    return measured if isinstance(measured, Estimate) else Estimate.of(measured or 0.0, 0)


def _was_measured(found: Finding) -> bool:
    return found.violation is None or found.violation.value is not None


def _missed(threshold: Threshold, value: float) -> str:
    """Which side of the threshold ``value`` is beyond."""
    least = threshold.minimum
    if least is not None and value < least:
        return f"{value!r} is under {least!r}"
    return f"{value!r} is over {threshold.maximum!r}"


def _number(measured: object) -> tuple[float | None, str]:
    """A finite float, or None and what ``measured`` is instead. True is not 1, and text is not a number."""
    if isinstance(measured, Estimate):
        return _estimated(measured)
    if measured is None:
        return None, "was not measured"
    if isinstance(measured, bool) or not isinstance(measured, int | float):
        return None, f"is not a number but {type(measured).__name__}"
    if isinstance(measured, int) and abs(measured) > _LARGEST:
        return None, "is too large for a number"
    if not math.isfinite(measured):
        return None, f"is {measured!r}, not a finite number"
    return float(measured), ""


def _estimated(estimate: Estimate) -> tuple[float | None, str]:
    if estimate.value is None:
        return None, f"was not measured: {estimate.reason}"
    if estimate.rows < 1:
        return None, "was measured over no rows"
    return _number(estimate.value)


_LARGEST = 2**1023
