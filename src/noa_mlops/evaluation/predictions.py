"""Predictions as a stranger hands them in: checked to the last cell before anything is computed from them.

The columns must be exactly those of the contract: ``p_0`` .. ``p_k-1`` with a probability per class, or
``prediction`` with a class or a number per row. Anything else in the table, a metric of the trainer's own
included, refuses the whole.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from noa_mlops.errors import EvaluationFailed
from noa_mlops.evaluation.classes import ClassList, Codes, is_text, listed, plain

Floats = npt.NDArray[np.float64]
"""Numbers: one per row, or one per row and class."""

PREDICTION = "prediction"
"""The column of predicted classes or numbers."""

ROUNDING = 1e-6
"""How far a probability may lie outside of [0, 1], and a row's sum from 1, before it counts as more than rounding."""

SUM_TOLERANCE = 1e-3
"""How far the sum of a row may be from 1; beyond `ROUNDING` the row is divided by its sum."""


def gives_probabilities(predictions: pa.Table, classes: int) -> bool:
    """Whether the table has a probability per class, or else one predicted class per row.

    Raises `EvaluationFailed` when its columns are neither.
    """
    names = predictions.column_names
    if names == [PREDICTION]:
        return False
    expected = [f"p_{position}" for position in range(classes)]
    if sorted(names) == sorted(expected):
        return True
    wanted = expected[0] if classes == 1 else f"p_0 .. p_{classes - 1}"
    raise EvaluationFailed(
        f"predictions have the columns {listed(names) or 'none'}; expected {wanted}, or {PREDICTION}"
    )


def check_values_column(predictions: pa.Table) -> None:
    """Raises `EvaluationFailed` unless the one column of the table is ``prediction``."""
    if predictions.column_names != [PREDICTION]:
        raise EvaluationFailed(
            f"predictions have the columns {listed(predictions.column_names) or 'none'}; expected {PREDICTION}"
        )


def missing_rows(predictions: pa.Table) -> int:
    """How many rows lack a prediction, or a part of one: null, not NaN."""
    absent = np.zeros(predictions.num_rows, dtype=np.bool_)
    for column in predictions.columns:
        if column.null_count:
            absent |= pc.is_null(column).to_numpy()
    return int(absent.sum())


def numbers(column: pa.ChunkedArray, *, name: str) -> Floats:
    """A column without nulls as finite 64-bit numbers. Raises `EvaluationFailed` for anything else."""
    kind = column.type
    if not (pt.is_null(kind) or pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind)):
        raise EvaluationFailed(f"{name} must be numbers, but are of type {kind}")
    values = np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy())
    wrong = int(values.size - np.count_nonzero(np.isfinite(values)))
    if wrong:
        raise EvaluationFailed(f"{name} have {wrong} values that are not finite numbers, of {values.size}")
    return values


def probabilities(predictions: pa.Table, classes: int) -> Floats:
    """The probability of each class, one row per row; every row adds up to 1.

    Rounding is forgiven: up to 1e-6 outside of [0, 1] is cut off, and rows whose sum is within 1e-3 of 1 but
    not within 1e-6 are divided by it. Raises `EvaluationFailed` for anything beyond.
    """
    matrix = np.empty((predictions.num_rows, classes), order="F")
    for position in range(classes):
        name = f"p_{position}"
        matrix[:, position] = numbers(predictions.column(name), name=f"predictions in {name}")
    outside = int(np.count_nonzero(((matrix < -ROUNDING) | (matrix > 1 + ROUNDING)).any(axis=1)))
    if outside:
        raise EvaluationFailed(f"predictions have {outside} rows with a probability outside of 0 to 1")
    return _adding_up(np.clip(matrix, 0.0, 1.0, out=matrix))


def chosen(matrix: Floats, positive: int | None, decision_threshold: float) -> Codes:
    """The class that each row's probabilities amount to; ``positive`` is the position of the positive one of two."""
    if positive is None:
        return np.asarray(matrix.argmax(axis=1))
    return np.where(matrix[:, positive] >= decision_threshold, positive, 1 - positive)


def _adding_up(matrix: Floats) -> Floats:
    sums = matrix.sum(axis=1)
    distance = np.abs(sums - 1.0)
    wrong = int(np.count_nonzero(distance > SUM_TOLERANCE))
    if wrong:
        raise EvaluationFailed(
            f"predictions have {wrong} rows whose probabilities do not add up to 1 (within {SUM_TOLERANCE:g})"
        )
    inexact = distance > ROUNDING
    if inexact.any():
        matrix[inexact] /= sums[inexact, np.newaxis]
    return matrix


def predicted_classes(predictions: pa.Table, classes: ClassList) -> Codes:
    """The position of each predicted class. Raises `EvaluationFailed` for one that the model does not have."""
    column = plain(predictions.column(PREDICTION), name="predictions")
    codes, unknown = classes.codes(column)
    if unknown:
        written = "text" if is_text(column) else "a number or truth value"
        raise EvaluationFailed(
            f"predictions have classes that the model does not have: {listed(unknown)} ({written}); "
            f"its classes are {listed(classes.values)}"
        )
    return codes
