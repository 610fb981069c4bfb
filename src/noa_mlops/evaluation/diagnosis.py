"""What is behind the metrics: calibration, confusion and residuals, counted small enough to be drawn.

Nothing is judged by these; they are made again from predictions and labels whenever somebody looks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from noa_mlops.errors import EvaluationFailed
from noa_mlops.evaluation.calibration import reliability
from noa_mlops.evaluation.classes import ClassList, missing
from noa_mlops.evaluation.measurement import classified, share
from noa_mlops.evaluation.predictions import PREDICTION, Floats, missing_rows, numbers
from noa_mlops.evaluation.probability import Forecast
from noa_mlops.evaluation.subject import Classified
from noa_mlops.records.spread import Proportion
from noa_mlops.records.verdict import ClassLabel

MOST_CLASSES = 20
"""Classes that a confusion matrix tells apart; the rarer ones are counted together."""

RESIDUAL_BINS = 20
"""Bins of a residual picture, each with the same number of rows."""

MEDIAN = "q_50"
"""The column that stands for the prediction of a model that answers quantiles."""

ERROR = 0.05
"""How often a bound of a bin is wrong, on each side."""


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Rows with about the same probability: its mean, the share of them that came true, and the bounds of that share."""

    rows: int
    probability: float
    share: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class ResidualBin:
    """Rows with about the same prediction: its mean; median, 10 % and 90 % quantile of prediction minus label."""

    rows: int
    prediction: float
    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often each true class (a row) was predicted as each class (a column); ``names`` in the order of both."""

    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What can be drawn of one model on one dataset; empty or None what its task or its answers do not have.

    ``calibrated`` names the class whose probability the calibration is of; None: of whichever was the most probable.
    """

    calibration: tuple[CalibrationBin, ...] = ()
    calibrated: str | None = None
    confusion: Confusion | None = None
    residuals: tuple[ResidualBin, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


def diagnose_classes(
    predictions: pa.Table,
    labels: pa.ChunkedArray,
    classes: Sequence[ClassLabel],
    positive: ClassLabel | None,
    decision_threshold: float | None,
) -> Diagnosis:
    """Confusion, and calibration when the model gives probabilities: of the positive class of two, else the most probable.

    ``decision_threshold`` as in `evaluate`, None when none was used. Raises `EvaluationFailed` when the predictions cannot
    be read beside these labels.
    """
    _check_rows(predictions, labels)
    known = ClassList.of(classes, positive)
    subject = classified(predictions, labels, known, share(0.5 if decision_threshold is None else decision_threshold))
    if subject is None:
        raise EvaluationFailed("predictions or labels are missing")
    confusion = _confusion(subject, known)
    if subject.forecast is None:
        return Diagnosis(confusion=confusion)
    place = known.positive
    outcomes, given = _most_probable(subject.forecast) if place is None else subject.forecast.against_rest(place)
    named = None if place is None else str(known.values[place])
    return Diagnosis(tuple(_calibration_bins(outcomes, given)), named, confusion)


def diagnose_numbers(predictions: pa.Table, labels: pa.ChunkedArray) -> Diagnosis:
    """Residuals along the prediction; that of a model that answers quantiles is its median.

    Raises `EvaluationFailed` when the predictions cannot be read beside these labels, or have no median.
    """
    _check_rows(predictions, labels)
    column = PREDICTION if PREDICTION in predictions.column_names else MEDIAN
    if column not in predictions.column_names:
        raise EvaluationFailed("the model answers quantiles without the median")
    rows = ~missing(labels)
    if missing_rows(predictions) or not rows.any():
        raise EvaluationFailed("predictions or labels are missing")
    truth = numbers(labels.filter(pa.array(rows)), name="labels")
    given = numbers(predictions.column(column), name="predictions")[rows]
    return Diagnosis(residuals=tuple(_residual_bins(truth, given)))


def _check_rows(predictions: pa.Table, labels: pa.ChunkedArray) -> None:
    if predictions.num_rows != len(labels):
        raise EvaluationFailed(f"predictions have {predictions.num_rows} rows; expected {len(labels)}")


def _most_probable(forecast: Forecast) -> tuple[Any, Floats]:
    """Whether the most probable class of each row is the true one, and its probability."""
    place = forecast.probabilities.argmax(axis=1)
    return forecast.truth == place, forecast.probabilities[np.arange(place.size), place]


def _calibration_bins(outcomes: Any, given: Floats) -> Iterator[CalibrationBin]:
    for count, expected, observed in zip(*reliability(outcomes, given), strict=True):
        if rows := int(count):
            hits = Proportion(int(observed), rows)
            true = hits.hits / rows
            yield CalibrationBin(rows, float(expected) / rows, true, true - hits.below(ERROR), true + hits.above(ERROR))


def _confusion(subject: Classified, known: ClassList) -> Confusion:
    """The most frequent classes apart, then the others together, then those that the model does not know."""
    size = len(known.values)
    truth = np.minimum(subject.truth, size)
    matrix = np.bincount(truth * (size + 1) + subject.predicted, minlength=(size + 1) ** 2).reshape(size + 1, size + 1)
    seen = matrix.sum(axis=0) + matrix.sum(axis=1)
    apart = sorted(np.argsort(-seen[:size], kind="stable")[:MOST_CLASSES].tolist())
    places = np.full(size + 1, len(apart))
    places[apart] = np.arange(len(apart))
    names = [str(known.values[place]) for place in apart]
    if size > len(apart):
        names.append(f"{size - len(apart)} other classes")
    if matrix[size].any():
        places[size] = len(names)
        names.append("not in training")
    small = np.zeros((len(names) + 1, len(names) + 1), dtype=np.int64)
    np.add.at(small, (places[:, None], places[None, :]), matrix)
    counts = small[: len(names), : len(names)].tolist()
    return Confusion(tuple(names), tuple(tuple(row) for row in counts))


def _residual_bins(truth: Floats, given: Floats) -> Iterator[ResidualBin]:
    order = np.argsort(given, kind="stable")
    for rows in np.array_split(order, min(RESIDUAL_BINS, order.size)):
        low, median, high = np.quantile(given[rows] - truth[rows], (0.1, 0.5, 0.9))
        yield ResidualBin(rows.size, float(given[rows].mean()), float(median), float(low), float(high))
