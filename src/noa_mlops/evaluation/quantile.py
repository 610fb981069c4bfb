"""Metrics of predicted quantiles: is each where it should be, and does the interval hold what it promises?

The interval is that of the outermost two levels that lie as far from the median; its nominal coverage is the distance
between them. The median stands for the prediction wherever a metric speaks of one number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from noa_mlops.errors import EvaluationFailed
from noa_mlops.evaluation.classes import listed
from noa_mlops.evaluation.influence import Influence, of_mean
from noa_mlops.evaluation.predictions import Floats, numbers
from noa_mlops.evaluation.regression import Numbers
from noa_mlops.records.levels import columns, interval
from noa_mlops.records.metrics import PINBALL


@dataclass(frozen=True, slots=True)
class Quantiles:
    """True numbers, and for each a predicted number at every level, in the order of ``levels``; at least one row.

    ``scales`` as in `Numbers`.
    """

    truth: Floats
    predicted: Floats
    levels: tuple[float, ...]
    scales: Floats | None = None

    @property
    def rows(self) -> int:
        """How many rows were measured."""
        return self.truth.size

    @property
    def median(self) -> Numbers:
        """The median as the prediction; it is among the levels."""
        return self.at("q_50")

    def at(self, column: str) -> Numbers:
        """One quantile as if it were the prediction."""
        return Numbers(self.truth, self.predicted[:, columns(self.levels).index(column)], scales=self.scales)

    @property
    def ends(self) -> tuple[Floats, Floats]:
        """The lower and the upper end of each row's interval; the levels have one."""
        low, high = self._places
        return self.predicted[:, low], self.predicted[:, high]

    @property
    def nominal(self) -> float:
        """The share of labels that the interval should hold."""
        low, high = self._places
        return self.levels[high] - self.levels[low]

    @property
    def covered(self) -> npt.NDArray[np.bool_]:
        """Which labels lie in their interval, ends included."""
        low, high = self.ends
        return (low <= self.truth) & (self.truth <= high)

    @property
    def crossed(self) -> npt.NDArray[np.bool_]:
        """Which rows have a quantile under that of a lower level."""
        return np.asarray((np.diff(self.predicted, axis=1) < 0).any(axis=1))

    @property
    def _places(self) -> tuple[int, int]:
        places = interval(self.levels)
        if places is None:
            raise ValueError(f"{self.levels} have no interval")
        return places


def quantiles(predictions: pa.Table, levels: Sequence[float]) -> Floats:
    """The predicted number of each row at each level. Raises `EvaluationFailed` for other columns or no finite numbers."""
    names = columns(levels)
    return np.column_stack([numbers(predictions.column(name), name=f"predictions in {name}") for name in names])


def check_quantile_columns(predictions: pa.Table, levels: Sequence[float]) -> None:
    """Raises `EvaluationFailed` unless the table has the column of every level and no other."""
    wanted, found = columns(levels), predictions.column_names
    if sorted(found) != sorted(wanted):
        raise EvaluationFailed(
            f"predictions have the columns {listed(found) or 'none'}; expected one for each quantile: {', '.join(wanted)}"
        )


def pinball_losses(given: Quantiles, level: float) -> Floats:
    """The pinball loss of each row at one level (Koenker and Bassett 1978)."""
    one = given.at(columns([level])[0])
    over = one.truth - one.predicted
    return np.asarray(np.maximum(level * over, (level - 1) * over))


def mean_pinball_losses(given: Quantiles) -> Floats:
    """The pinball loss of each row, the mean over the levels."""
    return np.asarray(np.mean([pinball_losses(given, level) for level in given.levels], axis=0))


def interval_widths(given: Quantiles) -> Floats:
    """How far apart the ends of each interval are."""
    low, high = given.ends
    return high - low


def interval_scores(given: Quantiles) -> Floats:
    """Width, and two over alpha for each unit that a label lies outside (Winkler 1972; Gneiting and Raftery 2007, eq. 43)."""
    low, high = given.ends
    outside = np.maximum(low - given.truth, 0) + np.maximum(given.truth - high, 0)
    return high - low + 2 / (1 - given.nominal) * outside


LOSSES: Mapping[str, Callable[[Quantiles], Floats]] = {
    **{name: partial(pinball_losses, level=level) for name, level in PINBALL.items()},
    "pinball_mean": mean_pinball_losses,
    "interval_width": interval_widths,
    "interval_score": interval_scores,
}
"""What each row adds to the metrics that are a mean over the rows."""

SHARES: Mapping[str, Callable[[Quantiles], npt.NDArray[np.bool_]]] = {
    "interval_coverage": lambda given: given.covered,
    "quantile_crossing": lambda given: given.crossed,
}
"""Which rows count in the metrics that are a share of them."""


def influence(name: str, given: Quantiles) -> Influence:
    """The influence of each row on one of these metrics."""
    if name in SHARES:
        return of_mean(SHARES[name](given).astype(np.float64), 1.0)
    return of_mean(LOSSES[name](given))
