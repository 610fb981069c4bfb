"""How likely chance alone is to show as much: tails of the distributions that the tests need, without SciPy.

All are two-sided where a side makes sense, and err on the side of chance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

EXACT_CELLS = 10_000
"""Product of sample sizes up to which the Kolmogorov-Smirnov tail is counted exactly."""

_EXACT_ROWS = 5_000
_ENOUGH = 1e-17
_ROUNDING = 1e-9

Real = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def ks_tail(distance: float, first: float, second: float) -> float:
    """The chance that two samples of one distribution differ by ``distance`` somewhere (Kolmogorov, Smirnov).

    Small whole samples are counted exactly; else one sample of the joint size ``n m / (n + m)`` stands for both, with
    the formula of Birnbaum and Tingey (1951) where it decides and the limit of Kolmogorov, corrected as in Vrbik
    (2018), elsewhere. ``first`` and ``second`` are numbers of rows, not whole when rows depend on each other.
    """
    if distance <= 0 or first < 1 or second < 1:
        return 1.0
    if first * second <= EXACT_CELLS and float(first).is_integer() and float(second).is_integer():
        return _paths_outside(distance, int(first), int(second))
    joint = first * second / (first + second)
    if joint <= _EXACT_ROWS:
        one_sided = _smirnov_tail(distance, max(1, round(joint)))
        if one_sided < 0.05:
            return min(1.0, 2 * one_sided)
    root = math.sqrt(joint)
    scaled = distance * root
    return _kolmogorov_tail(scaled + 1 / (6 * root) + (scaled - 1) / (4 * joint))


def chi_squared_tail(statistic: float, freedom: int) -> float:
    """The chance that a chi-squared variable of ``freedom`` degrees exceeds ``statistic``."""
    if freedom < 1 or statistic <= 0:
        return 1.0
    return _upper_gamma(freedom / 2, statistic / 2)


def normal_tail(deviations: float) -> float:
    """The chance that a standard normal variable exceeds ``deviations``."""
    return 0.5 * math.erfc(deviations / math.sqrt(2))


def normal_quantile(tail: float) -> float:
    """The deviations that a standard normal variable exceeds with the chance ``tail``, to 1e-9."""
    low, high = -40.0, 40.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if normal_tail(middle) > tail else (low, middle)
    return (low + high) / 2


def proportion_tail(hits: tuple[float, float], rows: tuple[float, float]) -> float:
    """The chance that one share in both samples shows as different ones (Fisher's exact test, twice the smaller tail)."""
    whole_rows = [max(1, round(count)) for count in rows]
    whole_hits = [min(count, round(hit)) for hit, count in zip(hits, whole_rows, strict=True)]
    total, marked, drawn = sum(whole_rows), sum(whole_hits), whole_rows[1]
    up = _drawn_at_least(whole_hits[1], drawn, marked, total)
    down = _drawn_at_least(whole_hits[0], whole_rows[0], marked, total)
    return min(1.0, 2 * min(up, down))


def unseen_tail(counts: Real, unseen: Flags, first: float) -> float:
    """The chance that categories without a row in the first sample hold as many rows as those that are ``unseen`` in it.

    ``counts`` are the rows of both samples by category, ``first`` those of the first sample. Where nothing changed, any of
    all rows may be in the first one, so how often a category has none of it there follows from its count (hypergeometric).
    Such events are negatively associated (Joag-Dev and Proschan 1983), so the bound of Chernoff (1952) holds for their sum.
    """
    total, found = float(counts.sum()), float(counts[unseen].sum())
    counts = counts[(counts > 0) & (counts <= total - first + _ROUNDING)]
    if not found or first < 1:
        return 1.0
    ways = np.array([_log_missed(count, first, total) for count in counts.tolist()])
    if found <= float(counts @ np.exp(ways)):
        return 1.0
    others = np.log(-np.expm1(np.minimum(ways, -_ENOUGH)))
    if found >= float(counts.sum()) - _ROUNDING:
        return math.exp(float(ways.sum()))

    def mean(tilt: float) -> float:
        return float(counts @ np.exp(ways + tilt * counts - np.logaddexp(others, ways + tilt * counts)))

    low, high = 0.0, 1 / float(counts.max())
    while mean(high) < found:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if mean(middle) < found else (low, middle)
    return min(1.0, math.exp(float(np.logaddexp(others, ways + low * counts).sum()) - low * found))


def false_discovery(chances: Sequence[float]) -> list[float]:
    """The q of each p: the share of false ones among all findings at least as sure (Benjamini and Hochberg 1995)."""
    order = sorted(range(len(chances)), key=lambda place: chances[place], reverse=True)
    found, lowest = [1.0] * len(chances), 1.0
    for rank, place in zip(range(len(chances), 0, -1), order, strict=True):
        lowest = min(lowest, chances[place] * len(chances) / rank)
        found[place] = lowest
    return found


def _drawn_at_least(least: int, drawn: int, marked: int, total: int) -> float:
    """The chance of at least ``least`` marked ones among ``drawn`` of ``total`` that have ``marked`` (hypergeometric)."""
    lowest, highest = max(0, drawn + marked - total), min(drawn, marked)
    if least <= lowest:
        return 1.0
    term = math.exp(_log_choose(marked, least) + _log_choose(total - marked, drawn - least) - _log_choose(total, drawn))
    tail = term
    for hits in range(least, highest):
        term *= (marked - hits) * (drawn - hits) / ((hits + 1) * (total - marked - drawn + hits + 1))
        tail += term
        if term < _ENOUGH * tail:
            break
    return min(1.0, tail)


def _log_missed(count: float, first: float, total: float) -> float:
    """Logarithm of the chance that none of ``count`` rows is among the ``first`` that are drawn of ``total``."""
    rest = max(0.0, total - first - count)
    return (
        math.lgamma(total - count + 1) - math.lgamma(rest + 1) - math.lgamma(total + 1) + math.lgamma(total - first + 1)
    )


def _log_choose(count: int, some: int) -> float:
    return math.lgamma(count + 1) - math.lgamma(some + 1) - math.lgamma(count - some + 1)


def _paths_outside(distance: float, first: int, second: int) -> float:
    """One less the share of lattice paths that stay nearer than ``distance`` (Hodges 1958)."""
    places = np.arange(second + 1) / second
    near = distance - 1e-10
    ways = np.where(places < near, 1.0, 0.0)
    for step in range(1, first + 1):
        inside = np.abs(step / first - places) < near
        ways = np.cumsum(np.where(inside, ways, 0.0)) * inside * (step / (step + second))
    # The factors scale the count by first! second! / (first + second)! on the way, so that it cannot overflow.
    return min(1.0, max(0.0, 1.0 - float(ways[-1])))


def _smirnov_tail(distance: float, rows: int) -> float:
    """The chance that one sample exceeds its distribution by ``distance`` (Birnbaum and Tingey 1951, exact)."""
    if distance >= 1:
        return 0.0
    steps = np.arange(math.floor(rows * (1 - distance)) + 1)
    logs = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, rows + 1)))))
    choose = logs[rows] - logs[steps] - logs[rows - steps]
    below, above = distance + steps / rows, 1 - distance - steps / rows
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = np.where(rows == steps, 0.0, (rows - steps) * np.log(np.maximum(above, 0)))
    return min(1.0, float(distance * np.exp(choose + (steps - 1) * np.log(below) + rest).sum()))


def _kolmogorov_tail(scaled: float) -> float:
    if scaled < 0.3:
        return 1.0
    terms = (2 * (-1) ** (place - 1) * math.exp(-2 * (place * scaled) ** 2) for place in range(1, 101))
    return min(1.0, max(0.0, math.fsum(terms)))


def _upper_gamma(shape: float, limit: float) -> float:
    """The regularised upper incomplete gamma function (DLMF 8.11.4 below the mean, the fraction 8.9.2 above it)."""
    front = math.exp(shape * math.log(limit) - limit - math.lgamma(shape))
    if limit < shape + 1:
        term = total = 1 / shape
        step = shape
        while term > total * 1e-16:
            step += 1
            term *= limit / step
            total += term
        return min(1.0, max(0.0, 1 - front * total))
    return min(1.0, front * _gamma_fraction(shape, limit))


def _gamma_fraction(shape: float, limit: float) -> float:
    """The continued fraction of DLMF 8.9.2 by the method of Lentz."""
    tiny = 1e-300
    base = limit + 1 - shape
    upper, lower = 1 / tiny, 1 / base
    value = lower
    for place in range(1, 10_000):
        factor = -place * (place - shape)
        base += 2
        lower = 1 / _away_from_zero(factor * lower + base, tiny)
        upper = _away_from_zero(base + factor / upper, tiny)
        value *= lower * upper
        if abs(lower * upper - 1) < 1e-15:
            break
    return value


def _away_from_zero(value: float, tiny: float) -> float:
    return tiny if abs(value) < tiny else value
