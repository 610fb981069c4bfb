"""What each row adds to a metric: the one form from which every interval is made.

The influence of a row on a metric is the derivative of the metric by the weight of that row (the infinitesimal jackknife,
Jaeckel 1972, Efron 1982). It adds up to zero over the rows, and the variance of the metric is the sum of the squares over
the squared number of rows. The influence of a difference between two models is the difference of their influences,
row by row, so what they have in common drops out; that of a group is the sum over its rows. For the area under the
ROC curve the influences are the structural components of DeLong, DeLong and Clarke-Pearson 1988.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noa_mlops.evaluation.predictions import Floats
from noa_mlops.records.spread import Moments


@dataclass(frozen=True, slots=True)
class Influence:
    """How much each row adds to a metric, in the metric's unit.

    ``units`` counts the rows that the metric cannot do without: all of them, or those of the rarer class; ``reach`` is
    how far the metric could move if one of those units were another, at most.
    """

    values: Floats
    units: int
    reach: float

    def __sub__(self, other: Influence) -> Influence:
        """The influence on this metric minus another one over the same rows."""
        return Influence(self.values - other.values, min(self.units, other.units), max(self.reach, other.reach))

    def turned(self, sign: int) -> Influence:
        """The influence on ``sign`` times the metric."""
        return self if sign > 0 else Influence(-self.values, self.units, self.reach)


def of_mean(each: Floats, reach: float | None = None) -> Influence:
    """The influence on the mean of ``each``; ``reach`` is the range of one value, else the greatest that was seen."""
    rows = each.size
    centred = (each - each.mean()) * np.sqrt(rows / max(1, rows - 1))
    most = float(np.abs(each).max()) if reach is None else reach
    return Influence(centred, rows, most / rows)


def moments(influence: Influence, groups: npt.NDArray[np.int64] | None = None) -> Moments:
    """The spread of the metric; ``groups`` numbers the group of each row, 0 to the last, when rows are not independent."""
    values, rows, units, floor = influence.values, influence.values.size, influence.units, influence.reach
    if groups is not None:
        largest = int(np.bincount(groups).max(initial=1))
        sums = np.asarray(np.bincount(groups, weights=values), dtype=np.float64)
        units, floor = min(units, sums.size), floor * largest
        values = sums * np.sqrt(sums.size / max(1, sums.size - 1))
    scale = float(np.abs(values).max(initial=0.0))
    if scale <= _ROUNDING * max(1.0, abs(influence.reach) * rows):
        return Moments(0.0, 0.0, 0.0, units, floor)
    return _moments(values / scale, scale / rows, units, floor)


def _moments(values: Floats, scale: float, units: int, floor: float) -> Moments:
    """Moments of values that lie in -1 to 1; ``scale`` is what one of them stands for."""
    squares = values * values
    second, third, fourth = float(squares.sum()), float((squares * values).sum()), float((squares * squares).sum())
    variation = fourth - second * second / values.size
    freedom = 2 * second * second / variation if variation > 0 else np.inf
    return Moments(
        error=scale * float(np.sqrt(second)),
        skew=third / second**1.5,
        freedom=float(min(freedom, max(units - 1, 0))),
        units=units,
        floor=floor,
    )


_ROUNDING = 1e-14
"""Influences smaller than this, relative to what a row can do, are rounding."""
