"""How sure is sure enough, and how many rows it would take to know."""

from __future__ import annotations

import math

from noa_mlops.records.quantiles import normal_quantile
from noa_mlops.records.verdict import Estimate

LOOKS = 0.10
"""The error that all looks at challengers of one champion share, however many there are."""

POWER = 0.80
"""How likely the rows that are asked for would decide."""

MORE_WOULD_NOT_HELP = "more rows would not help at this estimate"


def error_at(look: int) -> float:
    """The error that the ``look``-th evaluation since the champion was promoted may use on each side.

    0.10/(k(k+1)) adds up to 0.10 over all k, so retries cannot wear the gate down. The first look has 5 %.
    """
    return LOOKS * share_of(look)


def error_of(confidence: float, look: int) -> float:
    """Like `error_at`, for a threshold that asks for a confidence: at the first look exactly what it asks for."""
    return 2 * (1 - confidence) * share_of(look)


def share_of(look: int) -> float:
    """The part 1/(k(k+1)) of all the error that the k-th look may use. Raises `ValueError` before the first."""
    if type(look) is not int or look < 1:
        raise ValueError(f"{look!r} is no look: the first is 1")
    return 1 / (look * (look + 1))


def rows_to_decide(estimate: Estimate, distance: float, error: float) -> int | None:
    """About how many rows would decide something ``distance`` away; None when none would, as it lies beyond.

    Rows times the square of (z of the error + z of the power) standard errors over the distance, two digits, rounded up.
    """
    if estimate.spread is None or distance <= 0:
        return None
    reach = (normal_quantile(error) + normal_quantile(1 - POWER)) * estimate.spread.standard_error()
    rows = estimate.rows * (reach / distance) ** 2
    if not rows < _NEVER:
        return None
    digits: int = 10 ** max(0, math.floor(math.log10(max(rows, 1))) - 1)
    return max(math.ceil(rows / digits) * digits, estimate.rows + 1)


def advice(rows: int | None) -> str:
    """What to do about an inconclusive measurement, as the end of a sentence."""
    return MORE_WOULD_NOT_HELP if rows is None else f"about {rows:,} rows would decide"


_NEVER = 1e12
"""More rows than anybody has."""
