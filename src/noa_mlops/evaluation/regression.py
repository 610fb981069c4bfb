"""Metrics of predicted numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noa_mlops.evaluation.predictions import Floats
from noa_mlops.evaluation.undefined import Undefined
from noa_mlops.records.metrics import OF_ONE_NUMBER, PINBALL


@dataclass(frozen=True, slots=True)
class Numbers:
    """True and predicted numbers, finite, one of each per row; at least one row.

    ``queries`` numbers the query of each row where it is asked how the predictions rank the rows of each, else None.
    ``scales`` are the errors that a naive forecast made in each row's training series, NaN where there is none; None where no
    series is forecast.
    """

    truth: Floats
    predicted: Floats
    queries: npt.NDArray[np.int64] | None = None
    scales: Floats | None = None

    @property
    def misses(self) -> Floats:
        """How far each prediction is from its label, in the target's unit."""
        return np.abs(self.truth - self.predicted)

    @property
    def logarithms(self) -> Numbers:
        """The logarithm of one plus each number; none may be under 0."""
        return Numbers(np.log1p(self.truth), np.log1p(self.predicted))

    @property
    def rows(self) -> int:
        """How many rows were measured."""
        return self.truth.size


def mae(numbers: Numbers) -> float:
    """Mean absolute error."""
    return float(numbers.misses.mean())


def rmse(numbers: Numbers) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(np.square(numbers.misses).mean()))


def rmsle(numbers: Numbers) -> float:
    """Root of the mean squared error of log(1 + value), which numbers under 0 do not have."""
    for what, values in (("labels", numbers.truth), ("predictions", numbers.predicted)):
        if negative := int(np.count_nonzero(values < 0)):
            raise Undefined(f"{negative} {what} are negative")
    return rmse(numbers.logarithms)


def median_ae(numbers: Numbers) -> float:
    """Median absolute error."""
    return float(np.median(numbers.misses))


def mape(numbers: Numbers) -> float:
    """Mean absolute error as a share of the label; a label of zero has no such share."""
    zeros = int(np.count_nonzero(numbers.truth == 0))
    if zeros:
        raise Undefined(f"{zeros} labels are zero")
    return float((numbers.misses / np.maximum(np.abs(numbers.truth), _LEAST)).mean())


def smape(numbers: Numbers) -> float:
    """Mean of the absolute error relative to the mean of label and prediction."""
    return float(relative_misses(numbers).mean())


def relative_misses(numbers: Numbers) -> Floats:
    """Twice the absolute error of each row over the sum of label and prediction, both absolute; 0 where both are 0."""
    both = np.abs(numbers.truth) + np.abs(numbers.predicted)
    return np.asarray(np.divide(2 * numbers.misses, both, out=np.zeros(both.size), where=both > 0))


def wape(numbers: Numbers) -> float:
    """Sum of the absolute errors over that of the labels."""
    labels = float(np.abs(numbers.truth).sum())
    if labels == 0.0:
        raise Undefined("all labels are zero")
    return float(numbers.misses.sum()) / labels


def mase(numbers: Numbers) -> float:
    """Mean absolute scaled error (Hyndman and Koehler 2006), each row scaled by its own series."""
    return float(scaled_misses(numbers).mean())


def scaled_misses(numbers: Numbers) -> Floats:
    """The absolute error of each row over its scale. Raises `Undefined` unless every row has one above 0."""
    if numbers.scales is None:
        raise Undefined("no series is forecast")
    if without := int(np.count_nonzero(~(numbers.scales > 0))):
        raise Undefined(
            f"{without} rows are of a series without a season and one step in training, or that never changed"
        )
    return numbers.misses / numbers.scales


def mean_error(numbers: Numbers) -> float:
    """Mean of prediction minus label: under 0 the predictions are too low."""
    return float((numbers.predicted - numbers.truth).mean())


def r2(numbers: Numbers) -> float:
    """Share of the variance explained; labels that are all equal have none."""
    spread = float(np.square(numbers.truth - numbers.truth.mean()).sum())
    if spread == 0.0 or numbers.truth.min() == numbers.truth.max():
        raise Undefined("all labels are equal")
    return 1.0 - float(np.square(numbers.misses).sum()) / spread


def max_error(numbers: Numbers) -> float:
    """Greatest absolute error."""
    return float(numbers.misses.max())


def pinball(share: float) -> Callable[[Numbers], float]:
    """The mean pinball loss of predictions taken as the quantile at ``share`` (Koenker and Bassett 1978)."""

    def measure(numbers: Numbers) -> float:
        over = numbers.truth - numbers.predicted
        return float(np.maximum(share * over, (share - 1) * over).mean())

    return measure


_LEAST = float(np.finfo(np.float64).eps)
"""Smallest label that an error is divided by, as in scikit-learn."""

MEASURES: Mapping[str, Callable[[Numbers], float]] = {
    "mae": mae,
    "rmse": rmse,
    "rmsle": rmsle,
    "median_ae": median_ae,
    "mape": mape,
    "smape": smape,
    "wape": wape,
    "mase": mase,
    "mean_error": mean_error,
    "r2": r2,
    "max_error": max_error,
    **{name: pinball(PINBALL[name]) for name in OF_ONE_NUMBER},
}
"""The function of every metric that needs numbers; each may raise `Undefined`."""
