"""One evaluation: check, count, compute every metric of the task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeVar

import numpy as np
import pyarrow as pa

from noa_mlops.errors import EvaluationFailed
from noa_mlops.evaluation import classification, probability, regression
from noa_mlops.evaluation.classes import ClassList, Codes, is_text, listed, missing, plain
from noa_mlops.evaluation.predictions import (
    PREDICTION,
    check_values_column,
    chosen,
    gives_probabilities,
    missing_rows,
    numbers,
    predicted_classes,
    probabilities,
)
from noa_mlops.evaluation.undefined import Undefined
from noa_mlops.records.metrics import METRICS, Task
from noa_mlops.records.verdict import ClassLabel, Estimate, EvaluationReport

_Rows = TypeVar("_Rows")
_Named = Iterator[tuple[str, Estimate]]


def evaluate(
    predictions: pa.Table,
    labels: pa.ChunkedArray | pa.Array,
    *,
    task: Task,
    classes: Sequence[ClassLabel] | None = None,
    positive: ClassLabel | None = None,
    decision_threshold: float = 0.5,
) -> EvaluationReport:
    """Every metric of the task, from predictions and the withheld labels in the same row order.

    ``classes`` is the class list of the model: column ``p_i`` belongs to ``classes[i]``. With two classes a row
    counts as positive from the probability ``decision_threshold`` on, at it included; with more, the most
    probable class is predicted, the first of equals. Rows without a label (null or NaN) are left out and counted.
    A row without a prediction (null) leaves every metric without a value: a model that stays silent on
    the hard rows is not measured on the easy ones. A label that did not occur in training counts as an error.

    Raises `EvaluationFailed` naming what is wrong with the predictions, the labels or the class list.
    """
    column = labels if isinstance(labels, pa.ChunkedArray) else pa.chunked_array([labels])
    if predictions.num_rows != len(column):
        raise EvaluationFailed(f"predictions have {predictions.num_rows} rows; expected {len(column)}")
    if task == "classification":
        known = ClassList.of(classes, positive)
        return _classification(predictions, column, known, _share(decision_threshold))
    return _regression(predictions, column)


def _classification(
    predictions: pa.Table, labels: pa.ChunkedArray, classes: ClassList, decision_threshold: float
) -> EvaluationReport:
    probable = gives_probabilities(predictions, len(classes.values))
    rows = ~missing(labels)
    truth = _true_classes(labels.filter(pa.array(rows)), classes)
    silent = missing_rows(predictions)
    if silent or not truth.size:
        metrics = _unmeasured("classification", truth.size, _silence(silent, predictions.num_rows))
    elif probable:
        given = probabilities(predictions, len(classes.values))[rows]
        metrics = _of_probabilities(probability.Forecast(truth, given, classes), decision_threshold)
    else:
        metrics = _of_classes(truth, predicted_classes(predictions, classes)[rows], classes.positive)
    return EvaluationReport(
        metrics=metrics,
        rows=truth.size,
        missing_predictions=silent,
        unseen_labels=int(np.count_nonzero(truth >= len(classes.values))),
        task="classification",
        classes=classes.values,
        positive=None if classes.positive is None else classes.values[classes.positive],
        missing_labels=len(labels) - truth.size,
        decision_threshold=decision_threshold if probable and classes.positive is not None else None,
    )


def _regression(predictions: pa.Table, labels: pa.ChunkedArray) -> EvaluationReport:
    check_values_column(predictions)
    rows = ~missing(labels)
    truth = numbers(labels.filter(pa.array(rows)), name="labels")
    silent = missing_rows(predictions)
    if silent or not truth.size:
        metrics = _unmeasured("regression", truth.size, _silence(silent, predictions.num_rows))
    else:
        predicted = numbers(predictions.column(PREDICTION), name="predictions")[rows]
        metrics = _in_order(_measured(regression.MEASURES, regression.Numbers(truth, predicted), truth.size))
    return EvaluationReport(
        metrics=metrics,
        rows=truth.size,
        missing_predictions=silent,
        unseen_labels=0,
        task="regression",
        classes=None,
        positive=None,
        missing_labels=len(labels) - truth.size,
    )


def _true_classes(labels: pa.ChunkedArray, classes: ClassList) -> Codes:
    column = plain(labels, name="labels")
    if len(column) and is_text(column) != isinstance(classes.values[0], str):
        raise EvaluationFailed(
            f"labels are of type {labels.type}; the classes of the model are {listed(classes.values)}"
        )
    return classes.codes(column)[0]


def _of_probabilities(forecast: probability.Forecast, decision_threshold: float) -> Mapping[str, Estimate]:
    rows = forecast.truth.size
    positive = forecast.classes.positive
    decided = chosen(forecast.probabilities, positive, decision_threshold)
    tally = classification.Tally.of(forecast.truth, decided, positive)
    of_classes = _measured(classification.MEASURES, tally, rows)
    return _in_order(chain(of_classes, _measured(probability.MEASURES, forecast, rows)))


def _of_classes(truth: Codes, predicted: Codes, positive: int | None) -> Mapping[str, Estimate]:
    tally = classification.Tally.of(truth, predicted, positive)
    nothing = Estimate(None, truth.size, "the predictor gave classes, not probabilities")
    of_classes = _measured(classification.MEASURES, tally, truth.size)
    return _in_order(chain(of_classes, ((name, nothing) for name in probability.MEASURES)))


def _measured(measures: Mapping[str, Callable[[_Rows], float]], of: _Rows, rows: int) -> _Named:
    """Each measure's estimate; numbers too large to square end as estimates without a value, not as warnings."""
    for name, measure in measures.items():
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                yield name, Estimate.of(measure(of), rows)
        except Undefined as undefined:
            yield name, Estimate(None, rows, str(undefined))


def _unmeasured(task: Task, rows: int, reason: str) -> Mapping[str, Estimate]:
    return {name: Estimate(None, rows, reason) for name, row in METRICS.items() if row.task == task}


def _in_order(named: Iterable[tuple[str, Estimate]]) -> Mapping[str, Estimate]:
    """The estimates in the order of the table of metrics."""
    found = dict(named)
    return {name: found[name] for name in METRICS if name in found}


def _silence(silent: int, rows: int) -> str:
    return f"{silent} of {rows} predictions are missing" if silent else "no row has a label"


def _share(decision_threshold: float) -> float:
    if type(decision_threshold) not in (int, float) or not 0 <= decision_threshold <= 1:
        raise EvaluationFailed(f"the decision threshold is {decision_threshold!r}; expected a number from 0 to 1")
    return float(decision_threshold)
