"""Metrics of predicted numbers, by scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from noa_mlops.evaluation.predictions import Floats
from noa_mlops.evaluation.undefined import Undefined


@dataclass(frozen=True, slots=True)
class Numbers:
    """True and predicted numbers, finite, one of each per row; at least one row."""

    truth: Floats
    predicted: Floats


def mae(numbers: Numbers) -> float:
    """Mean absolute error."""
    from sklearn.metrics import mean_absolute_error

    return float(mean_absolute_error(numbers.truth, numbers.predicted))


def rmse(numbers: Numbers) -> float:
    """Root of the mean squared error."""
    from sklearn.metrics import root_mean_squared_error

    return float(root_mean_squared_error(numbers.truth, numbers.predicted))


def median_ae(numbers: Numbers) -> float:
    """Median absolute error."""
    from sklearn.metrics import median_absolute_error

    return float(median_absolute_error(numbers.truth, numbers.predicted))


def mape(numbers: Numbers) -> float:
    """Mean absolute error as a share of the label; a label of zero has no such share."""
    from sklearn.metrics import mean_absolute_percentage_error

    zeros = int(np.count_nonzero(numbers.truth == 0))
    if zeros:
        raise Undefined(f"{zeros} labels are zero")
    return float(mean_absolute_percentage_error(numbers.truth, numbers.predicted))


def r2(numbers: Numbers) -> float:
    """Share of the variance explained; labels that are all equal have none."""
    from sklearn.metrics import r2_score

    if numbers.truth.min() == numbers.truth.max():
        raise Undefined("all labels are equal")
    return float(r2_score(numbers.truth, numbers.predicted))


def max_error(numbers: Numbers) -> float:
    """Greatest absolute error."""
    from sklearn.metrics import max_error as greatest

    return float(greatest(numbers.truth, numbers.predicted))


def pinball(percent: int) -> Callable[[Numbers], float]:
    """The mean pinball loss of predictions taken as the ``percent`` % quantile."""

    def measure(numbers: Numbers) -> float:
        from sklearn.metrics import mean_pinball_loss

        return float(mean_pinball_loss(numbers.truth, numbers.predicted, alpha=percent / 100))

    return measure


MEASURES: Mapping[str, Callable[[Numbers], float]] = {
    "mae": mae,
    "rmse": rmse,
    "median_ae": median_ae,
    "mape": mape,
    "r2": r2,
    "max_error": max_error,
    **{f"pinball_{percent}": pinball(percent) for percent in (10, 50, 90)},
}
"""The function of every metric that needs numbers; each may raise `Undefined`."""
