"""Influence of each row on the metrics of probabilities and of predicted numbers.

Where a formula has no derivative the text says what stands for it: a median goes by the density at the median, a
calibration error keeps its bins and the side of each bin, a slope is that of an estimating equation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from noa_mlops.evaluation.calibration import BINS
from noa_mlops.evaluation.calibration import intercept as intercept_of
from noa_mlops.evaluation.influence import Influence, of_mean
from noa_mlops.evaluation.predictions import Floats
from noa_mlops.evaluation.probability import EPSILON, Forecast, log_odds
from noa_mlops.evaluation.probability import calibration_slope as slope_of
from noa_mlops.evaluation.ranking import Order, ranks
from noa_mlops.evaluation.regression import Numbers, relative_misses, scaled_misses
from noa_mlops.records.metrics import OF_ONE_NUMBER, PINBALL
from noa_mlops.records.quantiles import normal_quantile

_Outcomes = npt.NDArray[np.bool_]


def area(outcomes: _Outcomes, given: Floats, ascending: Order | None = None) -> Influence:
    """Of the area under the ROC curve (DeLong 1988); both outcomes occur.

    The sum of squares over the squared number of rows is DeLong's variance exactly, unbiased within each class. One sort
    does it, as with mid-ranks (Sun and Xu 2014): what counts is how many of each class lie below a value and at it. ``ascending`` is
    the `ranks` of the probabilities, when somebody has sorted them already.
    """
    order = ranks(given) if ascending is None else ascending
    ranked, truth = given[order], outcomes[order]
    last = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), ranked.size - 1)
    ties = np.diff(np.concatenate(([-1], last)))
    positives = np.cumsum(truth)[last]
    negatives = last + 1 - positives
    middle = [(part + np.concatenate(([0], part[:-1]))) / 2 for part in (positives, negatives)]
    ahead = np.repeat(middle[1] / negatives[-1], ties)
    behind = np.repeat(1 - middle[0] / positives[-1], ties)
    values = np.empty(given.size)
    for where, part in ((truth, ahead), (~truth, behind)):
        size = int(np.count_nonzero(where))
        scale = given.size / size * np.sqrt(size / max(1, size - 1))
        values[order[where]] = (part[where] - part[where].mean()) * scale
    rarer = int(min(positives[-1], negatives[-1]))
    return Influence(values, rarer, 1 / rarer)


def precision_area(outcomes: _Outcomes, given: Floats, ascending: Order) -> Influence:
    """Of average precision: the derivative by the weight of a row, through its own step and those below it."""
    order = ascending[::-1]
    hit, ranked = outcomes[order].astype(np.float64), given[order]
    last = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), ranked.size - 1)
    step = np.repeat(np.arange(last.size), np.diff(np.concatenate(([-1], last))))
    found, seen = np.cumsum(hit)[last], (last + 1).astype(np.float64)
    precision, positives = found / seen, hit.sum()
    value = float((np.diff(np.concatenate(([0.0], found))) * precision).sum() / positives)
    gains = np.diff(np.concatenate(([0.0], found))) / seen
    onwards, lost = (np.cumsum(part[::-1])[::-1] for part in (gains, gains * precision))
    ordered = (hit * (precision[step] - value) + hit * onwards[step] - lost[step]) / positives
    values = np.empty(ranked.size)
    values[order] = (ordered - ordered.mean()) * ranked.size
    rarer = int(min(positives, ranked.size - positives))
    return Influence(values, rarer, 1 / rarer)


def of_positive(measure: Callable[[_Outcomes, Floats, Order], Influence]) -> Callable[[Forecast], Influence]:
    """Of a metric of the positive class; there are two classes, and both occur."""
    return lambda forecast: measure(*forecast.positive(), forecast.order(forecast.positive_class))


def over_classes(measure: Callable[[_Outcomes, Floats, Order], Influence]) -> Callable[[Forecast], Influence]:
    """Of the mean over the classes of a metric, each against the rest; every class occurs, and so does its rest."""

    def influence(forecast: Forecast) -> Influence:
        places = range(len(forecast.classes.values))
        each = [measure(*forecast.against_rest(place), forecast.order(place)) for place in places]
        values = np.mean([one.values for one in each], axis=0)
        return Influence(values, min(one.units for one in each), max(one.reach for one in each))

    return influence


def log_loss(forecast: Forecast) -> Influence:
    """Of the mean logarithmic loss."""
    return of_mean(-np.log(np.clip(forecast.of_true_class, EPSILON, 1 - EPSILON)))


def brier(forecast: Forecast) -> Influence:
    """Of the halved mean squared distance."""
    squares = np.square(forecast.probabilities).sum(axis=1)
    return of_mean((squares - 2 * forecast.of_true_class + 1) / 2, 1.0)


def ece(forecast: Forecast) -> Influence:
    """Of the calibration error, with the bins and the side on which each errs taken as they are."""
    if forecast.classes.positive is not None:
        outcomes, given = forecast.positive()
    else:
        given = forecast.probabilities.max(axis=1)
        outcomes = forecast.probabilities.argmax(axis=1) == forecast.truth
    ranked = np.sort(given)
    bins = np.searchsorted(ranked, given, side="left") * BINS // given.size
    surplus = given - outcomes
    sides = np.sign(np.bincount(bins, weights=surplus, minlength=BINS))
    return of_mean(sides[bins] * surplus, 1.0)


def calibration_slope(forecast: Forecast) -> Influence:
    """Of the slope: the inverse curvature times each row's part of the estimating equation, rid of the rows' own model."""
    outcomes, given = forecast.positive()
    odds, slope = log_odds(given), slope_of(forecast)
    expected = _fitted(odds * slope, float(outcomes.mean()))
    weights = expected * (1 - expected)
    centred = odds - (weights @ odds) / weights.sum()
    values = (outcomes - expected) * centred / np.mean(weights * centred * centred)
    rarer = int(min(outcomes.sum(), (~outcomes).sum()))
    return Influence(values - values.mean(), rarer, float(np.abs(values).max()) / given.size)


def calibration_intercept(forecast: Forecast) -> Influence:
    """Of the intercept: each row's part of the estimating equation over its curvature."""
    outcomes, given = forecast.positive()
    expected = _fitted(log_odds(given), float(outcomes.mean()))
    values = (outcomes - expected) / np.mean(expected * (1 - expected))
    rarer = int(min(outcomes.sum(), (~outcomes).sum()))
    return Influence(values - values.mean(), rarer, float(np.abs(values).max()) / given.size)


def mean_of(loss: Callable[[Numbers], Floats]) -> Callable[[Numbers], Influence]:
    """Of the mean of a loss."""
    return lambda numbers: of_mean(loss(numbers))


def rmse(numbers: Numbers) -> Influence:
    """Of the root of the mean squared error."""
    squares = np.square(numbers.truth - numbers.predicted)
    inner, root = of_mean(squares), float(np.sqrt(squares.mean()))
    return Influence(inner.values / (2 * root), inner.units, root / inner.units) if root > 0 else inner


def rmsle(numbers: Numbers) -> Influence:
    """Of the same over logarithms."""
    return rmse(numbers.logarithms)


def r2(numbers: Numbers) -> Influence:
    """Of the share of the variance explained; the labels are not all equal."""
    spread = np.square(numbers.truth - numbers.truth.mean())
    missed = np.square(numbers.truth - numbers.predicted)
    values = (missed.mean() * spread / spread.mean() - missed) / spread.mean()
    values *= np.sqrt(values.size / max(1, values.size - 1))
    return Influence(values, values.size, float(np.abs(values).max(initial=0.0)) / values.size)


def wape(numbers: Numbers) -> Influence:
    """Of the sum of absolute errors over that of the labels: the derivative of a quotient."""
    labels = np.abs(numbers.truth)
    values = (numbers.misses - numbers.misses.sum() / labels.sum() * labels) / labels.mean()
    values *= np.sqrt(values.size / max(1, values.size - 1))
    return Influence(values, values.size, float(np.abs(values).max(initial=0.0)) / values.size)


def median_ae(numbers: Numbers) -> Influence:
    """Of the median absolute error, by the density at the median (bandwidth of Hall and Sheather 1988 at 95 %)."""
    errors = np.abs(numbers.truth - numbers.predicted)
    rows, middle = errors.size, float(np.median(errors))
    peak = np.sqrt(1 / (2 * np.pi))
    width = min(0.45, float(rows ** (-1 / 3) * normal_quantile(0.025) ** (2 / 3) * (1.5 * peak**2) ** (1 / 3)))
    low, high = np.quantile(errors, (0.5 - width, 0.5 + width))
    sparsity = float(high - low) / (2 * width)
    values = (0.5 - (errors < middle) - 0.5 * (errors == middle)) * sparsity
    return Influence(values - values.mean(), rows, middle / rows)


def _fitted(odds: Floats, share: float) -> Floats:
    """Probabilities with these log odds, moved by one constant so that their mean is ``share``."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -(intercept_of(share, odds) + odds))))


def _over(numbers: Numbers) -> Floats:
    return numbers.predicted - numbers.truth


def _absolute(numbers: Numbers) -> Floats:
    return np.abs(numbers.truth - numbers.predicted)


def _relative(numbers: Numbers) -> Floats:
    return np.abs((numbers.truth - numbers.predicted) / numbers.truth)


def _pinball(share: float) -> Callable[[Numbers], Floats]:
    return lambda numbers: np.maximum(
        share * (numbers.truth - numbers.predicted), (share - 1) * (numbers.truth - numbers.predicted)
    )


OF_FORECASTS: Mapping[str, Callable[[Forecast], Influence]] = {
    "roc_auc": of_positive(area),
    "roc_auc_ovr": over_classes(area),
    "average_precision": of_positive(precision_area),
    "average_precision_macro": over_classes(precision_area),
    "log_loss": log_loss,
    "brier": brier,
    "ece": ece,
    "calibration_slope": calibration_slope,
    "calibration_intercept": calibration_intercept,
}
"""The influence of rows on every metric that needs probabilities; only where the metric itself is defined."""

OF_NUMBERS: Mapping[str, Callable[[Numbers], Influence]] = {
    "mae": mean_of(_absolute),
    "rmse": rmse,
    "rmsle": rmsle,
    "median_ae": median_ae,
    "mape": mean_of(_relative),
    "smape": mean_of(relative_misses),
    "wape": wape,
    "mase": mean_of(scaled_misses),
    "mean_error": mean_of(_over),
    "r2": r2,
    **{name: mean_of(_pinball(PINBALL[name])) for name in OF_ONE_NUMBER},
}
"""The influence of rows on metrics of predicted numbers; a greatest error has none."""
