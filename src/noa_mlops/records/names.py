"""Names that people choose: one pattern for all of them, so that none can become a path or a command."""

from __future__ import annotations

import re
from unicodedata import combining, normalize

PATTERN = r"[a-z0-9][a-z0-9._-]{0,63}"
"""Lower-case letters, digits, dot, underscore, hyphen; 1 to 64 characters, the first a letter or digit."""

RESERVED = frozenset({"workspaces", "champion", "latest", "tmp", "manifest.json"})
"""Names that mean something to the layout or to the command line."""

_NAME = re.compile(PATTERN)


def name_problem(text: str) -> str | None:
    """Why ``text`` cannot be a name, or None when it can."""
    if not _NAME.fullmatch(text):
        return "must be 1 to 64 of a-z, 0-9, '.', '_', '-', starting with a letter or digit"
    if text.endswith("."):
        return "must not end with a dot"
    if text in RESERVED:
        return "is reserved"
    return None


def as_name(text: str) -> str:
    """The nearest valid name for a project or a lifecycle: lower-cased, without accents, other characters as ``-``."""
    letters = "".join(letter for letter in normalize("NFKD", text.lower()) if not combining(letter))
    lowered = re.sub(r"[^a-z0-9._]+", "-", letters).strip("-._")[:64].rstrip("-.")
    return lowered if name_problem(lowered) is None else "project"
