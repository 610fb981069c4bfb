"""YAML for people to edit: scalars with quotes where they are needed, and remarks beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PLAIN = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_./ -]*[A-Za-z0-9_])?")
_WORDS = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))
WIDTH = 150
"""Columns after which a remark goes on in a line of its own."""


def scalar(text: str) -> str:
    """``text`` as a YAML scalar that means this text to every reader, also inside brackets."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return quoted(text)


def quoted(text: str) -> str:
    """``text`` as a YAML scalar in double quotes."""
    return f'"{"".join(_escaped(c) for c in text)}"'


def sequence(texts: Iterable[str]) -> str:
    """Texts as a list on one line."""
    return f"[{', '.join(scalar(text) for text in texts)}]"


def remarked(line: str, remark: str | None, *, indent: int = 0) -> str:
    """A line with a remark after it, or above it when both do not fit into one."""
    start = " " * indent
    if remark is None:
        return f"{start}{line}"
    beside = f"{start}{line}  # {one_line(remark)}"
    return beside if len(beside) <= WIDTH else f"{start}# {one_line(remark)}:\n{start}{line}"


def one_line(text: str) -> str:
    """``text`` with everything that is not printable escaped, fit for a comment."""
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65536 else f"\\U{number:08x}"
