"""The verdict: every threshold of a plan against the metric it names."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from noa_mlops.records.metrics import METRICS
from noa_mlops.records.verdict import Estimate, Verdict, Violation

if TYPE_CHECKING:
    from noa_mlops.records.plan import Threshold

NO_GATE = "no gate declared"
"""The reason of a verdict over no thresholds."""


def judge(thresholds: Iterable[Threshold], metrics: Mapping[str, Estimate | float | None]) -> Verdict:
    """Hold the metrics of a challenger against the thresholds of its plan, and name every one that is not met.

    A metric exactly at its threshold meets it; there is no tolerance. One that is absent, not a number, not finite, outside of what
    its formula can give, or measured over no rows violates its threshold: silence is not success. Without
    thresholds there is nothing to pass, so the verdict is inconclusive.
    """
    declared = tuple(thresholds)
    if not declared:
        return Verdict("inconclusive", reasons=(NO_GATE,))
    found = tuple(v for t in declared if (v := violation(t, metrics.get(t.metric))) is not None)
    return Verdict("fail" if found else "pass", found)


def violation(threshold: Threshold, measured: Estimate | float | None) -> Violation | None:
    """Why ``measured`` does not meet ``threshold``, or None when it does."""
    value, problem = _number(measured)
    if value is None:
        return Violation(threshold, None, problem)
    row = METRICS[threshold.metric]
    if not row.possible(value):
        least, greatest = row.range
        return Violation(threshold, value, f"{value!r} is outside of {least:g} to {greatest:g}")
    return None if threshold.clears(value) else Violation(threshold, value, _missed(threshold, value))


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
