"""The text of a document with its places, and the list of what is wrong with it."""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from noa_mlops.errors import PlanInvalid, Problem
from noa_mlops.records.documents import Json
from noa_mlops.records.reading.fields import shown

MAX_BYTES = 1 << 20
"""Largest document that is read, in bytes."""

MAX_LINES = 20_000
"""Most lines of a document."""

MAX_PROBLEMS = 50
"""Most problems that one message lists."""

MAX_NOTED = 1000
"""Problems after which a document is not read on."""

MAX_EXCERPT = 160
"""Longest line that is quoted, in characters; a place beyond it is named without a quotation."""

_LINE_END = re.compile(r"\r\n|\r|\n")
_NOT_IN_JSON = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f]")
"""RFC 8259, section 7; the rest of Unicode may stand in a string as it is, and does in canonical documents."""

_NOT_IN_YAML = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""YAML 1.2, section 5.1, and what YAML 1.1 took for line ends; a quoted scalar may escape them."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its place: ``start`` and ``end`` count characters from 0.

    ``children`` are the nodes of a mapping or list, ``keys`` the places of a mapping's keys. A ``broken``
    node has been complained about already; its value means nothing.
    """

    value: Json
    start: int
    end: int
    children: Mapping[str | int, Node] = field(default_factory=dict)
    keys: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    broken: bool = False


class Source:
    """One document: ``text``, its ``name`` in messages, and the ``problems`` found so far."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.problems: list[Problem] = []
        self._lines = [0, *(match.end() for match in _LINE_END.finditer(text))]

    @classmethod
    def decode(cls, data: bytes, name: str) -> Source:
        """The text of ``data``. Raises `PlanInvalid` for bytes that are no plain UTF-8 text of acceptable size."""
        if len(data) > MAX_BYTES:
            raise invalid(Problem(name, f"is larger than {MAX_BYTES} bytes"))
        if problem := _encoding_problem(data):
            raise invalid(Problem(name, problem, suggestion="save it as UTF-8 without a byte order mark"))
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            message = f"is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}"
            raise invalid(Problem(name, message, line, suggestion="save it as UTF-8")) from error
        if len(_LINE_END.findall(text)) >= MAX_LINES:
            raise invalid(Problem(name, f"has more than {MAX_LINES} lines"))
        source = cls(text, name)
        forbidden = _NOT_IN_JSON if is_json(name) else _NOT_IN_YAML
        for match in itertools.islice(forbidden.finditer(text), MAX_PROBLEMS):
            source.add(
                f"contains the control character U+{ord(match[0]):04X}", match.start(), suggestion="remove or escape it"
            )
        source.check()
        return source

    def place(self, index: int) -> tuple[int, int]:
        """Line and column of a character, both counted from 1."""
        line = bisect.bisect_right(self._lines, index)
        return line, index - self._lines[line - 1] + 1

    def add(self, message: str, start: int, end: int | None = None, *, suggestion: str | None = None) -> None:
        """Note a problem at the characters from ``start`` to ``end``. Raises `PlanInvalid` when there are too many."""
        line, column = self.place(start)
        quoted = self._excerpt(line)
        excerpt = quoted if suggestion and column <= MAX_EXCERPT else None
        width = max(1, min((end or start + 1) - start, len(quoted) - column + 1))
        self.problems.append(Problem(self.name, message, line, column, excerpt, width, suggestion))
        if len(self.problems) >= MAX_NOTED:
            raise invalid(*self.problems)

    def add_repeated(self, key: str, place: tuple[int, int], first: tuple[int, int]) -> None:
        """Note that ``key`` stands a second time in its mapping."""
        line, _ = self.place(first[0])
        self.add(f"the key {shown(key)} stands twice", *place, suggestion=f"it stands in line {line} already")

    def stop(self, message: str, start: int, end: int | None = None, *, suggestion: str | None = None) -> NoReturn:
        """Note a problem after which nothing can be read. Raises `PlanInvalid` with all found so far."""
        self.add(message, start, end, suggestion=suggestion)
        raise invalid(*self.problems)

    def check(self) -> None:
        """Raise `PlanInvalid` when any problem was found."""
        if self.problems:
            raise invalid(*self.problems)

    def _excerpt(self, line: int) -> str:
        end = self._lines[line] if line < len(self._lines) else len(self.text)
        quoted = self.text[self._lines[line - 1] : min(end, self._lines[line - 1] + MAX_EXCERPT)].rstrip("\r\n")
        return "".join(c if c.isprintable() else " " if c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in quoted)


def invalid(*problems: Problem) -> PlanInvalid:
    """The error that shows every problem once, in the order of the file, and counts them."""
    once = sorted(dict.fromkeys(problems), key=lambda p: (p.line or 0, p.column or 0))
    lines = [str(problem) for problem in once[:MAX_PROBLEMS]]
    if len(once) > MAX_PROBLEMS:
        lines.append(f"and {len(once) - MAX_PROBLEMS} more")
    count = "1 error" if len(once) == 1 else f"{len(once)} errors"
    return PlanInvalid("\n".join([*lines, f"{count}, nothing was run"]), problems=tuple(once))


def is_json(name: str) -> bool:
    """Whether the document called ``name`` is JSON."""
    return name.lower().endswith(".json")


def shown_name(name: str) -> str:
    """The name of a document as messages show it: on one line, whatever characters it has."""
    return name if name.isprintable() else ascii(name)


def _encoding_problem(data: bytes) -> str | None:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:4]:
        return "is UTF-16 or UTF-32, not UTF-8" if len(data) > 1 else "is not text"
    return "starts with a byte order mark" if data.startswith(b"\xef\xbb\xbf") else None
