"""The quantiles that a plan asks a model for, and which metrics they allow.

A model that answers quantiles answers each row with one number for each level, in columns ``q_5``, ``q_50``, ``q_95``: the
number under which the label is expected to lie with that many percent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from noa_mlops.records.metrics import METRICS, PINBALL
from noa_mlops.records.reading.fields import Fault, shown

MOST = 99
"""Quantiles that a model may answer."""

MEDIAN = 0.5

LEVELS_SCHEMA = {
    "maxItems": MOST,
    "uniqueItems": True,
    "items": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
}
"""What JSON Schema can say of the levels."""


def level_faults(levels: Any) -> Iterator[Fault]:
    """What is wrong with the levels of a plan: numbers between 0 and 1, each greater than the one before."""
    if not isinstance(levels, tuple | list):
        yield Fault(f"must be a list of numbers between 0 and 1, got {shown(levels)}")
        return
    if len(levels) > MOST:
        yield Fault(f"must be at most {MOST}")
    for index, level in enumerate(levels[:MOST]):
        number = isinstance(level, int | float) and not isinstance(level, bool)
        if not number or not 0 < level < 1:
            hint = f"did you mean {level / 100:g}?" if number and 1 < level < 100 else None
            yield Fault(f"must be a number between 0 and 1, got {shown(level)}", (index,), hint)
            return
    names = columns(levels)
    for index in range(1, len(names)):
        if levels[index] <= levels[index - 1] or names[index] in names[:index]:
            yield Fault(f"must be greater than the one before, got {shown(levels[index])}", (index,))


def columns(levels: Sequence[float]) -> tuple[str, ...]:
    """The column of predictions for each level: ``q_`` and its percent, to six significant digits."""
    return tuple(f"q_{100 * level:.6g}" for level in levels)


def interval(levels: Sequence[float]) -> tuple[int, int] | None:
    """The places of the outermost two levels that lie as far from the median, one on either side; None without such."""
    names = columns(levels)
    for low, level in enumerate(levels):
        (mirrored,) = columns([1 - level])
        if level < MEDIAN and mirrored in names:
            return low, names.index(mirrored)
    return None


def lacking(metric: str, levels: Sequence[float]) -> str | None:
    """What a metric of a regression needs that a model answering ``levels`` does not give; None when nothing."""
    row = METRICS[metric]
    if not levels:
        return "needs quantiles" if row.needs == "quantiles" else None
    if row.needs == "groups":
        return "needs one number for each row, not quantiles"
    names = columns(levels)
    if metric in PINBALL:
        return None if columns([PINBALL[metric]])[0] in names else f"needs the quantile {PINBALL[metric]:g}"
    if metric.startswith("interval_"):
        found = interval(levels) is not None
        return None if found else "needs two quantiles that lie as far from the median, one on either side"
    if metric == "quantile_crossing":
        return None if len(levels) > 1 else "needs two quantiles"
    if row.needs in ("values", "series"):
        return None if "q_50" in names else "needs the quantile 0.5, the median, as the prediction"
    return None
