"""The verifier's side of a measurement: withhold the labels, take the predictions back, compute.

The labels never leave this process. What a predictor wrote is put back into the order of the dataset before anything
is compared.
"""

from __future__ import annotations

import hashlib
import io
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from noa_mlops.datasets import Dataset, inverse, overlap, permutation, reordered
from noa_mlops.errors import EvaluationFailed
from noa_mlops.evaluation import Answers, Asked, check_rows, evaluate, measure_slices
from noa_mlops.files import UnsafePath, open_beneath, write_unnamed
from noa_mlops.lifecycle.intake import Submission
from noa_mlops.lifecycle.runs import Run
from noa_mlops.records.events import EvaluationLogged
from noa_mlops.records.overlap import Overlap
from noa_mlops.records.slices import Sliced
from noa_mlops.records.verdict import EvaluationReport


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
    features = dataset.table.drop_columns([target, *(name for name in dataset.definition.hidden if name != target)])
    return Withheld(reordered(features, order), dataset.table.column(target), order)


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
            group_by=groups_of(given),
            asked=asked_of(given),
        )
    except EvaluationFailed as error:
        raise EvaluationFailed(str(error), cause="predictions", hint=error.hint) from error


def measure_apart(predictions: pa.Table, labels: pa.ChunkedArray, given: Submission) -> Mapping[str, Sliced]:
    """What the plan asks for in slices of the rows, by column; for predictions that `measure` could read."""
    answers = Answers(predictions, given.classes, given.plan.decision_threshold, asked_of(given))
    return measure_slices(
        answers,
        labels,
        given.slices,
        task=given.task,
        positive=given.positive,
        group_by=groups_of(given),
    )


def asked_of(given: Submission, levels: tuple[float, ...] | None = None) -> Asked:
    """What a regression is asked for; ``levels`` are those of a model that answers others than the plan asks for."""
    scales = None if given.forecast is None else given.forecast.scales
    return Asked(given.plan.quantiles if levels is None else levels, ranks=given.ranks, scales=scales)


def groups_of(given: Submission) -> pa.ChunkedArray | None:
    """The group of each evaluation row; None when rows are independent."""
    return None if given.grouping is None else given.grouping.values


def seen_in_training(given: Submission) -> Overlap:
    """How many rows of the evaluation data are training rows: by the key when both sides declare the same, else by content.

    Raises `EvaluationFailed` without evaluation data.
    """
    if given.evaluation is None:
        raise EvaluationFailed("the plan names no evaluation data", cause="no_data")
    key, keys = given.train.definition.key, given.evaluation_keys
    if key is None or keys is None or keys.type != given.train.table.column(key).type:
        return overlap(given.train.table, given.evaluation.table)
    return overlap(given.train.table.select([key]), pa.table({key: keys}), key)


def keep_predictions(predictions: pa.Table, path: Path) -> str:
    """Write the predictions, in the order of the dataset, durably; their SHA-256."""
    data = parquet(predictions)
    write_unnamed(path, data)
    return hashlib.sha256(data).hexdigest()


def answered_otherwise(predictions: pa.Table, others: pa.Table) -> int:
    """On how many rows two tables of predictions, of one plan and in one order, are not the same to the last digit."""
    otherwise = np.zeros(predictions.num_rows, dtype=bool)
    for name in predictions.column_names:
        one, other = predictions.column(name), others.column(name)
        apart = pc.fill_null(pc.not_equal(one, other), fill_value=False)
        silent = pc.xor(pc.is_null(one), pc.is_null(other))
        otherwise |= pc.or_(apart, silent).to_numpy()
    return int(np.count_nonzero(otherwise))


def parquet(predictions: pa.Table) -> bytes:
    """Predictions as they are kept."""
    sink = io.BytesIO()
    pa.parquet.write_table(predictions, sink, compression="zstd")
    return sink.getvalue()


def answers_of(run: Run, measured: EvaluationLogged | None) -> pa.Table | None:
    """What a version said of its evaluation rows when it was ``measured``; None when that were other rows, or nothing.

    Raises `EvaluationFailed` as `kept_predictions`.
    """
    evaluation = run.submission.evaluation
    if measured is None or measured.predictions is None or evaluation is None:
        return None
    if evaluation.identity.fingerprint != measured.dataset["fingerprint"]:
        return None
    return kept_predictions(run.predictions, measured.predictions)


def kept_predictions(path: Path, digest: str | None) -> pa.Table:
    """What `keep_predictions` wrote. Raises `EvaluationFailed` when it is not there or has another digest."""
    try:
        with open_beneath(path.parent, path.name) as stream:
            data = stream.read()
    except (OSError, UnsafePath) as error:
        raise EvaluationFailed(f"the predictions that were measured are gone: {error}", cause="predictions") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise EvaluationFailed(f"{path} is not what was measured", cause="predictions")
    return pa.parquet.read_table(io.BytesIO(data))
