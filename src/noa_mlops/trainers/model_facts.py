"""``model.json``: everything about a model of the sklearn profiles and of torch but the fitted parameters themselves."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from noa_mlops.files import open_beneath
from noa_mlops.records import documents
from noa_mlops.trainers.contract import JobInvalid

FILE = "model.json"
"""The name of the file, in the folder of the model."""

FORMAT = 1
"""Version of this file and of the one beside it, ``model.skops`` or ``model.safetensors``, together."""

LIMIT = 64 << 20
"""Bytes of the largest file that is read; the categories of all columns are listed in it."""

LIBRARIES = ("numpy", "pyarrow", "scikit-learn", "skops")
"""What a model of the sklearn profiles depends on, besides the interpreter."""

REQUIRED = frozenset({"task", "classes", "columns", "libraries"})
"""The members that a prediction needs."""


def save(folder: Path, facts: Mapping[str, Any], needed: Sequence[str] = LIBRARIES) -> None:
    """Write ``facts`` into ``folder``, with the versions of the ``needed`` libraries."""
    document = {"format": FORMAT, **facts, "libraries": libraries(needed)}
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


def libraries(needed: Sequence[str] = LIBRARIES) -> dict[str, str]:
    """The versions of the interpreter and of the ``needed`` libraries, as they are here."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in needed}}


def differences(facts: Mapping[str, Any], needed: Sequence[str] = LIBRARIES) -> str:
    """How the libraries that a model was made with differ from those here, as text; empty when they do not."""
    made_with: Mapping[str, str] = facts["libraries"]
    here = libraries(needed)
    return ", ".join(
        f"{name} {made_with.get(name)}, here {here[name]}" for name in here if made_with.get(name) != here[name]
    )
