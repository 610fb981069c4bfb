"""The profiles sklearn-classifier and sklearn-regressor.

``out/model.skops`` holds the fitted pipeline, ``out/model.json`` how columns become its input. Neither can run code
when it is read: skops constructs only types that it or `noa_mlops.trainers.model_archive` lists.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noa_mlops.trainers.contract import JobInvalid
from noa_mlops.trainers.estimators import KINDS, QUANTILE_SETTINGS, Estimator
from noa_mlops.trainers.hyperparameters import check_hyperparameters, check_quantiles, chosen_estimator
from noa_mlops.trainers.job import Job
from noa_mlops.trainers.launch import Stages, launch, say

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from sklearn.base import BaseEstimator

    from noa_mlops.trainers.encoding import Encoding, Matrix

FIT_ERRORS = (ValueError, TypeError, ArithmeticError)
"""What scikit-learn raises for data or values that an estimator cannot take."""

STAGES = ("read", "prepare", "fit", "save", "done")
"""What a training reports."""


def train(job: Job) -> None:
    """Fit the estimator that the plan names and store it in ``job.out``. Raises `JobInvalid`."""
    _chosen(job.profile, job.params)
    if job.quantiles and (problems := check_quantiles(job.profile, job.params)):
        raise JobInvalid("; ".join(problems))
    stages = Stages(job, STAGES)
    stages.begin("read")
    from noa_mlops.trainers import encoding, model_archive, model_facts, targets

    wanted = targets.of_classes if KINDS[job.profile] == "classifier" else targets.of_numbers
    rows, y = wanted(job.data.table(), job.target, job.classes)
    stages.begin("prepare", f"{rows.num_rows} rows")
    prepared = _prepare(job, rows)
    features, notes = encoding.features(prepared.encodings), encoding.notes(prepared.encodings)
    for note in notes:
        say(note)
    stages.begin("fit", "; ".join((f"{prepared.estimator.name}, {len(features)} features", *notes)))
    model = [_fitted(job, at, y) for at in _of_levels(job, prepared)] if job.quantiles else _fitted(job, prepared, y)
    stages.begin("save")
    model_archive.save(job.out, model)
    facts = model_facts.of_training(job, prepared.encodings, len(y), prepared.estimator.name)
    model_facts.save(job.out, facts)
    stages.begin("done")


@dataclass(frozen=True, slots=True)
class Prepared:
    """Training rows as numbers, and what is to learn from them."""

    estimator: Estimator
    values: dict[str, Any]
    encodings: Sequence[Encoding]
    matrix: Matrix


def _prepare(job: Job, rows: pa.Table) -> Prepared:
    """Encode the rows for the estimator that the plan names. Raises `JobInvalid`."""
    from noa_mlops.trainers import encoding, targets

    estimator, values = _chosen(job.profile, job.params)
    encodings = encoding.learn(rows, job.features, estimator.most_categories(values))
    matrix = encoding.encode(rows, encodings)
    if estimator.kind == "classifier":
        values = targets.with_class_weights(values, job.classes)
    return Prepared(estimator, values, encodings, matrix)


def _of_levels(job: Job, given: Prepared) -> Iterator[Prepared]:
    """The same rows for an estimator of each quantile of the job."""
    fixed, level = QUANTILE_SETTINGS[given.estimator.name]
    for quantile in job.quantiles:
        yield replace(given, values={**given.values, **fixed, level: quantile})


def _fitted(job: Job, given: Prepared, y: np.ndarray[Any, Any]) -> BaseEstimator:
    """The model, fitted. Raises `JobInvalid`."""
    from noa_mlops.trainers import encoding, pipelines

    features = encoding.features(given.encodings)
    model = pipelines.build(given.estimator, given.values, features, rows=len(y), seed=job.seed, cpus=job.cpus)
    try:
        model.fit(given.matrix, y)
    except FIT_ERRORS as error:
        raise JobInvalid(f"{given.estimator.name} cannot be fitted: {error}") from error
    return model


def predict(job: Job) -> None:
    """Answer with the model in ``job.model``. Raises `JobInvalid`."""
    predict_with(job, job.model)


def predict_with(job: Job, folder: Path) -> None:
    """Answer with the model in ``folder``, which a training of this module filled. Raises `JobInvalid`."""
    from noa_mlops.trainers import model_facts

    facts = model_facts.load(folder)
    matrix = model_facts.matrix_of(job, facts)
    from noa_mlops.trainers import model_archive

    model = model_archive.load(folder, facts)
    try:
        job.write_predictions(_answers(model, matrix, job.classes))
    except FIT_ERRORS as error:
        raise JobInvalid(f"the model cannot predict: {error}") from error


def _chosen(profile: str, params: Mapping[str, Any]) -> tuple[Estimator, dict[str, Any]]:
    """The estimator that hyperparameters name, and those meant for it. Raises `JobInvalid`."""
    kind = KINDS.get(profile)
    if kind is None:
        raise JobInvalid(f"the profile {profile!r} is not trained by scikit-learn; it is one of {', '.join(KINDS)}")
    problems = check_hyperparameters(profile, params)
    estimator = chosen_estimator(kind, params)
    if problems or estimator is None:
        raise JobInvalid("; ".join(problems))
    return estimator, {name: value for name, value in params.items() if name != "estimator"}


def _answers(
    model: BaseEstimator | list[BaseEstimator], matrix: Matrix, classes: Sequence[Any]
) -> np.ndarray[Any, Any] | list[Any]:
    """Numbers for a regression, of each quantile if several models were learnt; else probabilities in the order of ``classes``.

    A classifier without probabilities answers classes. The model speaks of classes by their position in ``classes``.
    """
    import numpy as np

    if isinstance(model, list):
        return np.column_stack([one.predict(matrix) if len(matrix) else np.empty(0) for one in model])
    if not classes:
        return model.predict(matrix) if len(matrix) else np.empty(0)
    if not hasattr(model, "predict_proba"):
        return [classes[i] for i in model.predict(matrix)] if len(matrix) else []
    probabilities = np.zeros((len(matrix), len(classes)))
    if len(matrix):
        probabilities[:, model.classes_] = model.predict_proba(matrix)
    return probabilities


if __name__ == "__main__":
    sys.exit(launch(train, predict))
