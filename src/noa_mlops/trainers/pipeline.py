"""The profile sklearn-pipeline: a pipeline of the user's own, handed over unfitted, fitted here.

The plan names the pipeline as a ``.skops`` file and the files of its own classes under ``code``. It may hold what
scikit-learn is made of, what those files define, and what the plan lists as ``trusted``; nothing else is constructed.
It gets a pandas DataFrame where pandas is installed, else a NumPy array when all features are numbers.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noa_mlops.files import open_beneath
from noa_mlops.trainers.contract import JobInvalid
from noa_mlops.trainers.hyperparameters import check_hyperparameters, pipeline_parameters
from noa_mlops.trainers.job import Job
from noa_mlops.trainers.launch import Stages, explained, launch

if TYPE_CHECKING:
    import pyarrow as pa
    from sklearn.base import BaseEstimator

STAGES = ("read", "fit", "save", "done")
"""What a training reports."""


def train(job: Job) -> None:
    """Fit the pipeline on the rows that have a label and store it in ``job.out``. Raises `JobInvalid`."""
    if problems := check_hyperparameters("sklearn-pipeline", job.params):
        raise JobInvalid("; ".join(problems))
    stages = Stages(job, STAGES)
    stages.begin("read")
    import numpy as np

    from noa_mlops.trainers import model_archive, model_facts, packing, targets

    allowed = packing.allowed(_untrusted(job), job.code_files, _trusted(job))
    _make_importable(job)
    model = packing.unpack(_archive(job), allowed)
    _set(model, pipeline_parameters(job.params))
    packing.seed(model, job.seed)
    if job.task == "classification":
        rows, codes = targets.of_classes(job.data.table(), job.target, job.classes)
        y = np.asarray(job.classes)[codes]
    else:
        rows, y = targets.of_numbers(job.data.table(), job.target)
    stages.begin("fit", f"{type(model).__name__} on {rows.num_rows} rows")
    _attempt(lambda: model.fit(_features(rows.drop_columns([job.target])), y), "the pipeline cannot be fitted")
    stages.begin("save")
    model_archive.save(job.out, model, packing.allowed(packing.untrusted(model), job.code_files, _trusted(job)))
    facts = {"profile": job.profile, "task": job.task, "seed": job.seed, "target": job.target, "rows": len(y)}
    columns = [{"name": column.name, "type": column.type} for column in job.features]
    model_facts.save(job.out, {**facts, "classes": list(job.classes), "columns": columns})
    stages.begin("done")


def predict(job: Job) -> None:
    """Answer with the pipeline in ``job.model``. Raises `JobInvalid`."""
    from noa_mlops.trainers import model_archive, model_facts, packing

    facts = model_facts.load(job.model)
    _make_importable(job)
    with open_beneath(job.model, model_archive.FILE) as stream:
        found = packing.untrusted_in(stream.read())
    model = model_archive.load(job.model, facts, packing.allowed(found, job.code_files, _trusted(job)))
    table = job.data.table()
    answers = _attempt(lambda: _answers(model, _features(table), job), "the pipeline cannot predict")
    job.write_predictions(answers)


def _answers(model: BaseEstimator, features: Any, job: Job) -> Any:
    """Numbers for a regression; probabilities in the order of the classes, or classes where there are none."""
    import numpy as np

    if job.task != "classification":
        return np.asarray(model.predict(features), dtype=float)
    if not hasattr(model, "predict_proba"):
        return np.asarray(model.predict(features)).tolist()
    found = np.asarray(model.predict_proba(features))
    places = {label: place for place, label in enumerate(job.classes)}
    probabilities = np.zeros((len(found), len(job.classes)))
    probabilities[:, [places[label] for label in np.asarray(model.classes_).tolist()]] = found
    return probabilities


def _features(table: pa.Table) -> Any:
    if find_spec("pandas") is not None:
        return table.to_pandas()
    import numpy as np

    from noa_mlops.trainers.tables import as_arrays

    columns = as_arrays(table)
    if other := [name for name, values in columns.items() if values.dtype.kind not in "fiub"]:
        raise JobInvalid(
            f"the columns {', '.join(other[:8])} are no numbers: a pipeline gets them as a DataFrame, by pandas"
        )
    return np.column_stack([values.astype(float) for values in columns.values()])


def _attempt(step: Any, failure: str) -> Any:
    """Do a step of the user's code; what scikit-learn or that code raises becomes one line."""
    try:
        return step()
    except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
        reason = str(error).strip().splitlines()
        raise JobInvalid(
            f"{failure}: {type(error).__name__}: {reason[0] if reason else ''}{explained(error)}"
        ) from error


def _set(model: BaseEstimator, parameters: Mapping[str, Any]) -> None:
    try:
        model.set_params(**parameters)
    except ValueError as error:
        raise JobInvalid(" ".join(f"hyperparameters: {error}".split())[:500]) from error


def _archive(job: Job) -> bytes:
    path = str(job.params["pipeline"])
    if path not in job.code_files:
        raise JobInvalid(f"the pipeline {path} does not stand under 'code'")
    with open_beneath(job.code, path) as stream:
        return stream.read()


def _untrusted(job: Job) -> list[str]:
    from noa_mlops.trainers import packing

    return packing.untrusted_in(_archive(job))


def _trusted(job: Job) -> tuple[str, ...]:
    return tuple(job.params.get("trusted") or ())


def _make_importable(job: Job) -> None:
    """Let the code files be imported by their names, from the top of the project and from their folders."""
    sys.dont_write_bytecode = True
    folders = [str((job.code / path).parent) for path in job.code_files if path.endswith(".py")]
    sys.path[:0] = list(dict.fromkeys((*folders, str(Path(job.code)))))


if __name__ == "__main__":
    sys.exit(launch(train, predict))
