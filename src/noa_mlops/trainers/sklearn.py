"""The profiles sklearn-classifier and sklearn-regressor.

``out/model.skops`` holds the fitted pipeline, ``out/model.json`` how columns become its input. Neither can run code
when it is read: skops constructs only types that it or `noa_mlops.trainers.model_archive` lists.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noa_mlops.trainers.contract import JobInvalid
from noa_mlops.trainers.estimators import KINDS, Estimator
from noa_mlops.trainers.hyperparameters import check_hyperparameters, chosen_estimator
from noa_mlops.trainers.job import Job
from noa_mlops.trainers.launch import Stages, launch, say

if TYPE_CHECKING:
    import numpy as np
    from sklearn.base import BaseEstimator

    from noa_mlops.trainers.encoding import Encoding, Matrix

FIT_ERRORS = (ValueError, TypeError, ArithmeticError)
"""What scikit-learn raises for data or values that an estimator cannot take."""

STAGES = ("read", "prepare", "fit", "save", "done")
"""What a training reports."""


def train(job: Job) -> None:
    """Fit the estimator that the plan names and store it in ``job.out``. Raises `JobInvalid`."""
    estimator, values = _chosen(job)
    stages = Stages(job, STAGES)
    stages.begin("read")
    from noa_mlops.trainers import encoding, targets

    wanted = targets.of_classes if estimator.kind == "classifier" else targets.of_numbers
    rows, y = wanted(job.table(), job.target, job.classes)
    stages.begin("prepare", f"{rows.num_rows} rows")
    encodings = encoding.learn(rows, job.features, estimator.most_categories(values))
    features = encoding.features(encodings)
    matrix = encoding.encode(rows, encodings)
    if estimator.kind == "classifier":
        values = targets.with_class_weights(values, job.classes)
    from noa_mlops.trainers import model_archive, model_facts, pipelines

    model = pipelines.build(estimator, values, features, rows=len(y), seed=job.seed, cpus=job.cpus)
    notes = encoding.notes(encodings)
    for note in notes:
        say(note)
    stages.begin("fit", "; ".join((f"{estimator.name}, {len(features)} features", *notes)))
    _fit(model, matrix, y, estimator)
    stages.begin("save")
    model_archive.save(job.out, model)
    model_facts.save(job.out, _facts(job, estimator, encodings, len(y)))
    stages.begin("done")


def predict(job: Job) -> None:
    """Answer with the model in ``job.model``. Raises `JobInvalid`."""
    predict_with(job, job.model)


def predict_with(job: Job, folder: Path) -> None:
    """Answer with the model in ``folder``, which a training of this module filled. Raises `JobInvalid`."""
    from noa_mlops.trainers import encoding, model_facts

    facts = model_facts.load(folder)
    if facts["task"] != job.task:
        raise JobInvalid(f"the model is for {facts['task']}, the plan asks for {job.task}")
    try:
        encodings = encoding.from_document(facts["columns"])
    except (LookupError, TypeError) as error:
        raise JobInvalid(f"model.json describes no columns: {error!r}") from error
    matrix = encoding.encode(job.table(), encodings)
    from noa_mlops.trainers import model_archive

    model = model_archive.load(folder, facts)
    try:
        job.write_predictions(_answers(model, matrix, facts["classes"], job.classes))
    except FIT_ERRORS as error:
        raise JobInvalid(f"the model cannot predict: {error}") from error


def _chosen(job: Job) -> tuple[Estimator, dict[str, Any]]:
    """The estimator of the plan, and the hyperparameters meant for it."""
    kind = KINDS.get(job.profile)
    if kind is None:
        raise JobInvalid(f"the profile {job.profile!r} is not trained by scikit-learn; it is one of {', '.join(KINDS)}")
    problems = check_hyperparameters(job.profile, job.params)
    estimator = chosen_estimator(kind, job.params)
    if problems or estimator is None:
        raise JobInvalid("; ".join(problems))
    return estimator, {name: value for name, value in job.params.items() if name != "estimator"}


def _fit(model: BaseEstimator, matrix: Matrix, y: np.ndarray[Any, Any], estimator: Estimator) -> None:
    try:
        model.fit(matrix, y)
    except FIT_ERRORS as error:
        raise JobInvalid(f"{estimator.name} cannot be fitted: {error}") from error


def _facts(job: Job, estimator: Estimator, encodings: Sequence[Encoding], rows: int) -> dict[str, Any]:
    from noa_mlops.trainers import encoding

    return {
        "profile": job.profile,
        "task": job.task,
        "estimator": estimator.name,
        "hyperparameters": dict(job.params),
        "seed": job.seed,
        "target": job.target,
        "classes": list(job.classes),
        "rows": rows,
        "features": [feature.name for feature in encoding.features(encodings)],
        "notes": list(encoding.notes(encodings)),
        "columns": encoding.to_document(encodings),
    }


def _answers(
    model: BaseEstimator, matrix: Matrix, classes: Sequence[Any], asked: Sequence[Any]
) -> np.ndarray[Any, Any] | list[Any]:
    """Numbers for a regression; else probabilities in the order of ``asked``, or classes if there are none.

    The model speaks of classes by their position in ``classes``, as it learnt them.
    """
    import numpy as np

    if not asked:
        return model.predict(matrix) if len(matrix) else np.empty(0)
    if list(classes) != list(asked):
        raise JobInvalid(f"the model knows the classes {classes[:10]}, the plan asks for {list(asked[:10])}")
    if not hasattr(model, "predict_proba"):
        return [classes[i] for i in model.predict(matrix)] if len(matrix) else []
    probabilities = np.zeros((len(matrix), len(classes)))
    if len(matrix):
        probabilities[:, model.classes_] = model.predict_proba(matrix)
    return probabilities


if __name__ == "__main__":
    sys.exit(launch(train, predict))
