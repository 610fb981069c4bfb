"""YAML 1.2, the part of it that can mean only one thing: plain mappings, lists and scalars, with their places.

Anchors, aliases, merge keys, tags, directives, several documents and keys that are not text are refused.
ruamel.yaml turns the text into a stream of events; everything after that is done here, without recursion and
with an early end, so hostile nesting or size costs no more than its first few kilobytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from noa_mlops.records.documents import MAX_DEPTH, Json
from noa_mlops.records.reading.scalars import NumberInvalid, plain_value
from noa_mlops.records.reading.source import Node, Source
from noa_mlops.records.reading.values import MAX_VALUES, text_problem

_DIRECTIVE = re.compile(r"^%[^\r\n]*", re.MULTILINE)
_DEEP_FLOW = re.compile(rf"(?:[\[{{]\s*){{{MAX_DEPTH + 1}}}")


def compose(source: Source) -> Node | None:
    """The one document in ``source``; None when it is empty. Raises `PlanInvalid` when it cannot be read on.

    Problems after which reading goes on are noted in ``source``.
    """
    for directive in _DIRECTIVE.finditer(source.text):
        source.stop("has a directive", *directive.span(), suggestion="remove this line")
    if deep := _DEEP_FLOW.search(source.text):
        source.stop(f"is nested more than {MAX_DEPTH} levels deep", deep.start())
    builder = _Builder(source)
    for event in _events(source):
        if getattr(builder, _HANDLERS.get(type(event).__name__, "_pass"))(event):
            break
    return builder.root


_HANDLERS = {
    "DocumentStartEvent": "_document",
    "AliasEvent": "_alias",
    "ScalarEvent": "_scalar",
    "MappingStartEvent": "_open",
    "SequenceStartEvent": "_open",
    "MappingEndEvent": "_close",
    "SequenceEndEvent": "_close",
}


def _events(source: Source) -> Iterator[Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        yield from YAML(typ="safe", pure=True).parse(source.text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        index = len(source.text) if mark is None else min(mark.index, len(source.text))
        words = " ".join(part for part in (error.context, error.problem) if part)
        source.stop(f"is not valid YAML: {words or 'syntax error'}", index, suggestion=_syntax_hint(source, index))
    except (YAMLError, ValueError, OverflowError) as error:
        source.stop(f"is not valid YAML: {str(error).splitlines()[0] if str(error) else 'syntax error'}", 0)


def _syntax_hint(source: Source, index: int) -> str:
    if source.text[index : index + 1] == "\t":
        return "indent with spaces, not tabs"
    return "check indentation, quotes and colons here"


@dataclass(slots=True)
class _Open:
    """A mapping or list that has begun; ``key`` waits for its value, None between entries."""

    start: int
    mapping: bool
    broken: bool
    children: dict[str | int, Node] = field(default_factory=dict)
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    key: str | None = None
    wants_key: bool = True


class _Builder:
    """Puts events together to nodes."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.root: Node | None = None
        self.stack: list[_Open] = []
        self.documents = 0
        self.seen = 0

    def _pass(self, _event: Any) -> None:
        """Other events say nothing that counts."""

    def _document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            start = event.start_mark.index
            self.source.stop("holds more than one document", start, start + 3, suggestion="keep one per file")

    def _alias(self, event: Any) -> None:
        start, end = _span(event)
        self.source.add("aliases are not accepted", start, end, suggestion="write the value itself")
        self._put(Node(None, start, end, broken=True), key=None)

    def _scalar(self, event: Any) -> None:
        start, end = _span(event)
        broken = self._decorated(event)
        is_key = bool(self.stack) and self.stack[-1].mapping and self.stack[-1].wants_key
        value: Json = event.value
        if event.style is None and not broken:
            try:
                value = plain_value(event.value)
            except NumberInvalid as error:
                self.source.add(str(error), start, end)
                broken = True
        if isinstance(value, str) and (problem := text_problem(value)):
            self.source.add(f"this text {problem}", start, end, suggestion=r"write it as \U and eight hex digits")
            broken = True
        key = self._key(value, start, end) if is_key and not broken and event.style is None else value
        self._put(
            Node(None if broken else value, start, end, broken=broken),
            key=key if isinstance(key, str) and not broken else None,
        )

    def _key(self, value: Json, start: int, end: int) -> str | None:
        if value == "<<":
            self.source.add("merge keys are not accepted", start, end, suggestion="write the fields themselves")
            return None
        if isinstance(value, str):
            return value
        written = self.source.text[start:end]
        suggestion = f'write "{written}"' if written else "give it a name"
        self.source.add("keys must be text", start, end, suggestion=suggestion)
        return None

    def _open(self, event: Any) -> None:
        mapping = type(event).__name__ == "MappingStartEvent"
        start = event.start_mark.index
        if len(self.stack) >= MAX_DEPTH:
            self.source.stop(f"is nested more than {MAX_DEPTH} levels deep", start)
        self.stack.append(_Open(start, mapping, self._decorated(event)))

    def _close(self, event: Any) -> None:
        opened = self.stack.pop()
        value: Json
        if opened.mapping:
            value = {str(key): node.value for key, node in opened.children.items()}
        else:
            value = [node.value for node in opened.children.values()]
        end = max(opened.start + 1, event.end_mark.index)
        node = Node(value, opened.start, end, opened.children, opened.keys, opened.broken)
        outer = self.stack[-1] if self.stack else None
        if outer is not None and outer.mapping and outer.wants_key:
            self.source.add("keys must be text", opened.start, end, suggestion="use a word as the key")
        self._put(node, key=None)

    def _decorated(self, event: Any) -> bool:
        """Note an anchor or a tag; a tag changes what the value means."""
        start = event.start_mark.index
        if event.anchor is not None:
            self.source.add("anchors are not accepted", start, suggestion=f"remove &{event.anchor[:40]}")
        tag = event.tag
        if tag is not None:
            self.source.add("tags are not accepted", start, suggestion="remove the part that starts with '!'")
        return tag is not None

    def _put(self, node: Node, *, key: str | None) -> None:
        """Give a finished node to what is open; ``key`` is its text when it may serve as a key."""
        self.seen += 1
        if self.seen > MAX_VALUES:
            self.source.stop(f"holds more than {MAX_VALUES} values", node.start)
        if not self.stack:
            self.root = node
            return
        outer = self.stack[-1]
        if not outer.mapping:
            outer.children[len(outer.children)] = node
        elif outer.wants_key:
            outer.key, outer.wants_key = self._new_key(outer, key, node), False
        else:
            outer.wants_key = True
            if outer.key is not None:
                outer.children[outer.key] = node

    def _new_key(self, outer: _Open, key: str | None, node: Node) -> str | None:
        if key is None:
            return None
        if key in outer.keys:
            self.source.add_repeated(key, (node.start, node.end), outer.keys[key])
            return None
        outer.keys[key] = (node.start, node.end)
        return key


def _span(event: Any) -> tuple[int, int]:
    start = event.start_mark.index
    return start, max(start + 1, event.end_mark.index)
