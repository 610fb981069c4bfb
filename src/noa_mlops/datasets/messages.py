"""How this room speaks of paths, columns and cells: on one line, whatever they contain."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from noa_mlops.errors import DatasetInvalid

LONGEST = 60
"""Characters of a name or cell that a message shows."""


def quoted(text: str) -> str:
    """``text`` in quotes, on one line, shortened; control and other unprintable characters escaped."""
    return repr(text if len(text) <= LONGEST else f"{text[:LONGEST]}...")


def shown(path: str) -> str:
    """A path for a message: bare when it is plain, else quoted and escaped."""
    return path if path and path.isprintable() and len(path) <= 4 * LONGEST else quoted(path)


def listed(names: Iterable[str], *, limit: int = 8) -> str:
    """Names in quotes with commas between them; the rest is counted beyond ``limit``."""
    everything = list(names)
    text = ", ".join(quoted(name) for name in everything[:limit])
    return text if len(everything) <= limit else f"{text} and {len(everything) - limit} more"


def invalid(path: str, message: str, hint: str | None = None) -> DatasetInvalid:
    """The error for one dataset: where, what, and what to do next."""
    return DatasetInvalid(f"{shown(path)}: {message}", hint=hint)


def no_such_column(path: str, role: str, name: str, names: Iterable[str]) -> DatasetInvalid:
    """The error for a column that is not there, with the nearest name that is."""
    known = list(names)
    near = get_close_matches(name, known, n=1)
    hint = f"Did you mean {quoted(near[0])}?" if near else f"The columns are {listed(known)}."
    return invalid(path, f"{role} names the column {quoted(name)}, which is not in the data", hint)
