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
    """

    truth: Floats
    predicted: Floats
    queries: npt.NDArray[np.int64] | None = None

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
    "mean_error": mean_error,
    "r2": r2,
    "max_error": max_error,
    **{name: pinball(PINBALL[name]) for name in OF_ONE_NUMBER},
}
"""The function of every metric that needs numbers; each may raise `Undefined`."""
