"""``model.json``: everything about a model of our own profiles but the fitted model itself."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noa_mlops.files import open_beneath
from noa_mlops.records import documents
from noa_mlops.trainers.contract import JobInvalid
from noa_mlops.trainers.job import Job

if TYPE_CHECKING:
    from noa_mlops.trainers.encoding import Encoding, Matrix

FILE = "model.json"
"""The name of the file, in the folder of the model."""

FORMAT = 1
"""Version of this file and of the fitted model beside it together."""

LIMIT = 64 << 20
"""Bytes of the largest file that is read; the categories of all columns are listed in it."""

LIBRARIES = ("numpy", "pyarrow", "scikit-learn", "skops")
"""What a model of scikit-learn depends on, besides the interpreter."""

REQUIRED = frozenset({"task", "classes", "columns", "libraries"})
"""The members that a prediction needs."""


def of_training(job: Job, encodings: Sequence[Encoding], rows: int, estimator: str) -> dict[str, Any]:
    """What is to be kept of a training on ``rows`` rows: what was asked for, and how columns become numbers."""
    from noa_mlops.trainers import encoding

    return {
        "profile": job.profile,
        "task": job.task,
        "estimator": estimator,
        "hyperparameters": dict(job.params),
        "seed": job.seed,
        "target": job.target,
        "classes": list(job.classes),
        "rows": rows,
        **({"quantiles": list(job.quantiles)} if job.quantiles else {}),
        "features": [feature.name for feature in encoding.features(encodings)],
        "notes": list(encoding.notes(encodings)),
        "columns": encoding.to_document(encodings),
    }


def matrix_of(job: Job, facts: Mapping[str, Any]) -> Matrix:
    """The features of a prediction as the model was taught them. Raises `JobInvalid` when it answers another question."""
    from noa_mlops.trainers import encoding

    if facts["task"] != job.task:
        raise JobInvalid(f"the model is for {facts['task']}, the plan asks for {job.task}")
    if (learnt := tuple(facts.get("quantiles", ()))) != job.quantiles:
        raise JobInvalid(f"the model answers the quantiles {list(learnt)}, the plan asks for {list(job.quantiles)}")
    try:
        encodings = encoding.from_document(facts["columns"])
    except (LookupError, TypeError) as error:
        raise JobInvalid(f"model.json describes no columns: {error!r}") from error
    if job.classes and list(facts["classes"]) != list(job.classes):
        raise JobInvalid(
            f"the model knows the classes {facts['classes'][:10]}, the plan asks for {list(job.classes[:10])}"
        )
    return encoding.encode(job.data.table(), encodings)


def save(folder: Path, facts: Mapping[str, Any], names: Sequence[str] = LIBRARIES) -> None:
    """Write ``facts`` into ``folder``, with the versions of the libraries ``names``."""
    document = {"format": FORMAT, **facts, "libraries": libraries(names)}
    (folder / FILE).write_bytes(json.dumps(document, indent=1, allow_nan=False).encode() + b"\n")


def load(folder: Path) -> dict[str, Any]:
    """The facts in ``folder``. Raises `JobInvalid` when they are missing, damaged or of another format."""
    try:
        with open_beneath(folder, FILE) as stream:
            facts = documents.parse_object(stream.read(LIMIT + 1), limit=LIMIT)
    except OSError as error:
        raise JobInvalid(f"{FILE} cannot be read: {error.strerror}") from error
    except documents.DocumentInvalid as error:
        raise JobInvalid(f"{FILE} {error}") from error
    if facts.get("format") != FORMAT:
        raise JobInvalid(f"{FILE} has the format {facts.get('format')!r}; this version reads {FORMAT}")
    if missing := REQUIRED - facts.keys():
        raise JobInvalid(f"{FILE} lacks {', '.join(sorted(missing))}")
    return facts


def libraries(names: Sequence[str] = LIBRARIES) -> dict[str, str]:
    """The versions of what a model depends on, as they are here."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in names}}


def differences(facts: Mapping[str, Any], names: Sequence[str] = LIBRARIES) -> str:
    """How the libraries that a model was made with differ from those here, as text; empty when they do not."""
    made_with: Mapping[str, str] = facts["libraries"]
    here = libraries(names)
    return ", ".join(
        f"{name} {made_with.get(name)}, here {here[name]}" for name in here if made_with.get(name) != here[name]
    )
