"""An unfitted pipeline on its way to the process that fits it: what may travel, and how what may not is told.

A class or function travels by name, so the other process must be able to import it: it cannot stand in a notebook's
cell, in a function, or have no name at all. skops holds no code; what it would construct is checked before.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from noa_mlops.errors import PlanInvalid
from noa_mlops.trainers import skops_io as skops
from noa_mlops.trainers.contract import JobInvalid
from noa_mlops.trainers.model_archive import TRUSTED, reproducible

DEEPEST = 12
"""Levels of parts within parts that are looked at."""


def pack(pipeline: Any, code: Collection[str], trusted: Collection[str]) -> bytes:
    """``pipeline``, unfitted, as a skops archive; equal pipelines give equal bytes.

    ``code`` names the Python files that travel with it, ``trusted`` types that the user allows. Raises `PlanInvalid`
    for what is no estimator, and for parts that the other process could not have.
    """
    from sklearn.base import clone

    for part in _parts(pipeline):
        _check_home(part)
    try:
        archive = reproducible(skops.dumps(clone(pipeline)))
    except (TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise PlanInvalid(f"the pipeline cannot travel: {_place(pipeline)}{error}", hint=_HINT) from error
    strangers = set(untrusted_in(archive)) - set(allowed(untrusted_in(archive), code, trusted))
    if strangers:
        raise PlanInvalid(
            f"the pipeline holds {', '.join(sorted(strangers))}, which nobody allowed", hint=_allow(strangers)
        )
    return archive


def unpack(archive: bytes, allowed: Collection[str]) -> Any:
    """The pipeline in ``archive``, constructed from allowed types only. Raises `JobInvalid`."""
    try:
        return skops.loads(archive, trusted=sorted(allowed))
    except (zipfile.BadZipFile, ImportError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise JobInvalid(f"the pipeline cannot be read here: {error}") from error


def untrusted_in(archive: bytes) -> list[str]:
    """The types in ``archive`` that skops does not trust by itself. Raises `JobInvalid` for what is no archive."""
    try:
        return list(skops.get_untrusted_types(data=archive))
    except (zipfile.BadZipFile, LookupError, TypeError, ValueError) as error:
        raise JobInvalid(f"the pipeline is no skops file: {error}") from error


def untrusted(model: Any) -> list[str]:
    """The types of a model that skops does not trust by itself."""
    return untrusted_in(skops.dumps(model))


def allowed(found: Iterable[str], code: Collection[str], trusted: Collection[str]) -> frozenset[str]:
    """Of the types ``found`` those that may be constructed: our estimators' parts, the code's own, the trusted ones."""
    modules = {name for path in code if path.endswith(".py") for name in _modules(path)}
    own = (name for name in found if name.rpartition(".")[0] in modules)
    return frozenset((*TRUSTED, *trusted, *own))


def seed(model: Any, value: int) -> None:
    """Give every part that draws and has no ``random_state`` the seed of the plan."""
    parameters: Mapping[str, Any] = model.get_params(deep=True)
    names = [name for name in parameters if name.rpartition("__")[2] == "random_state" and parameters[name] is None]
    model.set_params(**dict.fromkeys(names, value))


_HINT = (
    "What is opened when it runs (a lock, a file, a generator) is made by a class of your own, in a file under code."
)


def _modules(path: str) -> tuple[str, str]:
    """The names under which a code file may be imported."""
    dotted = path.removesuffix(".py").replace("/", ".")
    return dotted, dotted.rpartition(".")[2]


def _parts(pipeline: Any) -> Iterator[Any]:
    """The pipeline and every estimator, transformer and function that its parameters hold."""
    if not hasattr(pipeline, "get_params") or isinstance(pipeline, type):
        if isinstance(pipeline, type):
            name = pipeline.__name__
            raise PlanInvalid(f"{name} is a class and no scikit-learn estimator", hint=f"Make one: {name}().")
        name = type(pipeline).__name__
        raise PlanInvalid(f"{name} is no scikit-learn estimator", hint="Give an unfitted estimator or pipeline.")
    waiting, seen = [(pipeline, 0)], set[int]()
    while waiting:
        part, depth = waiting.pop()
        if id(part) in seen or depth > DEEPEST:
            continue
        seen.add(id(part))
        yield part
        if hasattr(part, "get_params") and not isinstance(part, type):
            waiting.extend((value, depth + 1) for value in part.get_params(deep=False).values())
        elif isinstance(part, list | tuple | Mapping):
            values = part.values() if isinstance(part, Mapping) else part
            waiting.extend((value, depth + 1) for value in values)


def _check_home(part: Any) -> None:
    """Refuse what has no importable name. Raises `PlanInvalid`."""
    named = part if isinstance(part, type) or hasattr(part, "__qualname__") else type(part)
    name, module = getattr(named, "__qualname__", ""), getattr(named, "__module__", "")
    if name.endswith("<lambda>"):
        raise PlanInvalid(
            "a lambda has no name by which the training process could find it",
            hint="Write a function into a file, features.py, import it from there, and add code=['features.py'].",
        )
    if module == "__main__" or "<locals>" in name:
        short = name.rpartition(".")[2]
        where = "in a cell of the notebook or in the main script" if module == "__main__" else "inside a function"
        raise PlanInvalid(
            f"{short!r} is defined {where}, where the training process cannot find it",
            hint=f"Put it into a file, features.py, write 'from features import {short}', and add code=['features.py'].",
        )


def _place(pipeline: Any) -> str:
    """The innermost parameter that cannot travel, as `get_params` names it, to stand before the reason."""
    unable = [name for name, value in pipeline.get_params(deep=True).items() if not _travels(value)]
    return f"{max(unable, key=lambda name: name.count('__'))}: " if unable else ""


def _travels(value: Any) -> bool:
    from sklearn.base import clone

    try:
        skops.dumps(clone(value, safe=False))
    except (TypeError, ValueError, AttributeError, RuntimeError):
        return False
    return True


def _allow(strangers: Collection[str]) -> str:
    library = f"If you trust a library's types: trusted={sorted(strangers)}."
    own = sorted(module for module in {name.rpartition(".")[0] for name in strangers} if not _installed(module))
    return (
        f"If {own[0]} is your own file, add it: code=['{own[0].replace('.', '/')}.py']. {library}" if own else library
    )


def _installed(module: str) -> bool:
    """Whether a module that is loaded here came with a package."""
    return "site-packages" in (getattr(sys.modules.get(module), "__file__", None) or "")
