"""JSON (RFC 8259), strictly, with the place of every value: one text, one meaning.

Python's own reader gives no places, takes the last of two equal keys, and accepts NaN and halves of surrogate pairs.
"""

from __future__ import annotations

import json
import re
from typing import NoReturn

from noa_mlops.records.documents import MAX_DEPTH, Json
from noa_mlops.records.reading.scalars import NumberInvalid, number
from noa_mlops.records.reading.source import Node, Source
from noa_mlops.records.reading.values import MAX_VALUES, text_problem

_SPACE = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"')
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z0-9_.+-]+")
_CONSTANTS: dict[str, Json] = {"null": None, "true": True, "false": False}


def compose(source: Source) -> Node | None:
    """The one value in ``source``; None when there is none. Raises `PlanInvalid` where it cannot be read on.

    Problems after which reading goes on are noted in ``source``.
    """
    reader = _Reader(source)
    reader.skip()
    if reader.at == len(source.text):
        return None
    root = reader.value(1)
    reader.skip()
    if reader.at < len(source.text):
        source.stop("text follows the end of the document", reader.at, suggestion="keep one value per file")
    return root


class _Reader:
    """A position in the text that moves on as values are taken."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.at = 0
        self.seen = 0

    def skip(self) -> None:
        """Go on to the next character that is no white space."""
        match = _SPACE.match(self.source.text, self.at)
        self.at = match.end() if match else self.at

    def value(self, depth: int) -> Node:
        """Take the value that begins here; ``depth`` counts the levels it is inside of, itself included."""
        self.seen += 1
        if self.seen > MAX_VALUES:
            self.source.stop(f"holds more than {MAX_VALUES} values", self.at)
        match self._next():
            case "{":
                return self._mapping(depth)
            case "[":
                return self._list(depth)
            case '"':
                return self._string()
            case _:
                return self._word()

    def _check_depth(self, depth: int) -> None:
        if depth > MAX_DEPTH:
            self.source.stop(f"is nested more than {MAX_DEPTH} levels deep", self.at)

    def _mapping(self, depth: int) -> Node:
        self._check_depth(depth)
        start = self.at
        children: dict[str | int, Node] = {}
        keys: dict[str, tuple[int, int]] = {}
        self._take("{")
        while self._next() != "}":
            if self._next() != '"':
                self._stop("a key in double quotes is expected here")
            key = self._string()
            name = str(key.value)
            self._take(":")
            self.skip()
            node = self.value(depth + 1)
            if name in keys:
                self.source.add_repeated(name, (key.start, key.end), keys[name])
            elif not key.broken:
                keys[name], children[name] = (key.start, key.end), node
            self._comma("}")
        self._take("}")
        value = {str(name): node.value for name, node in children.items()}
        return Node(value, start, self.at, children, keys)

    def _list(self, depth: int) -> Node:
        self._check_depth(depth)
        start = self.at
        children: dict[str | int, Node] = {}
        self._take("[")
        while self._next() != "]":
            children[len(children)] = self.value(depth + 1)
            self._comma("]")
        self._take("]")
        return Node([node.value for node in children.values()], start, self.at, children)

    def _string(self) -> Node:
        start = self.at
        match = _STRING.match(self.source.text, start)
        if match is None:
            self._stop("this text does not end, or holds what needs a backslash")
        self.at = match.end()
        value: str = json.loads(match[0])
        problem = text_problem(value)
        if problem is not None:
            self.source.add(f"this text {problem}", start, self.at, suggestion="write both halves")
        return Node(value if problem is None else None, start, self.at, broken=problem is not None)

    def _word(self) -> Node:
        start = self.at
        match = _WORD.match(self.source.text, start)
        if match is None:
            self._stop("a value is expected here")
        self.at = match.end()
        if match[0] in _CONSTANTS:
            return Node(_CONSTANTS[match[0]], start, self.at)
        if not _NUMBER.fullmatch(match[0]):
            self.source.add(f"{match[0][:40]} is not JSON", start, self.at, suggestion="text stands in double quotes")
            return Node(None, start, self.at, broken=True)
        try:
            return Node(number(match[0]), start, self.at)
        except NumberInvalid as error:
            self.source.add(str(error), start, self.at)
            return Node(None, start, self.at, broken=True)

    def _comma(self, closing: str) -> None:
        """Take the comma between entries; nothing may follow it but another entry."""
        if self._next() == closing:
            return
        place = self.at
        self._take(",")
        if self._next() == closing:
            self.source.stop("a comma stands before the end", place, suggestion="remove the comma")

    def _take(self, character: str) -> None:
        if self._next() != character:
            self._stop(f"'{character}' is expected here")
        self.at += 1

    def _next(self) -> str:
        self.skip()
        return self.source.text[self.at : self.at + 1]

    def _stop(self, message: str) -> NoReturn:
        at = min(self.at, max(0, len(self.source.text.rstrip()) - 1)) if not self._next() else self.at
        self.source.stop(f"is not valid JSON: {message}", at, suggestion="here")
