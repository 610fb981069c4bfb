"""Reading the documents people write: strictly, safely, and with every mistake shown at its place.

Two meanings for one text are one too many: what YAML readers disagree on is refused or stays text, never changed
silently. Size, lines, depth and number of values are capped before they cost anything.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from noa_mlops.errors import PlanInvalid, Problem
from noa_mlops.files import read_capped
from noa_mlops.records.reading.fields import Fault
from noa_mlops.records.reading.source import MAX_BYTES, Source, invalid, is_json, shown_name

T = TypeVar("T")


def _nothing(_: object) -> Iterable[Fault]:
    return ()


def read_document(data: bytes, *, name: str, kind: type[T], check: Callable[[T], Iterable[Fault]] = _nothing) -> T:
    """The record of type ``kind`` in ``data``: strict JSON when ``name`` ends in .json, else strict YAML 1.2.

    ``kind`` is a frozen dataclass. ``check`` may find more faults in the record; they are shown at their places. ``name`` is how messages call the document. Raises `PlanInvalid` with every
    problem that can be found at once: line, column, excerpt, suggestion.
    """
    from noa_mlops.records.reading import json_nodes, typed, yaml_nodes

    source = Source.decode(data, shown_name(name))
    root = json_nodes.compose(source) if is_json(name) else yaml_nodes.compose(source)
    if root is None or (root.value is None and not root.broken):
        raise invalid(*source.problems, Problem(source.name, "is empty"))
    record = typed.build(root, kind, source)
    typed.note_faults(check(record), (), root, source)
    source.check()
    return record


def read_file(path: Path, *, name: str) -> bytes:
    """All bytes of the document at ``path``, read once through one descriptor: one version, whatever replaces it.

    Raises `PlanInvalid` for what is missing, unreadable, too large or no regular file; a pipe is not waited for.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else str(error)
        raise _unreadable(name, reason) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _unreadable(name, "it is not a regular file")
    with os.fdopen(descriptor, "rb") as stream:
        data = read_capped(stream, MAX_BYTES)
    if data is None:
        raise invalid(Problem(shown_name(name), f"is larger than {MAX_BYTES} bytes"))
    return data


def _unreadable(name: str, reason: str) -> PlanInvalid:
    return PlanInvalid(
        f"cannot read {shown_name(name)}: {reason}",
        problems=(Problem(shown_name(name), f"cannot be read: {reason}"),),
        hint="Name a readable plan file; 'ls plans' shows those of the project.",
    )
