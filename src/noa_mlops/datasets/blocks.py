"""How much rows depend on each other, from counts by block: no second look at the rows.

A block is a group, or a stretch of time. Each column is counted by block and by coarse bins of its values. If rows were
independent, the means of blocks would differ by chance alone; by how much more they differ is the dependence: what the
number of rows must be divided by before a test may believe it (Kish's design effect, with the variance of a ratio over
blocks of unequal size: Cochran, Sampling Techniques, section 6.5).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from noa_mlops.datasets.bins import Keys, coarser, lowest_level

MAX_BLOCKS = 512
"""Blocks that are told apart; of more groups, several make a block, which is as good."""

VALUE_BINS = 64
"""Coarse bins of values within a block."""

ENOUGH_BLOCKS = 30
"""Blocks below which dependence cannot be measured."""

BLOCK_ROWS = 100
"""Rows that a stretch of time has at least; longer ones see dependence that reaches further."""

MOST_STRETCHES = 64
"""Stretches of time that are made of many rows."""

Cells = npt.NDArray[np.int64]
"""Counts by block (first axis) and bin (second axis)."""


class Grid:
    """Counts of rows by block and bin, both in bins as coarse as it takes; mergeable as `Bins` are."""

    def __init__(self) -> None:
        self.levels = [0, 0]
        self.axes: list[Keys] = [np.empty(0, np.uint64), np.empty(0, np.uint64)]
        self.cells: Cells = np.zeros((0, 0), np.int64)

    def add(self, blocks: Keys, values: Keys) -> None:
        """Count rows by the key of their block and the key of their value."""
        if len(blocks):
            block_bins, block = np.unique(blocks >> np.uint64(self.levels[0]), return_inverse=True)
            value_bins, value = np.unique(values >> np.uint64(self.levels[1]), return_inverse=True)
            if len(value_bins) > VALUE_BINS:
                more = lowest_level(value_bins, VALUE_BINS)
                self._raise(1, more)
                value_bins, again = np.unique(value_bins >> np.uint64(more), return_inverse=True)
                value = again[value]
            code = block * len(value_bins) + value
            cells = np.bincount(code, minlength=len(block_bins) * len(value_bins))
            self._add([block_bins, value_bins], cells.reshape(len(block_bins), len(value_bins)))

    def merge(self, other: Grid) -> None:
        """Add everything that ``other`` counted."""
        axes, cells = list(other.axes), other.cells
        for axis in (0, 1):
            level = max(self.levels[axis], other.levels[axis])
            self._raise(axis, level - self.levels[axis])
            axes[axis], cells = _coarser(axes[axis], cells, axis, level - other.levels[axis])
        self._add(axes, cells)

    def _add(self, axes: list[Keys], cells: Cells) -> None:
        united = [np.union1d(mine, theirs) for mine, theirs in zip(self.axes, axes, strict=True)]
        total = np.zeros((len(united[0]), len(united[1])), np.int64)
        for part, counts in ((self.axes, self.cells), (axes, cells)):
            where = np.ix_(*(np.searchsorted(whole, some) for whole, some in zip(united, part, strict=True)))
            total[where] += counts
        self.axes, self.cells = united, total
        self._raise(0, lowest_level(self.axes[0], MAX_BLOCKS))
        self._raise(1, lowest_level(self.axes[1], VALUE_BINS))

    def _raise(self, axis: int, levels: int) -> None:
        self.axes[axis], self.cells = _coarser(self.axes[axis], self.cells, axis, levels)
        self.levels[axis] += levels


def stretches(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Where each stretch of time begins, for the rows of the finest stretches in order.

    Neighbours are joined until each has `BLOCK_ROWS`, or its share of `MOST_STRETCHES` when that is more.
    """
    enough = max(BLOCK_ROWS, int(rows.sum()) // MOST_STRETCHES)
    starts, gathered = [], 0
    for place, count in enumerate(rows.tolist()):
        if gathered == 0:
            starts.append(place)
        gathered += count
        if gathered >= enough:
            gathered = 0
    if gathered and len(starts) > 1:
        starts.pop()
    return np.array(starts, np.int64)


def dependence(cells: Cells) -> float:
    """By how much the blocks' mean ranks differ more than those of independent rows would; at least 1."""
    cells = cells[cells.sum(axis=1) > 0]
    by_value, by_block = cells.sum(axis=0), cells.sum(axis=1)
    rows, blocks = int(by_value.sum()), len(cells)
    if blocks < 2:
        return 1.0
    ranks = (np.cumsum(by_value) - by_value / 2) / rows - 0.5
    spread = float(by_value @ (ranks * ranks)) / rows
    if spread <= 0.0:
        return 1.0
    mean = float(by_value @ ranks) / rows
    beyond = cells @ ranks - by_block * mean
    variance = blocks / (blocks - 1) * float(beyond @ beyond) / rows**2
    return max(1.0, variance * rows / spread)


def dependence_of_categories(cells: Cells) -> float:
    """The mean dependence over categories, each weighed by what is left of it (Rao and Scott 1984, first order)."""
    shares = cells.sum(axis=0) / max(1, int(cells.sum()))
    if len(shares) < 2:
        return 1.0
    weights = 1 - shares
    each = [dependence(_against_rest(cells, place)) for place in range(len(shares))]
    return max(1.0, float(np.dot(weights, each) / weights.sum()))


def _against_rest(cells: Cells, place: int) -> Cells:
    one = cells[:, place]
    return np.column_stack((one, cells.sum(axis=1) - one))


def _coarser(axis_keys: Keys, cells: Cells, axis: int, levels: int) -> tuple[Keys, Cells]:
    if levels == 0 or not len(axis_keys):
        return axis_keys, cells
    places = np.arange(len(axis_keys), dtype=np.int64)
    dropped, _ = coarser(axis_keys, places, levels)
    first = np.searchsorted(axis_keys >> np.uint64(levels), dropped)
    summed: Any = np.add.reduceat(cells, first, axis=axis)
    return dropped, summed
