"""``model.skops``: the fitted pipeline of a model of the sklearn profiles, in a format that holds no code.

Equal models give equal bytes: skops names the parts of an archive after addresses in memory and stamps them with the
time, so they are renamed in order of appearance and given one date before they are written.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noa_mlops.files import open_beneath
from noa_mlops.trainers import skops_io as skops
from noa_mlops.trainers.contract import JobInvalid
from noa_mlops.trainers.launch import say
from noa_mlops.trainers.model_facts import differences

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

FILE = "model.skops"
"""The name of the file, in the folder of the model."""

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

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of every part of an archive, the first that the format has."""


def save(folder: Path, model: BaseEstimator, trusted: Collection[str] = TRUSTED) -> None:
    """Write a fitted model into ``folder``. Raises `JobInvalid` if it could not be loaded again."""
    archive = reproducible(skops.dumps(model))
    _check_types(skops.get_untrusted_types(data=archive), trusted)
    (folder / FILE).write_bytes(archive)


def load(folder: Path, facts: Mapping[str, Any], trusted: Collection[str] = TRUSTED) -> BaseEstimator:
    """The model in ``folder``; ``facts`` lie beside it. Raises `JobInvalid` when it is missing, damaged or not ours.

    Says so when it was made with other versions of the libraries: what it answers may differ.
    """
    if differing := differences(facts):
        say(f"the model was made with other versions: {differing}")
    try:
        with open_beneath(folder, FILE) as stream:
            archive = stream.read()
        _check_types(skops.get_untrusted_types(data=archive), trusted)
        return skops.loads(archive, trusted=sorted(trusted))
    except (OSError, zipfile.BadZipFile, ImportError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise JobInvalid(f"{FILE} is damaged or of another version: {error}") from error


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


def _check_types(untrusted: list[str], trusted: Collection[str]) -> None:
    if strangers := sorted(set(untrusted) - set(trusted)):
        raise JobInvalid(f"{FILE} holds types that are not trusted: {', '.join(strangers)}")
