"""The verifier's side of a measurement: withhold the labels, take the predictions back, compute.

The labels never leave this process. What a predictor wrote is untrusted: it is read as plain columns, with caps,
and put back into the order of the dataset before anything is compared.
"""

from __future__ import annotations

import hashlib
import io
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from noa_mlops.datasets import Dataset, inverse, permutation, reordered
from noa_mlops.errors import EvaluationFailed
from noa_mlops.evaluation import evaluate
from noa_mlops.files import UnsafePath, open_beneath, read_capped, write_durably
from noa_mlops.lifecycle.intake import Submission
from noa_mlops.records.verdict import ClassLabel, EvaluationReport

FILES = ("predictions.parquet", "predictions.csv")
"""What a predictor may write; exactly one of them."""

MAX_BYTES = 4 << 30
"""Largest predictions file that is read."""

MAX_COLUMNS = 100_001
"""Most columns that predictions may have: a probability for each of 100,000 classes."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """Evaluation rows taken apart: features in a drawn order, labels in the dataset's order."""

    features: pa.Table
    labels: pa.ChunkedArray
    order: npt.NDArray[np.int64]

    def restore(self, predictions: pa.Table) -> pa.Table:
        """Predictions in the order of the labels. Raises `EvaluationFailed` when their number is wrong."""
        check_rows(predictions.num_rows, len(self.order))
        return reordered(predictions, inverse(self.order))


def withhold(dataset: Dataset, target: str) -> Withheld:
    """Split off the labels and shuffle the rest; a dataset declared as ordered keeps its order.

    The order is drawn anew each time from the machine's randomness: it need not be repeatable, since metrics are
    computed in the dataset's own order.
    """
    rows = dataset.table.num_rows
    ordered = dataset.definition.ordered
    order = np.arange(rows, dtype=np.int64) if ordered else permutation(rows, secrets.randbits(128))
    features = dataset.table.drop_columns([target, *(name for name in dataset.definition.ignore if name != target)])
    return Withheld(reordered(features, order), dataset.table.column(target), order)


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


def _parquet(data: bytes, rows: int) -> pa.Table:
    """Looked at before it is decoded: a few bytes can stand for any number of rows or a huge repeated text."""
    names = pa.parquet.read_schema(pa.BufferReader(data)).names
    texts = [name for name in ("prediction",) if name in names]
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
    types = {"prediction": pa.string()} if text else {}
    return pa.csv.read_csv(pa.BufferReader(data), convert_options=pa.csv.ConvertOptions(column_types=types))


def check_rows(found: int, wanted: int) -> None:
    """Raise `EvaluationFailed` unless there is one prediction for each row."""
    if found != wanted:
        raise EvaluationFailed(f"the predictor was given {wanted} rows and answered with {found}", cause="predictions")


def measure(predictions: pa.Table, labels: pa.ChunkedArray, given: Submission) -> EvaluationReport:
    """Every metric of the task. Raises `EvaluationFailed` for predictions that are not such."""
    try:
        return evaluate(
            predictions,
            labels,
            task=given.task,
            classes=given.classes,
            positive=given.positive,
            decision_threshold=given.plan.decision_threshold,
        )
    except EvaluationFailed as error:
        raise EvaluationFailed(str(error), cause="predictions", hint=error.hint) from error


def keep_predictions(predictions: pa.Table, path: Path) -> str:
    """Write the predictions, in the order of the dataset, durably; their SHA-256."""
    sink = io.BytesIO()
    pa.parquet.write_table(predictions, sink, compression="zstd")
    data = sink.getvalue()
    write_durably(path, data)
    return hashlib.sha256(data).hexdigest()
