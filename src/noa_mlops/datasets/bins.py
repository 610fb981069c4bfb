"""Counting keys of 64 bits in bins that the keys choose: exact, mergeable, the same in every order, bounded.

The level of a count is the number of low bits that its keys lack. It is always the smallest at which no more than a
given number of bins are occupied. More keys can only occupy more bins, so no part needs a higher level than the whole,
and raising a level loses nothing that the whole could keep: any order of adding and merging ends in the same bins.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from noa_mlops.records.summary import Histogram

Keys = npt.NDArray[np.uint64]
"""Keys, or bins: keys without their low bits."""

Counts = npt.NDArray[np.int64]
"""How many fell into each bin."""

_SIGN = np.uint64(1 << 63)
_DENSE = 1 << 21
"""Bins between the smallest and the largest key up to which counting needs no sorting."""


def keys_of_numbers(values: npt.NDArray[np.float64]) -> Keys:
    """Keys in the order of ``values``, which are not NaN (the total order of IEEE 754-2019, section 5.10)."""
    bits = np.ascontiguousarray(values).view(np.uint64)
    # All ones for a negative number, whose order is turned round; the sign alone for the others.
    turned = (bits.view(np.int64) >> 63).view(np.uint64)
    turned |= _SIGN
    turned ^= bits
    return turned


class Bins:
    """Counts of keys in at most ``limit`` bins."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.level = 0
        self.keys: Keys = np.empty(0, np.uint64)
        self.counts: Counts = np.empty(0, np.int64)

    def add(self, keys: Keys) -> None:
        """Count ``keys``, each once."""
        if not len(keys):
            return
        if self.level == 0:
            # What a part of the keys needs, all of them need: a glance saves sorting them all.
            self._raise_to(lowest_level(np.unique(keys[: 4 * self.limit]), self.limit))
        self.add_counted(*_counted(keys >> np.uint64(self.level)))

    def add_counted(self, bins: Keys, counts: Counts) -> None:
        """Add ``counts`` of ``bins``, which ascend and stand at the level of this count."""
        together = np.concatenate((self.keys, bins))
        self.keys, where = np.unique(together, return_inverse=True)
        self.counts = _summed(where, np.concatenate((self.counts, counts)), len(self.keys))
        self._raise_to(lowest_level(self.keys, self.limit) + self.level)

    def merge(self, other: Bins) -> None:
        """Add everything that ``other`` counted."""
        level = max(self.level, other.level)
        self._raise_to(level)
        self.add_counted(*coarser(other.keys, other.counts, level - other.level))

    def histogram(self) -> Histogram:
        """What was counted."""
        return Histogram(self.level, tuple(self.keys.tolist()), tuple(self.counts.tolist()))

    def _raise_to(self, level: int) -> None:
        self.keys, self.counts = coarser(self.keys, self.counts, level - self.level)
        self.level = level


def lowest_level(ascending: Keys, limit: int) -> int:
    """The fewest low bits to drop so that no more than ``limit`` of the keys are distinct."""
    low, high = 0, 64
    while low < high:
        middle = (low + high) // 2
        if occupied(ascending, middle) <= limit:
            high = middle
        else:
            low = middle + 1
    return low


def occupied(ascending: Keys, level: int) -> int:
    """How many bins the keys occupy at a level."""
    if level == 64 or not len(ascending):
        return min(1, len(ascending))
    dropped = ascending >> np.uint64(level)
    return 1 + int(np.count_nonzero(dropped[1:] != dropped[:-1]))


def coarser(bins: Keys, counts: Counts, levels: int) -> tuple[Keys, Counts]:
    """The same counts with ``levels`` low bits fewer."""
    if levels == 0 or not len(bins):
        return bins, counts
    dropped = bins >> np.uint64(levels)
    first = np.flatnonzero(np.concatenate(([True], dropped[1:] != dropped[:-1])))
    return dropped[first], np.add.reduceat(counts, first)


def _counted(bins: Keys) -> tuple[Keys, Counts]:
    """Distinct bins in ascending order, and how often each occurs."""
    low, high = bins.min(), bins.max()
    if int(high - low) < _DENSE:
        found = np.bincount((bins - low).view(np.int64))
        where = np.flatnonzero(found)
        return where.astype(np.uint64) + low, found[where].astype(np.int64)
    distinct, counts = np.unique(bins, return_counts=True)
    return distinct, counts.astype(np.int64)


def _summed(where: npt.NDArray[Any], counts: Counts, size: int) -> Counts:
    total = np.zeros(size, np.int64)
    np.add.at(total, where, counts)
    return total
