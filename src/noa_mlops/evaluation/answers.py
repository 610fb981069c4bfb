"""What a predictor left behind, read back; and what the answers of a model amount to.

The file was written by a stranger's program: it is looked at before it is decoded, and read as plain columns with caps.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from noa_mlops.errors import EvaluationFailed
from noa_mlops.evaluation.classes import ClassList
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
from noa_mlops.evaluation.quantile import check_quantile_columns, quantiles
from noa_mlops.files import UnsafePath, open_beneath, read_capped
from noa_mlops.records.levels import columns
from noa_mlops.records.verdict import ClassLabel

FILES = ("predictions.parquet", "predictions.csv")
"""What a predictor may write; exactly one of them."""

MAX_BYTES = 4 << 30
"""Largest predictions file that is read."""

MAX_COLUMNS = 100_001
"""Most columns that predictions may have: a probability for each of 100,000 classes."""


def read_predictions(folder: Path, rows: int, classes: Sequence[ClassLabel] | None) -> pa.Table:
    """The ``rows`` predictions that a predictor left in ``folder``. Raises `EvaluationFailed`."""
    found = [name for name in FILES if os.path.lexists(folder / name)]
    if len(found) != 1:
        what = "both " + " and ".join(FILES) if found else "no " + " or ".join(FILES)
        raise EvaluationFailed(f"the predictor left {what} in out/", cause="predictions")
    try:
        with open_beneath(folder, found[0]) as stream:
            data = read_capped(stream, MAX_BYTES)
    except (OSError, UnsafePath) as error:
        raise EvaluationFailed(f"the predictor's {found[0]} cannot be read ({error})", cause="predictions") from error
    if data is None:
        raise EvaluationFailed(f"the predictor's {found[0]} is larger than {MAX_BYTES} bytes", cause="predictions")
    try:
        return _parquet(data, rows) if found[0].endswith("parquet") else _csv(data, classes)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0][:200]
        raise EvaluationFailed(f"the predictor's {found[0]} is not a table ({reason})", cause="predictions") from error


def check_rows(found: int, wanted: int) -> None:
    """Raise `EvaluationFailed` unless there is one prediction for each row."""
    if found != wanted:
        raise EvaluationFailed(f"the predictor was given {wanted} rows and answered with {found}", cause="predictions")


def chosen_classes(
    predictions: pa.Table,
    classes: Sequence[ClassLabel] | None,
    positive: ClassLabel | None = None,
    decision_threshold: float = 0.5,
) -> pa.Table:
    """The class of each row in a column ``prediction``, then the probabilities ``p_0`` .. if the model gives them.

    The class is chosen as in `evaluate`. Raises `EvaluationFailed` for predictions that are not such, or not for each row.
    """
    known = ClassList.of(classes, positive)
    probable = gives_probabilities(predictions, len(known.values))
    _check_complete(predictions)
    if not probable:
        codes, columns = predicted_classes(predictions, known), {}
    else:
        given = probabilities(predictions, len(known.values))
        codes = chosen(given, known.positive, decision_threshold)
        columns = {f"p_{position}": pa.array(given[:, position]) for position in range(len(known.values))}
    return pa.table({PREDICTION: pa.array(known.values).take(pa.array(codes)), **columns})


def predicted_values(predictions: pa.Table) -> pa.Table:
    """The number of each row in a column ``prediction``. Raises `EvaluationFailed` for predictions that are not such."""
    check_values_column(predictions)
    _check_complete(predictions)
    return pa.table({PREDICTION: np.asarray(numbers(predictions.column(PREDICTION), name="predictions"))})


def predicted_quantiles(predictions: pa.Table, levels: Sequence[float]) -> pa.Table:
    """The number of each row at each level, in columns ``q_..``. Raises `EvaluationFailed` for predictions that are not such."""
    check_quantile_columns(predictions, levels)
    _check_complete(predictions)
    given = quantiles(predictions, levels)
    return pa.table({name: given[:, place] for place, name in enumerate(columns(levels))})


def _check_complete(predictions: pa.Table) -> None:
    if silent := missing_rows(predictions):
        raise EvaluationFailed(f"{silent} of {predictions.num_rows} predictions are missing", cause="predictions")


def _parquet(data: bytes, rows: int) -> pa.Table:
    """Looked at before it is decoded: a few bytes can stand for any number of rows or a huge repeated text."""
    names = pa.parquet.read_schema(pa.BufferReader(data)).names
    texts = [name for name in (PREDICTION,) if name in names]
    file = pa.parquet.ParquetFile(pa.BufferReader(data), read_dictionary=texts)
    check_rows(file.metadata.num_rows, rows)
    if file.metadata.num_columns > MAX_COLUMNS:
        raise ValueError(f"it has {file.metadata.num_columns} columns")
    nested = [field.name for field in file.schema_arrow if pa.types.is_nested(field.type)]
    if nested:
        raise ValueError(f"the column {nested[0]!r} is nested")
    return file.read()


def _csv(data: bytes, classes: Sequence[ClassLabel] | None) -> pa.Table:
    """Class labels that are text stay text, also when they look like numbers."""
    text = classes is not None and any(isinstance(label, str) for label in classes)
    types = {PREDICTION: pa.string()} if text else {}
    return pa.csv.read_csv(pa.BufferReader(data), convert_options=pa.csv.ConvertOptions(column_types=types))
