"""One evaluation: check, count, compute every metric of the task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from noa_mlops.errors import EvaluationFailed
from noa_mlops.evaluation.classes import ClassList, Codes, is_text, listed, missing, plain
from noa_mlops.evaluation.predictions import (
    PREDICTION,
    Floats,
    check_values_column,
    chosen,
    gives_probabilities,
    missing_rows,
    numbers,
    predicted_classes,
    probabilities,
)
from noa_mlops.evaluation.probability import Forecast
from noa_mlops.evaluation.quantile import Quantiles, check_quantile_columns, quantiles
from noa_mlops.evaluation.regression import Numbers
from noa_mlops.evaluation.subject import Classified, Groups, Subject, estimates
from noa_mlops.records.metrics import Needs, Task, metrics_of
from noa_mlops.records.verdict import ClassLabel, Estimate, EvaluationReport


@dataclass(frozen=True, slots=True)
class Asked:
    """What a regression is asked for.

    ``levels`` are the quantiles that it answers, one column ``q_..`` each, empty for one number. With ``ranks`` its numbers
    order the rows of each group, so the ranking metrics are measured too. ``scales`` are the errors that a naive forecast
    made in the training series of each row, NaN where there is none; None where no series is forecast.
    """

    levels: tuple[float, ...] = ()
    ranks: bool = False
    scales: Floats | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the metrics that such a model is measured by."""
        given: dict[Needs, bool] = {
            "quantiles": bool(self.levels),
            "groups": self.ranks,
            "series": self.scales is not None,
        }
        return metrics_of("regression", *(need for need, is_given in given.items() if is_given))


NUMBERS = Asked()
"""One number for each row."""


def evaluate(
    predictions: pa.Table,
    labels: pa.ChunkedArray | pa.Array,
    *,
    task: Task,
    classes: Sequence[ClassLabel] | None = None,
    positive: ClassLabel | None = None,
    decision_threshold: float = 0.5,
    asked: Asked = NUMBERS,
    group_by: pa.ChunkedArray | None = None,
) -> EvaluationReport:
    """Every metric of the task, from predictions and the withheld labels in the same row order.

    ``classes`` is the class list of the model: column ``p_i`` belongs to ``classes[i]``. With two classes a row
    counts as positive from the probability ``decision_threshold`` on, at it included; with more, the most
    probable class is predicted, the first of equals. Rows without a label (null or NaN) are left out and counted.
    A row without a prediction (null) leaves every metric without a value: a model that stays silent on
    the hard rows is not measured on the easy ones. A label that did not occur in training counts as an error.
    ``asked`` says what a regression answers when it is not one number for each row.
    ``group_by`` names the group of each row when rows are not independent: every spread is then that over groups.

    Raises `EvaluationFailed` naming what is wrong with the predictions, the labels or the class list.
    """
    column = labels if isinstance(labels, pa.ChunkedArray) else pa.chunked_array([labels])
    if predictions.num_rows != len(column):
        raise EvaluationFailed(f"predictions have {predictions.num_rows} rows; expected {len(column)}")
    groups = None if group_by is None else grouped(group_by, column)
    if task == "classification":
        known = ClassList.of(classes, positive)
        return _classification(predictions, column, known, share(decision_threshold), groups)
    return _regression(predictions, column, asked, groups)


def classified(
    predictions: pa.Table, labels: pa.ChunkedArray, classes: ClassList, decision_threshold: float
) -> Classified | None:
    """The rows with a label, answered by one model; None when there are none or a prediction is missing."""
    probable = gives_probabilities(predictions, len(classes.values))
    rows = ~missing(labels)
    truth = _true_classes(labels.filter(pa.array(rows)), classes)
    if missing_rows(predictions) or not truth.size:
        return None
    if not probable:
        return Classified(truth, predicted_classes(predictions, classes)[rows], classes.positive, None)
    given = probabilities(predictions, len(classes.values))[rows]
    decided = chosen(given, classes.positive, decision_threshold)
    return Classified(truth, decided, classes.positive, Forecast(truth, given, classes))


def answered(
    predictions: pa.Table, labels: pa.ChunkedArray, asked: Asked = NUMBERS, groups: Groups | None = None
) -> Numbers | Quantiles | None:
    """The rows with a label, answered by one model; None when there are none or a prediction is missing.

    ``groups`` are those of the rows with a label. Raises `EvaluationFailed` for a ranking without groups.
    """
    if asked.levels:
        check_quantile_columns(predictions, asked.levels)
    else:
        check_values_column(predictions)
    if asked.ranks and groups is None:
        raise EvaluationFailed("a ranking is measured by groups of rows, and there are none")
    rows = ~missing(labels)
    truth = numbers(labels.filter(pa.array(rows)), name="labels")
    if missing_rows(predictions) or not truth.size:
        return None
    scales = None if asked.scales is None else asked.scales[rows]
    if asked.levels:
        return Quantiles(truth, quantiles(predictions, asked.levels)[rows], asked.levels, scales)
    given = numbers(predictions.column(PREDICTION), name="predictions")[rows]
    return Numbers(truth, given, groups if asked.ranks else None, scales)


def _classification(
    predictions: pa.Table, labels: pa.ChunkedArray, classes: ClassList, decision_threshold: float, groups: Groups | None
) -> EvaluationReport:
    probable = gives_probabilities(predictions, len(classes.values))
    subject = classified(predictions, labels, classes, decision_threshold)
    rows, silent = int(np.count_nonzero(~missing(labels))), missing_rows(predictions)
    unseen = _true_classes(labels.filter(pa.array(~missing(labels))), classes) >= len(classes.values)
    wanted = metrics_of("classification")
    return EvaluationReport(
        metrics=_metrics(wanted, subject, groups, rows, _silence(silent, predictions.num_rows)),
        rows=rows,
        missing_predictions=silent,
        unseen_labels=int(np.count_nonzero(unseen)),
        task="classification",
        classes=classes.values,
        positive=None if classes.positive is None else classes.values[classes.positive],
        missing_labels=len(labels) - rows,
        decision_threshold=decision_threshold if probable and classes.positive is not None else None,
    )


def _regression(
    predictions: pa.Table, labels: pa.ChunkedArray, asked: Asked, groups: Groups | None
) -> EvaluationReport:
    subject = answered(predictions, labels, asked, groups)
    rows, silent = int(np.count_nonzero(~missing(labels))), missing_rows(predictions)
    return EvaluationReport(
        metrics=_metrics(asked.metrics, subject, groups, rows, _silence(silent, predictions.num_rows)),
        rows=rows,
        missing_predictions=silent,
        unseen_labels=0,
        task="regression",
        classes=None,
        positive=None,
        missing_labels=len(labels) - rows,
    )


def _metrics(
    wanted: Iterable[str], subject: Subject | None, groups: Groups | None, rows: int, silence: str
) -> Mapping[str, Estimate]:
    if subject is None:
        return {name: Estimate(None, rows, silence) for name in wanted}
    return estimates(subject, groups)


def grouped(column: pa.ChunkedArray, labels: pa.ChunkedArray) -> Groups:
    """The group of each row that has a label, as a number from 0 on; rows without a group are one group together."""
    kept = column.filter(pa.array(~missing(labels))).combine_chunks()
    return np.asarray(pc.dictionary_encode(kept, null_encoding="encode").indices.to_numpy(), dtype=np.int64)


def _true_classes(labels: pa.ChunkedArray, classes: ClassList) -> Codes:
    column = plain(labels, name="labels")
    if len(column) and is_text(column) != isinstance(classes.values[0], str):
        raise EvaluationFailed(
            f"labels are of type {labels.type}; the classes of the model are {listed(classes.values)}"
        )
    return classes.codes(column)[0]


def _silence(silent: int, rows: int) -> str:
    return f"{silent} of {rows} predictions are missing" if silent else "no row has a label"


def share(decision_threshold: float) -> float:
    """A decision threshold, checked."""
    if type(decision_threshold) not in (int, float) or not 0 <= decision_threshold <= 1:
        raise EvaluationFailed(f"the decision threshold is {decision_threshold!r}; expected a number from 0 to 1")
    return float(decision_threshold)
