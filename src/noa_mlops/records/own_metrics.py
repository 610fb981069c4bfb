"""Metrics that a plan's own evaluator gives: ``own.`` and a name. Nothing is known of them but what the plan says.

Which way is better follows from the side that a threshold bounds, and is never guessed from a name.
"""

from __future__ import annotations

import math
import re

from noa_mlops.records.metrics import METRICS, Direction, Metric

PREFIX = "own."
"""What the name of such a metric begins with, wherever it stands beside ours."""

PATTERN = r"[a-z0-9][a-z0-9_-]{0,47}"
"""The name as the evaluator gives it."""

EVALUATOR = r"[A-Za-z_][A-Za-z0-9_]{0,63}:[A-Za-z_][A-Za-z0-9_]{0,63}"
"""An evaluator, ``module:function``."""

NUMBERS, PER_ROW = "metrics.json", "per_row.parquet"
"""What an evaluator leaves: numbers by name, and where there are metrics that are the mean of one number per row, a column
for each by its name."""

MOST = 50
"""Metrics that an evaluator may give: they stand in one line of the ledger."""

_NAME, _EVALUATOR = re.compile(PATTERN), re.compile(EVALUATOR)


def own_name(metric: str) -> str | None:
    """The evaluator's name of a metric; None for a metric that is not its own."""
    return metric.removeprefix(PREFIX) if metric.startswith(PREFIX) else None


def own_name_problem(name: str) -> str | None:
    """Why an evaluator cannot give a metric of that name, or None when it can."""
    if not _NAME.fullmatch(name):
        return "must be 1 to 48 of a-z, 0-9, '_', '-', starting with a letter or digit"
    return "is the name of a metric that is measured anyway" if name in METRICS else None


def evaluator_problem(text: str) -> str | None:
    """Why ``text`` cannot name an evaluator, or None when it can."""
    return None if _EVALUATOR.fullmatch(text) else "must be MODULE:FUNCTION, such as 'my_metrics:evaluate'"


def own_metric(metric: str, *, minimum: float | None, maximum: float | None) -> Metric:
    """What the bounds of a plan say of a metric: more is better where only a minimum stands, less where only a maximum."""
    direction: Direction = "higher" if maximum is None else "lower" if minimum is None else "nearest"
    whole = (-math.inf, math.inf)
    return Metric(metric, None, direction, whole, "evaluator", "given by the plan's own evaluator", "the plan")
