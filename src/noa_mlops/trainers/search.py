"""Trials: the same training with other hyperparameters, compared on rows that it does not learn from.

Those rows were split off the training data; the evaluation data is out of reach here. The result is a hint for the
training that follows, trusted by nobody: the model that it leads to is measured like any other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from noa_mlops.trainers.contract import JobInvalid
from noa_mlops.trainers.job import Job

FILE = "search.json"
"""The table of trials, in the folder of the model."""

Score = Callable[[Any, Any], float]
"""Truth, and what the model gives for it: a probability of the positive class or of every class, a class, a number."""

Fit = Callable[[Mapping[str, Any]], "Fitted"]
"""Trains with some hyperparameters on the rows to learn from."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model of one trial, asked about the validation rows; ``positive`` is the place of the positive class."""

    truth: npt.NDArray[Any]
    predicted: npt.NDArray[Any]
    probabilities: npt.NDArray[Any] | None
    positive: int


def best(job: Job, wanted: Mapping[str, Any], fit: Fit) -> Mapping[str, Any]:
    """The hyperparameters of the best trial; the first of equals. Writes the table, tells each trial.

    Raises `JobInvalid` when no trial could be trained and scored.
    """
    metric, sign = wanted["metric"], 1 if wanted["higher_is_better"] else -1
    trials: Sequence[Mapping[str, Any]] = wanted["trials"]
    table: list[dict[str, Any]] = []
    for number, drawn in enumerate(trials, 1):
        row: dict[str, Any] = {"hyperparameters": dict(drawn)}
        try:
            row[metric] = score(metric, fit(drawn))
        except (JobInvalid, ValueError) as error:
            row["error"] = str(error)
        table.append(row)
        told = f"{row[metric]:.4g}" if metric in row else f"failed: {row['error']}"
        job.progress(step=number, of=len(trials), message=f"trial {number}: {metric} {told} with {json.dumps(drawn)}")
    scored = [number for number, row in enumerate(table) if metric in row]
    if not scored:
        raise JobInvalid(f"no trial of the search could be scored; the first: {table[0]['error']}")
    chosen = max(scored, key=lambda number: (sign * table[number][metric], -number))
    write(job.out / FILE, {"metric": metric, "best": chosen + 1, "trials": table})
    return trials[chosen]


def score(metric: str, fitted: Fitted) -> float:
    """The metric of one trial, by scikit-learn. Raises `ValueError` when it cannot be computed."""
    from sklearn import metrics

    truth, predicted = fitted.truth, fitted.predicted
    hits = truth == fitted.positive
    plain = {
        "accuracy": metrics.accuracy_score,
        "balanced_accuracy": metrics.balanced_accuracy_score,
        "mcc": metrics.matthews_corrcoef,
        "r2": metrics.r2_score,
        "mae": metrics.mean_absolute_error,
        "rmse": metrics.root_mean_squared_error,
        "median_ae": metrics.median_absolute_error,
    }
    if metric in plain:
        value = plain[metric](truth, predicted)
    elif metric == "f1":
        value = metrics.f1_score(hits, predicted == fitted.positive, zero_division=0.0)
    elif fitted.probabilities is None:
        raise ValueError(f"{metric} needs probabilities, which this estimator does not give")
    elif metric == "log_loss":
        value = metrics.log_loss(truth, fitted.probabilities, labels=range(fitted.probabilities.shape[1]))
    else:
        ranked = {"roc_auc": metrics.roc_auc_score, "average_precision": metrics.average_precision_score}[metric]
        value = ranked(hits, fitted.probabilities[:, fitted.positive])
    if not np.isfinite(value):
        raise ValueError(f"{metric} is not a number on the validation rows")
    return float(value)


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Write the table of trials."""
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
