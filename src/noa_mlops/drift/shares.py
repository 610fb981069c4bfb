"""How different two counts by category are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from noa_mlops.drift.numbers import Whole
from noa_mlops.drift.tails import chi_squared_tail, unseen_tail
from noa_mlops.records.summary import Categories, Histogram, category_key

EXPECTED = 5
"""Rows that a cell must let expect in the smaller sample; fewer, and it is counted with the other rare ones."""

LEAST_SHARE = 1e-4
"""Share that an empty bin counts as in the population stability index, which would be infinite."""


@dataclass(frozen=True, slots=True)
class Cells:
    """The rows of both data by category; ``names`` is None when the categories are counted by their digests."""

    names: tuple[str, ...] | None
    reference: Whole
    current: Whole


@dataclass(frozen=True, slots=True)
class Novelty:
    """Categories that one of the data does not have.

    ``new`` is the share of current rows in categories that the reference lacks, ``expected`` what as many rare
    categories as it has let expect (Good 1953), ``gone`` the share of its rows in categories that are not there any
    more; ``names`` the largest new ones.
    """

    new: float
    expected: float
    gone: float
    names: tuple[str, ...]
    chance: float


def cells_of(reference: Categories, current: Categories) -> Cells:
    """Both by the same categories: by name when both can, else by digest."""
    if reference.named is not None and current.named is not None:
        first, second = dict(reference.named), dict(current.named)
        names = tuple(sorted(first.keys() | second.keys()))
        return Cells(names, _counts(first, names), _counts(second, names))
    first_bins, second_bins = _hashed(reference), _hashed(current)
    level = max(first_bins.level, second_bins.level)
    one: dict[str, int] = {}
    two: dict[str, int] = {}
    for bins, counted in ((first_bins, one), (second_bins, two)):
        for key, count in zip(bins.keys, bins.counts, strict=True):
            place = str(key >> (level - bins.level))
            counted[place] = counted.get(place, 0) + count
    places = tuple(sorted(one.keys() | two.keys()))
    return Cells(None, _counts(one, places), _counts(two, places))


def total_variation(cells: Cells) -> float:
    """The share of rows that would have to change their category to make both alike."""
    return float(np.abs(_shares(cells.reference) - _shares(cells.current)).sum() / 2)


def chi_squared(cells: Cells, thinned: tuple[float, float] = (1.0, 1.0)) -> tuple[float, int, float]:
    """Statistic, degrees of freedom and tail of the two-sample test of homogeneity (Pearson).

    Each sample counts for as many rows as it has, divided by ``thinned``. Cells that let expect fewer than `EXPECTED`
    rows in the smaller sample are pooled. The reference is a sample too: it is never taken for the truth.
    """
    counts = np.vstack((cells.reference / thinned[0], cells.current / thinned[1]))
    counts = _pooled(counts[:, counts.sum(axis=0) > 0])
    rows = counts.sum(axis=1, keepdims=True)
    if counts.shape[1] < 2 or not rows.all():
        return 0.0, 0, 1.0
    expected = rows * counts.sum(axis=0) / counts.sum()
    statistic = float(((counts - expected) ** 2 / expected).sum())
    freedom = counts.shape[1] - 1
    return statistic, freedom, chi_squared_tail(statistic, freedom)


def novelty(cells: Cells, thinned: float = 1.0) -> Novelty | None:
    """New and vanished categories; None when they are counted by digest. Every sample is divided by ``thinned``.

    How sure it is that they are new does not rest on what is expected: all rows of both say how often categories are.
    """
    rows, others = int(cells.reference.sum()), int(cells.current.sum())
    if cells.names is None or not rows or not others:
        return None
    fresh = cells.reference == 0
    new = int(cells.current[fresh].sum())
    by_size = sorted(np.flatnonzero(fresh).tolist(), key=lambda place: (-int(cells.current[place]), place))
    return Novelty(
        new=new / others,
        expected=int((cells.reference == 1).sum()) / rows,
        gone=float(cells.reference[cells.current == 0].sum() / rows),
        names=tuple(cells.names[place] for place in by_size[:5]),
        chance=unseen_tail((cells.reference + cells.current) / thinned, fresh, rows / thinned),
    )


def stability_index(reference: Whole, current: Whole) -> float:
    """The population stability index, with `LEAST_SHARE` for empty bins: finite, and for information only."""
    first, second = (np.maximum(_shares(counts), LEAST_SHARE) for counts in (reference, current))
    return float(((second - first) * np.log(second / first)).sum())


def jensen_shannon(reference: Whole, current: Whole) -> float:
    """The Jensen-Shannon distance, base 2: from 0 to 1, for information only."""
    first, second = _shares(reference), _shares(current)
    middle = (first + second) / 2
    divergence = 0.0
    for shares in (first, second):
        some = shares > 0
        divergence += float((shares[some] * np.log2(shares[some] / middle[some])).sum()) / 2
    return math.sqrt(max(0.0, divergence))


def _pooled(
    counts: np.ndarray[tuple[int, int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    total = counts.sum()
    if not total:
        return counts
    smaller = counts.sum(axis=1).min()
    expected = counts.sum(axis=0) * smaller / total
    rare = expected < EXPECTED
    if not rare.any():
        return counts
    order = np.argsort(expected, kind="stable")
    pooled = int(rare.sum())
    while pooled < len(order) and expected[order[:pooled]].sum() < EXPECTED:
        pooled += 1
    rest = counts[:, order[:pooled]].sum(axis=1, keepdims=True)
    return np.hstack((counts[:, order[pooled:]], rest))


def _hashed(categories: Categories) -> Histogram:
    if categories.hashed is not None:
        return categories.hashed
    keyed = sorted((category_key(name), count) for name, count in categories.named or ())
    return Histogram(0, tuple(key for key, _ in keyed), tuple(count for _, count in keyed))


def _counts(counted: dict[str, int], names: tuple[str, ...]) -> Whole:
    return np.array([counted.get(name, 0) for name in names], np.int64)


def _shares(counts: Whole) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    total = counts.sum()
    return counts / total if total else np.zeros(len(counts))
