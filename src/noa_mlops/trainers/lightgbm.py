"""The profile lightgbm: gradient boosting by LightGBM.

``out/model.txt`` is the model in LightGBM's own text, one such file for each quantile when the plan asks for them;
``out/model.json`` says how columns become its input. Neither can hold code.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from noa_mlops.files import open_beneath
from noa_mlops.records import levels
from noa_mlops.trainers.contract import JobInvalid
from noa_mlops.trainers.estimators import MOST_CATEGORIES
from noa_mlops.trainers.hyperparameters import check_classes, check_hyperparameters, check_quantiles
from noa_mlops.trainers.job import Job
from noa_mlops.trainers.launch import Stages, launch, say

FILE = "model.txt"
"""The model, in the folder of the model; of a quantile ``model.q_5.txt``."""

LIBRARIES = ("lightgbm", "numpy", "pyarrow")
"""What a model depends on, besides the interpreter."""

STAGES = ("read", "prepare", "fit", "save", "done")
"""What a training reports, besides its rounds."""


def train(job: Job) -> None:
    """Fit what the plan asks for and store it in ``job.out``. Raises `JobInvalid`."""
    _check(job)
    stages = Stages(job, STAGES)
    stages.begin("read")
    boosting = _boosting()
    from noa_mlops.trainers import encoding, model_facts, targets

    wanted = targets.of_classes if job.classes else targets.of_numbers
    rows, labels = wanted(job.data.table(), job.target, job.classes)
    stages.begin("prepare", f"{rows.num_rows} rows")
    encodings = encoding.learn(rows, job.features, MOST_CATEGORIES)
    features, notes = encoding.features(encodings), encoding.notes(encodings)
    for note in notes:
        say(note)
    aims = [boosting.Aim(len(job.classes), features, job.seed, job.cpus, level) for level in job.quantiles or (None,)]
    given = boosting.Rows(encoding.encode(rows, encodings), labels)
    learnt, judged = boosting.divided(given, job.params, aims[0])
    stages.begin("fit", "; ".join((f"{len(learnt.labels)} rows, {len(features)} features", *notes)))
    models = {
        name: boosting.fit(job.params, aim, learnt, judged, _telling(job, name))
        for name, aim in zip(_files(job), aims, strict=True)
    }
    stages.begin("save")
    for name, model in models.items():
        (job.out / name).write_text(boosting.written(model), "utf-8")
    rounds = [model.best_iteration or model.current_iteration() for model in models.values()]
    facts = model_facts.of_training(job, encodings, rows.num_rows, "lightgbm")
    model_facts.save(job.out, {**facts, "rounds": rounds}, LIBRARIES)
    stages.begin("done", f"{', '.join(map(str, rounds))} rounds")


def predict(job: Job) -> None:
    """Answer with the model in ``job.model``. Raises `JobInvalid`."""
    boosting = _boosting()
    import numpy as np

    from noa_mlops.trainers import model_facts

    facts = model_facts.load(job.model)
    matrix = model_facts.matrix_of(job, facts)
    if differing := model_facts.differences(facts, LIBRARIES):
        say(f"the model was made with other versions: {differing}")
    each = [boosting.answers(boosting.read(text), matrix, len(job.classes), job.cpus) for text in _texts(job)]
    job.write_predictions(np.column_stack(each) if job.quantiles else each[0])


def _check(job: Job) -> None:
    problems = (
        *check_hyperparameters("lightgbm", job.params),
        *check_classes("lightgbm", job.params, len(job.classes)),
        *(check_quantiles("lightgbm", job.params) if job.quantiles else ()),
    )
    if problems:
        raise JobInvalid("; ".join(problems))


def _boosting() -> ModuleType:
    """What needs LightGBM. Raises `JobInvalid` with what this system lacks for it."""
    try:
        from noa_mlops.trainers import boosting
    except (ImportError, OSError) as error:
        missing = "gomp" in str(error)
        advice = "; install the system's OpenMP library, libgomp1 or libgomp" if missing else ""
        raise JobInvalid(f"LightGBM cannot be loaded: {error}{advice}") from error
    return boosting


def _files(job: Job) -> list[str]:
    names = levels.columns(job.quantiles)
    return [f"model.{name}.txt" for name in names] or [FILE]


def _telling(job: Job, file: str) -> Any:
    what = "fit" if file == FILE else f"fit {file.removeprefix('model.').removesuffix('.txt')}"

    def tell(done: int, rounds: int, metrics: Mapping[str, float]) -> None:
        job.progress(step=done, of=rounds, message=what, **metrics)

    return tell


def _texts(job: Job) -> Iterator[str]:
    for name in _files(job):
        try:
            with open_beneath(job.model, name) as stream:
                yield stream.read().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise JobInvalid(f"{name} cannot be read: {error}") from error


if __name__ == "__main__":
    sys.exit(launch(train, predict))
