"""How far apart two counts of numbers are: the largest gap between their shares, and the way that the mass moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noa_mlops.records.summary import Histogram

Real = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]

CLIP = 0.001
"""Share of the reference at either end whose distance does not count, so that one outlier hides or makes nothing."""

NORMAL_SPREAD = 1.349
"""Distance between the quartiles of a normal distribution, in standard deviations."""

PICTURE_BINS = 10
"""Bins, of equal mass in the reference, that pictures and the population stability index are made of."""

_SIGN = np.uint64(1 << 63)


def numbers_of_keys(keys: Keys) -> Real:
    """The numbers that have these keys (see `noa_mlops.records.summary`)."""
    return np.where(keys & _SIGN, keys ^ _SIGN, ~keys).view(np.float64)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two histograms over the same bins: the middle of each bin, and the rows of both in it."""

    values: Real
    reference: Whole
    current: Whole

    @property
    def gap(self) -> Real:
        """By how much the share up to each bin is larger in the reference."""
        return _cumulated(self.reference) - _cumulated(self.current)


@dataclass(frozen=True, slots=True)
class Movement:
    """How the current numbers differ from the reference.

    ``distance`` is the largest difference of the shares below any number (Kolmogorov and Smirnov); ``moved`` the mean
    way of the mass (Wasserstein, order 1, within the quantiles `CLIP` and 1 - `CLIP` of the reference) in units of its
    ``spread``; ``shifted`` the same with its sign, so the change of the clipped mean; ``medians`` those of both.
    """

    distance: float
    moved: float
    shifted: float
    spread: float
    medians: tuple[float, float]


def paired(reference: Histogram, current: Histogram) -> Pair:
    """Both in the bins of the coarser one."""
    level = max(reference.level, current.level)
    first, second = _dropped(reference, level), _dropped(current, level)
    bins = np.concatenate((first[0], second[0]))
    bins.sort(kind="stable")
    bins = bins[np.flatnonzero(np.concatenate(([True], bins[1:] != bins[:-1])))]
    counts = []
    for keys, amounts in (first, second):
        total = np.zeros(len(bins), np.int64)
        np.add.at(total, np.searchsorted(bins, keys), amounts)
        counts.append(total)
    return Pair(_middles(bins, level), counts[0], counts[1])


def movement(pair: Pair) -> Movement | None:
    """How far the numbers moved; None when those of the reference have no spread to measure it by."""
    low, high = quantile(pair, CLIP), quantile(pair, 1 - CLIP)
    clipped = np.clip(pair.values, low, high)
    spread = _spread(pair, clipped)
    if spread <= 0 or not np.isfinite(spread):
        return None
    gap = pair.gap
    ways = np.diff(clipped)
    return Movement(
        distance=float(np.abs(gap).max()),
        moved=float((np.abs(gap[:-1]) * ways).sum() / spread),
        shifted=float((gap[:-1] * ways).sum() / spread),
        spread=spread,
        medians=(quantile(pair, 0.5), _quantile(pair.values, pair.current, 0.5)),
    )


def quantile(pair: Pair, share: float) -> float:
    """The smallest number that at least ``share`` of the reference does not exceed."""
    return _quantile(pair.values, pair.reference, share)


def in_tenths(pair: Pair) -> tuple[Whole, Whole, Real]:
    """The rows of both in `PICTURE_BINS` bins of about equal mass in the reference, and the upper ends of the bins.

    Bins that equal numbers would split are one.
    """
    below = _cumulated(pair.reference)
    marks = np.arange(1, PICTURE_BINS) / PICTURE_BINS
    ends = np.unique(np.searchsorted(below, marks - 1e-12))
    starts = np.unique(np.concatenate(([0], ends[ends < len(below) - 1] + 1)))
    uppers = pair.values[np.append(starts[1:] - 1, len(pair.values) - 1)]
    return np.add.reduceat(pair.reference, starts), np.add.reduceat(pair.current, starts), uppers


def _spread(pair: Pair, clipped: Real) -> float:
    quartiles = quantile(pair, 0.75) - quantile(pair, 0.25)
    if quartiles > 0:
        return quartiles / NORMAL_SPREAD
    weights = pair.reference / pair.reference.sum()
    mean = float(weights @ clipped)
    return float(np.sqrt(weights @ (clipped - mean) ** 2))


def _quantile(values: Real, counts: Whole, share: float) -> float:
    below = _cumulated(counts)
    return float(values[min(int(np.searchsorted(below, share - 1e-12)), len(values) - 1)])


def _cumulated(counts: Whole) -> Real:
    total = counts.sum()
    return np.cumsum(counts) / total if total else np.zeros(len(counts))


def _dropped(histogram: Histogram, level: int) -> tuple[Keys, Whole]:
    keys = np.array(histogram.keys, np.uint64) >> np.uint64(level - histogram.level)
    return keys, np.array(histogram.counts, np.int64)


def _middles(bins: Keys, level: int) -> Real:
    lower = bins << np.uint64(level)
    upper = lower | np.uint64((1 << level) - 1)
    largest = np.finfo(np.float64).max
    with np.errstate(invalid="ignore"):
        ends = [
            np.nan_to_num(numbers_of_keys(keys), nan=largest, posinf=largest, neginf=-largest)
            for keys in (lower, upper)
        ]
    return ends[0] / 2 + ends[1] / 2
