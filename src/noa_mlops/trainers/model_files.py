"""The files of a model made here: ``model.skops``, the fitted pipeline, and ``model.json``, everything else.

Equal models give equal bytes: skops names the parts of an archive after addresses in memory and stamps them with the
time, so they are renamed in order of appearance and given one date before they are written.
"""

from __future__ import annotations

import io
import json
import platform
import re
import zipfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skops import io as skops

from noa_mlops.files import open_beneath
from noa_mlops.records import documents
from noa_mlops.trainers.contract import JobInvalid

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

MODEL, FACTS = "model.skops", "model.json"
FORMAT = 1
"""Version of the two files together."""

FACTS_LIMIT = 64 << 20
"""Bytes of the largest model.json that is read; the categories of all columns are listed in it."""

TRUSTED = frozenset(
    {
        "functools.partial",
        "numpy.dtype",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.metrics._dist_metrics.ChebyshevDistance64",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.metrics._dist_metrics.ManhattanDistance64",
        "sklearn.metrics._dist_metrics.MinkowskiDistance64",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
        "sklearn.utils.validation.check_array",
    }
)
"""What our estimators are made of, besides the types that skops trusts itself; none of it runs code of the file.

A partial only calls a function that is itself trusted: skops checks the function and the arguments on their own.
"""

LIBRARIES = ("numpy", "pyarrow", "scikit-learn", "skops")

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of every part of an archive, the first that the format has."""


def save(folder: Path, model: BaseEstimator, facts: Mapping[str, Any]) -> None:
    """Write a fitted model and its facts into ``folder``. Raises `JobInvalid` if it could not be loaded again."""
    archive = reproducible(skops.dumps(model))
    _check_types(skops.get_untrusted_types(data=archive))
    (folder / MODEL).write_bytes(archive)
    document = {"format": FORMAT, **facts, "libraries": libraries()}
    (folder / FACTS).write_bytes(json.dumps(document, indent=1, allow_nan=False).encode() + b"\n")


def load(folder: Path) -> tuple[BaseEstimator, dict[str, Any]]:
    """The model and the facts in ``folder``. Raises `JobInvalid` when they are missing, damaged or not ours."""
    facts = load_facts(folder)
    try:
        with open_beneath(folder, MODEL) as stream:
            archive = stream.read()
        _check_types(skops.get_untrusted_types(data=archive))
        return skops.loads(archive, trusted=sorted(TRUSTED)), facts
    except (OSError, zipfile.BadZipFile, ImportError, AttributeError, LookupError, TypeError, ValueError) as error:
        made_with = f"it was made with {facts['libraries']}, here are {libraries()}"
        raise JobInvalid(f"{MODEL} cannot be loaded: {error}; {made_with}") from error


def load_facts(folder: Path) -> dict[str, Any]:
    """The facts beside a model. Raises `JobInvalid` when they are missing, damaged or of another format."""
    try:
        with open_beneath(folder, FACTS) as stream:
            facts = documents.parse_object(stream.read(FACTS_LIMIT + 1), limit=FACTS_LIMIT)
    except OSError as error:
        raise JobInvalid(f"{FACTS} cannot be read: {error.strerror}") from error
    except documents.DocumentInvalid as error:
        raise JobInvalid(f"{FACTS} {error}") from error
    if facts.get("format") != FORMAT:
        raise JobInvalid(f"{FACTS} has the format {facts.get('format')!r}; this version reads {FORMAT}")
    if missing := {"task", "classes", "columns", "libraries"} - facts.keys():
        raise JobInvalid(f"{FACTS} lacks {', '.join(sorted(missing))}")
    return facts


def libraries() -> dict[str, str]:
    """The versions of what a model depends on."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in LIBRARIES}}


def reproducible(archive: bytes) -> bytes:
    """The same skops archive, with names and dates that do not depend on memory or time."""
    with zipfile.ZipFile(io.BytesIO(archive)) as source:
        schema = json.loads(source.read("schema.json"))
        renamed: dict[str, str] = {}
        numbers: dict[int, int] = {}
        for node in _nodes(schema):
            if isinstance(identity := node.get("__id__"), int):
                node["__id__"] = numbers.setdefault(identity, len(numbers) + 1)
            if _PART.fullmatch(name := str(node.get("file"))):
                node["file"] = renamed.setdefault(name, f"{len(renamed) + 1}{Path(name).suffix}")
        parts = {target: source.read(name) for name, target in renamed.items()}
    return _zip({**parts, "schema.json": json.dumps(schema, indent=1).encode()})


_PART = re.compile(r"[0-9a-f-]+\.(npy|npz|bin)")


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    waiting = [value]
    while waiting:
        match waiting.pop():
            case dict() as node:
                yield node
                waiting.extend(reversed(node.values()))
            case list() as items:
                waiting.extend(reversed(items))
            case _:
                continue


def _zip(parts: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in parts.items():
            target.writestr(zipfile.ZipInfo(name, EPOCH), data, zipfile.ZIP_DEFLATED, 1)
    return buffer.getvalue()


def _check_types(untrusted: list[str]) -> None:
    if strangers := sorted(set(untrusted) - TRUSTED):
        raise JobInvalid(f"{MODEL} holds types that are not trusted: {', '.join(strangers)}")
