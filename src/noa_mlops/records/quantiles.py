"""Quantiles of the normal and of Student's distribution, from the standard library alone.

A verdict is computed again where nothing but the core is installed, so no bound may need SciPy.
"""

from __future__ import annotations

import math
from statistics import NormalDist


def normal_quantile(error: float) -> float:
    """The z that a standard normal number exceeds with probability ``error``, above 0 and at most 0.5."""
    if not 0 < error <= 0.5:
        raise ValueError(f"an error of {error!r} is no probability above 0 and up to a half")
    return -NormalDist().inv_cdf(error)


def student_quantile(error: float, freedom: float) -> float:
    """The t that Student's t exceeds with probability ``error``; ``freedom``, in degrees, is at least 1.

    Hill 1970, Algorithm 396, two-tailed at twice the error; five digits or better from two degrees on.
    """
    n, tails = max(1.0, float(freedom)), 2 * error
    normal = normal_quantile(error)
    if n < 1.5:
        return 1 / math.tan(tails * math.pi / 2)
    a = 1 / (n - 0.5)
    b = 48 / a**2
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * math.sqrt(a * math.pi / 2) * n
    x = d * tails
    y: float = x ** (2 / n)
    squared = _near_the_tail(n, y, d) if y <= 0.05 + a else _near_the_middle(n, -normal, a, b, (c, d))
    return math.sqrt(n * squared)


def plain_number(value: float) -> float | int:
    """A number as every reader of JSON writes it again: a whole one without a fraction, so that jq gives the same bytes."""
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _near_the_tail(n: float, y: float, d: float) -> float:
    return ((1 / (((n + 6) / (n * y) - 0.089 * d - 0.822) * (n + 2) * 3) + 0.5 / (n + 4)) * y - 1) * (n + 1) / (
        n + 2
    ) + 1 / y


def _near_the_middle(n: float, x: float, a: float, b: float, rest: tuple[float, float]) -> float:
    c, d = rest
    if n < 5:
        c += 0.3 * (n - 4.5) * (x + 0.6)
    c += (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b
    y = x * x
    y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
    return math.expm1(a * y * y)
