"""Metrics of probabilities: how they order the rows, how far they are from the truth.

A row whose class did not occur in training is of no class of the model: it is a negative row wherever one
class stands against the rest, and the probability of its true class is zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from noa_mlops.evaluation.calibration import expected_calibration_error, intercept, slope
from noa_mlops.evaluation.classes import ClassList, Codes, shown
from noa_mlops.evaluation.predictions import Floats
from noa_mlops.evaluation.ranking import Curve, Order, ranks
from noa_mlops.evaluation.undefined import Undefined

EPSILON = float(np.finfo(np.float64).eps)
"""Probabilities are kept this far from 0 and 1 where a logarithm is taken."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """True class positions and predicted probabilities, one row per row; at least one row.

    A position past the last column of ``probabilities`` is a class that the model does not know. The probabilities of each
    of two classes are sorted once, as several metrics ask for that.
    """

    truth: Codes
    probabilities: Floats
    classes: ClassList
    _orders: dict[int, Order] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def of_true_class(self) -> Floats:
        """The probability that each row's own class was given; 0 for a class unknown to the model."""
        known = self.truth < self.probabilities.shape[1]
        given = np.zeros(self.truth.size)
        given[known] = self.probabilities[known, self.truth[known]]
        return given

    def against_rest(self, position: int) -> tuple[npt.NDArray[np.bool_], Floats]:
        """Which rows are of one class, and the probability each row was given for it."""
        return self.truth == position, self.probabilities[:, position]

    def order(self, position: int) -> Order:
        """The rows in the order of the probability of one class, least first; kept where there are two, for many are large."""
        found = self._orders.get(position)
        if found is None:
            found = ranks(self.probabilities[:, position])
            if len(self.classes.values) == 2:
                self._orders[position] = found
        return found

    def curve(self, position: int, name: str) -> Curve:
        """How one class ranks against the rest. Raises `Undefined`, calling the class ``name``, unless both occur."""
        outcomes, given = self.against_rest(position)
        _need_both(outcomes, name)
        return Curve.of(outcomes, given, self.order(position))

    @property
    def positive_class(self) -> int:
        """The position of the positive class. Raises `Undefined` unless there are two."""
        if self.classes.positive is None:
            raise Undefined("is defined for two classes")
        return self.classes.positive

    def positive(self) -> tuple[npt.NDArray[np.bool_], Floats]:
        """Which rows are positive, and the probability of it. Raises `Undefined` unless there are two classes."""
        return self.against_rest(self.positive_class)


def roc_auc(forecast: Forecast) -> float:
    """Area under the ROC curve of the positive class."""
    return forecast.curve(forecast.positive_class, "the positive class").area


def average_precision(forecast: Forecast) -> float:
    """Average precision of the positive class."""
    return forecast.curve(forecast.positive_class, "the positive class").average_precision


def roc_auc_ovr(forecast: Forecast) -> float:
    """Mean over the classes of the area under the ROC curve, each against the rest."""
    return _mean_over_classes(forecast, lambda curve: curve.area)


def average_precision_macro(forecast: Forecast) -> float:
    """Mean over the classes of average precision, each against the rest."""
    return _mean_over_classes(forecast, lambda curve: curve.average_precision)


def log_loss(forecast: Forecast) -> float:
    """Mean negative logarithm of the probability of the true class."""
    return float(-np.log(np.clip(forecast.of_true_class, EPSILON, 1 - EPSILON)).mean())


def brier(forecast: Forecast) -> float:
    """Half the mean squared distance between the probabilities and the truth (Brier 1950, halved)."""
    squares = np.square(forecast.probabilities).sum(axis=1)
    return float(np.clip((squares - 2 * forecast.of_true_class + 1) / 2, 0.0, 1.0).mean())


def ece(forecast: Forecast) -> float:
    """Expected calibration error: of the positive class, of the most probable one when there are not two."""
    if forecast.classes.positive is not None:
        return expected_calibration_error(*forecast.positive())
    likeliest = forecast.probabilities.argmax(axis=1)
    return expected_calibration_error(likeliest == forecast.truth, forecast.probabilities.max(axis=1))


def calibration_slope(forecast: Forecast) -> float:
    """Slope of a logistic regression of the truth on the logit of the probability."""
    outcomes, given = forecast.positive()
    _need_both(outcomes, "the positive class")
    return slope(outcomes, log_odds(given))


def calibration_intercept(forecast: Forecast) -> float:
    """What must be added to every logit for the mean probability to be the share of positive rows."""
    outcomes, given = forecast.positive()
    _need_both(outcomes, "the positive class")
    return intercept(float(outcomes.mean()), log_odds(given))


def log_odds(given: Floats) -> Floats:
    """The logit of each probability, clipped."""
    clipped = np.clip(given, EPSILON, 1 - EPSILON)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def _need_both(outcomes: npt.NDArray[np.bool_], name: str) -> None:
    if not outcomes.any():
        raise Undefined(f"no label is of {name}")
    if outcomes.all():
        raise Undefined(f"all labels are of {name}")


def _mean_over_classes(forecast: Forecast, measure: Callable[[Curve], float]) -> float:
    values = forecast.classes.values
    each = (measure(forecast.curve(position, f"class {shown(value)}")) for position, value in enumerate(values))
    return min(1.0, sum(each) / len(values))


MEASURES: Mapping[str, Callable[[Forecast], float]] = {
    "roc_auc": roc_auc,
    "roc_auc_ovr": roc_auc_ovr,
    "average_precision": average_precision,
    "average_precision_macro": average_precision_macro,
    "log_loss": log_loss,
    "brier": brier,
    "ece": ece,
    "calibration_slope": calibration_slope,
    "calibration_intercept": calibration_intercept,
}
"""The function of every metric that needs probabilities; each may raise `Undefined`."""
