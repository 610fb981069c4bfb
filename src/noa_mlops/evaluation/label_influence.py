"""Influence of each row on the metrics of predicted classes, by the derivative of each formula.

Every such metric is a function of three counts per class (see `classification.Tally`). A row adds one to the actual
count of its label, one to the predicted count of its prediction, and one to the hits of the class where both are the
same; so its influence is the sum of three derivatives, whatever the number of classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noa_mlops.evaluation.classes import Codes
from noa_mlops.evaluation.classification import Tally
from noa_mlops.evaluation.influence import Influence
from noa_mlops.evaluation.predictions import Floats


@dataclass(frozen=True, slots=True)
class Gradient:
    """The derivative of a metric by each class's actual, predicted and hit counts; ``units``, ``reach`` as in `Influence`."""

    actual: Floats
    predicted: Floats
    hits: Floats
    units: int
    reach: float

    def at(self, truth: Codes, predicted: Codes) -> Influence:
        """The influence of each row."""
        values = self.actual[truth] + self.predicted[predicted]
        values += np.where(truth == predicted, self.hits[truth], 0.0)
        values -= values.mean()  # rounding
        return Influence(values * truth.size, self.units, self.reach)


@dataclass(frozen=True, slots=True)
class _Ratio:
    """Per class: ``above`` times hits over ``actual`` times actual plus ``predicted`` times predicted."""

    above: int
    actual: int
    predicted: int

    def below(self, tally: Tally) -> Floats:
        return np.asarray(self.actual * tally.actual + self.predicted * tally.predicted, dtype=np.float64)

    def values(self, tally: Tally) -> Floats:
        return _over(self.above * tally.hits, self.below(tally))

    def gradient(self, tally: Tally, weights: Floats, units: int) -> Gradient:
        """Of the sum of the ratios, each times its weight."""
        each = _over(weights, self.below(tally))
        lost = each * self.values(tally)
        return Gradient(-lost * self.actual, -lost * self.predicted, each * self.above, units, 1 / max(1, units))


def accuracy(tally: Tally) -> Gradient:
    """Of the share of rows that are hits."""
    rows, size = tally.rows, tally.hits.size
    share = int(tally.hits.sum()) / rows
    return Gradient(np.full(size, -share / rows), np.zeros(size), np.full(size, 1 / rows), rows, 1 / rows)


def balanced_accuracy(tally: Tally) -> Gradient:
    """Of the mean recall over the classes that occur."""
    occurs = tally.actual > 0
    return _RECALL.gradient(tally, occurs / occurs.sum(), int(tally.actual[occurs].min()))


def mcc(tally: Tally) -> Gradient:
    """Of Matthews correlation (Gorodkin 2004, equation 8); a constant prediction has no derivative."""
    rows, actual, predicted = float(tally.rows), tally.actual.astype(float), tally.predicted.astype(float)
    spread_predicted, spread_actual = rows**2 - predicted @ predicted, rows**2 - actual @ actual
    size = actual.size
    rarest = int(tally.actual[tally.actual > 0].min())
    if spread_predicted <= 0 or spread_actual <= 0:
        return Gradient(np.zeros(size), np.zeros(size), np.zeros(size), rarest, 0.0)
    hits = float(tally.hits.sum())
    root = np.sqrt(spread_predicted * spread_actual)
    value = (hits * rows - actual @ predicted) / root
    by_actual = (hits - predicted) / root - value * (rows / spread_predicted + (rows - actual) / spread_actual)
    by_predicted = -actual / root + value * predicted / spread_predicted
    return Gradient(by_actual, by_predicted, np.full(size, rows / root), rarest, 1 / rarest)


def cohen_kappa(tally: Tally) -> Gradient:
    """Of the agreement beyond chance (Cohen 1960), a quotient of two polynomials in the counts."""
    rows, actual, predicted = float(tally.rows), tally.actual.astype(float), tally.predicted.astype(float)
    hits, both = float(tally.hits.sum()), float(actual @ predicted)
    below = rows**2 - both
    value = (hits * rows - both) / below
    by_actual = (hits - predicted - value * (2 * rows - predicted)) / below
    by_predicted = -actual * (1 - value) / below
    rarest = int(tally.actual[tally.actual > 0].min())
    return Gradient(by_actual, by_predicted, np.full(actual.size, rows / below), rarest, 1 / rarest)


def _of_positive(ratio: _Ratio) -> Callable[[Tally], Gradient]:
    return lambda tally: _of_class(tally, tally.positive, ratio)


def _of_negative(ratio: _Ratio) -> Callable[[Tally], Gradient]:
    return lambda tally: _of_class(tally, tally.negative, ratio)


def _of_class(tally: Tally, place: int | None, ratio: _Ratio) -> Gradient:
    weights = np.zeros(tally.hits.size)
    if place is not None and place < weights.size:
        weights[place] = 1.0
    return ratio.gradient(tally, weights, int(weights @ ratio.below(tally)) // max(1, ratio.above))


def _macro(ratio: _Ratio) -> Callable[[Tally], Gradient]:
    def gradient(tally: Tally) -> Gradient:
        present = tally.present
        return ratio.gradient(tally, present / present.sum(), int(tally.actual[tally.actual > 0].min()))

    return gradient


def _weighted(ratio: _Ratio) -> Callable[[Tally], Gradient]:
    def gradient(tally: Tally) -> Gradient:
        rows, ratios = tally.rows, ratio.values(tally)
        inner = ratio.gradient(tally, tally.actual / rows, rows)
        of_weights = (ratios - ratios @ tally.actual / rows) / rows
        return Gradient(inner.actual + of_weights, inner.predicted, inner.hits, rows, 1 / rows)

    return gradient


def _over(above: npt.NDArray[np.generic], below: Floats) -> Floats:
    return np.asarray(np.divide(above, below, out=np.zeros(below.size), where=below > 0))


_PRECISION, _RECALL, _F1 = _Ratio(1, 0, 1), _Ratio(1, 1, 0), _Ratio(2, 1, 1)
_RATIOS = {"precision": _PRECISION, "recall": _RECALL, "f1": _F1}

GRADIENTS: Mapping[str, Callable[[Tally], Gradient]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    **{name: _of_positive(ratio) for name, ratio in _RATIOS.items()},
    "specificity": _of_negative(_RECALL),
    "npv": _of_negative(_PRECISION),
    **{f"{name}_micro": accuracy for name in _RATIOS},
    **{f"{name}_macro": _macro(ratio) for name, ratio in _RATIOS.items()},
    **{f"{name}_weighted": _weighted(ratio) for name, ratio in _RATIOS.items()},
    "mcc": mcc,
    "cohen_kappa": cohen_kappa,
}
"""The derivative of every metric that needs predicted classes; only for tallies where the metric itself is defined."""
