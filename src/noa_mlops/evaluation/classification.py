"""Metrics of predicted classes, from counts alone.

Every one of them is a formula over how often each class is true, is predicted, and is both, so a million rows
cost one pass. Classes are counted that occur as label or as prediction, as scikit-learn does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from noa_mlops.evaluation.classes import Codes
from noa_mlops.evaluation.undefined import Undefined

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tally:
    """Per class: rows that are of it, rows predicted as it, and rows that are both.

    ``positive`` is the position of the positive class, None unless the model has two.
    """

    actual: Counts
    predicted: Counts
    hits: Counts
    positive: int | None

    @classmethod
    def of(cls, truth: Codes, predicted: Codes, positive: int | None) -> Tally:
        """Count at least one row; classes that neither occur nor are predicted are left out."""
        size = 1 + int(max(truth.max(), predicted.max()))
        return cls(
            np.bincount(truth, minlength=size),
            np.bincount(predicted, minlength=size),
            np.bincount(truth[truth == predicted], minlength=size),
            positive,
        )

    @property
    def negative(self) -> int | None:
        """The position of the other class of two; None unless the model has two."""
        return None if self.positive is None else 1 - self.positive

    @property
    def rows(self) -> int:
        """All rows."""
        return int(self.actual.sum())

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """Classes that occur as label or as prediction."""
        return (self.actual > 0) | (self.predicted > 0)

    def need_two_classes(self) -> None:
        """Raises `Undefined` when all labels are of one class."""
        if np.count_nonzero(self.actual) < 2:
            raise Undefined("all labels are of one class")


def accuracy(tally: Tally) -> float:
    """Share of rows whose class is predicted."""
    return int(tally.hits.sum()) / tally.rows


def balanced_accuracy(tally: Tally) -> float:
    """Mean recall over the classes that occur."""
    tally.need_two_classes()
    occurs = tally.actual > 0
    return float(np.mean(tally.hits[occurs] / tally.actual[occurs]))


def mcc(tally: Tally) -> float:
    """Matthews correlation for any number of classes (Gorodkin 2004, equation 8); 0 for a constant prediction."""
    tally.need_two_classes()
    rows, actual, predicted = tally.rows, tally.actual.tolist(), tally.predicted.tolist()
    both = sum(a * p for a, p in zip(actual, predicted, strict=True))
    spread_actual = rows * rows - sum(a * a for a in actual)
    spread_predicted = rows * rows - sum(p * p for p in predicted)
    if spread_predicted == 0:
        return 0.0
    value: float = (int(tally.hits.sum()) * rows - both) / math.sqrt(spread_actual * spread_predicted)
    return min(1.0, max(-1.0, value))


def cohen_kappa(tally: Tally) -> float:
    """Agreement beyond chance over the greatest there could be (Cohen 1960)."""
    tally.need_two_classes()
    rows, actual, predicted = tally.rows, tally.actual.tolist(), tally.predicted.tolist()
    both = sum(a * p for a, p in zip(actual, predicted, strict=True))
    value: float = (int(tally.hits.sum()) * rows - both) / (rows * rows - both)
    return value


Parts = Callable[[Tally], tuple[Counts, Counts]]
"""Numerator and denominator of a ratio, per class."""


def _precision(tally: Tally) -> tuple[Counts, Counts]:
    return tally.hits, tally.predicted


def _recall(tally: Tally) -> tuple[Counts, Counts]:
    return tally.hits, tally.actual


def _f1(tally: Tally) -> tuple[Counts, Counts]:
    return 2 * tally.hits, tally.actual + tally.predicted


def _of_positive(parts: Parts, empty: str) -> Callable[[Tally], float]:
    """The ratio of the positive class; ``empty`` is said when its denominator is zero."""
    return lambda tally: _of_class(tally.positive, parts(tally), empty)


def _of_negative(parts: Parts, empty: str) -> Callable[[Tally], float]:
    """The ratio of the negative class."""
    return lambda tally: _of_class(tally.negative, parts(tally), empty)


def _of_class(place: int | None, parts: tuple[Counts, Counts], empty: str) -> float:
    if place is None:
        raise Undefined("is defined for two classes")
    above, below = (int(part[place]) if place < part.size else 0 for part in parts)
    if below == 0:
        raise Undefined(empty)
    return above / below


def _micro(parts: Parts) -> Callable[[Tally], float]:
    def measure(tally: Tally) -> float:
        above, below = parts(tally)
        return int(above.sum()) / int(below.sum())

    return measure


def _macro(parts: Parts) -> Callable[[Tally], float]:
    def measure(tally: Tally) -> float:
        return float(np.mean(_ratios(parts, tally)[tally.present]))

    return measure


def _weighted(parts: Parts) -> Callable[[Tally], float]:
    def measure(tally: Tally) -> float:
        return min(1.0, float(np.average(_ratios(parts, tally), weights=tally.actual)))

    return measure


def _ratios(parts: Parts, tally: Tally) -> npt.NDArray[np.float64]:
    """The ratio of each class; 0 where its denominator is zero, so that an unused class never helps."""
    above, below = parts(tally)
    return np.divide(above, below, out=np.zeros(below.size), where=below > 0)


_PARTS: Mapping[str, tuple[Parts, str]] = {
    "precision": (_precision, "no row is predicted positive"),
    "recall": (_recall, "no label is positive"),
    "f1": (_f1, "no row is positive, neither by label nor by prediction"),
}

MEASURES: Mapping[str, Callable[[Tally], float]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    **{name: _of_positive(parts, empty) for name, (parts, empty) in _PARTS.items()},
    "specificity": _of_negative(_recall, "no label is negative"),
    "npv": _of_negative(_precision, "no row is predicted negative"),
    **{f"{name}_micro": _micro(parts) for name, (parts, _) in _PARTS.items()},
    **{f"{name}_macro": _macro(parts) for name, (parts, _) in _PARTS.items()},
    **{f"{name}_weighted": _weighted(parts) for name, (parts, _) in _PARTS.items()},
    "mcc": mcc,
    "cohen_kappa": cohen_kappa,
}
"""The function of every metric that needs predicted classes; each may raise `Undefined`."""
