"""From nodes to records: pydantic holds the values against the types of a frozen dataclass, strictly.

Its messages are not ours: each finding is said again in the words of the plan, at its place in the text.
"""

from __future__ import annotations

import difflib
import functools
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from noa_mlops.records.documents import compact
from noa_mlops.records.reading.fields import Fault, FieldInvalid, Path, sentence, shown
from noa_mlops.records.reading.scalars import number_hint, switch_hint
from noa_mlops.records.reading.source import Node, Source

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

WANTED = types.MappingProxyType(
    {
        "string_type": "text",
        **dict.fromkeys(("int_type", "int_from_float", "int_parsing"), "a whole number"),
        **dict.fromkeys(("float_type", "float_parsing"), "a number"),
        **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
        **dict.fromkeys(("dict_type", "mapping_type", "dataclass_type"), "a mapping"),
        **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type", "iterable_type"), "a list"),
        "none_required": "null",
    }
)
"""What pydantic's findings about a wrong type want, in our words."""


@functools.cache
def adapter(kind: Any) -> TypeAdapter[tuple[Any]]:
    """Pydantic's reader of ``kind``: strict types, no unknown fields.

    It reads a list of one, because pydantic takes settings for a stdlib dataclass only from outside of it.
    """
    from pydantic import ConfigDict, TypeAdapter

    config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)
    of_one: Any = types.GenericAlias(tuple, (kind,))
    return TypeAdapter(of_one, config=config)


def build(root: Node, kind: type[T], source: Source) -> T:
    """The record of type ``kind`` that ``root`` describes. Raises `PlanInvalid` with every problem in ``source``."""
    from pydantic import ValidationError

    wanted: Any = kind
    record: T
    try:
        (record,) = adapter(wanted).validate_json(compact([root.value]))
    except ValidationError as error:
        found = [_Finding(e["type"], *_locate(root, e["loc"][1:]), e.get("ctx", {})) for e in error.errors()]
        for finding in found:
            if not finding.node.broken:
                _note(finding, found, root, kind, source)
        source.check()
        raise
    source.check()
    return record


@dataclass(frozen=True, slots=True)
class _Finding:
    """One of pydantic's errors at its node; ``rest`` is the part of its way that is not in the document."""

    type: str
    node: Node
    path: Path
    rest: Path
    context: Mapping[str, Any]


def _locate(root: Node, loc: Sequence[str | int]) -> tuple[Node, Path, Path]:
    """The node that ``loc`` leads to, the way to it, and what of ``loc`` names no node (branches of a union too)."""
    node, path, rest = root, [], []
    for part in loc:
        if part in node.children:
            node = node.children[part]
            path.append(part)
        else:
            rest.append(part)
    return node, tuple(path), tuple(rest)


def _note(finding: _Finding, found: Sequence[_Finding], root: Node, kind: type[Any], source: Source) -> None:
    match finding.type:
        case "value_error":
            error = finding.context["error"]
            faults = error.faults if isinstance(error, FieldInvalid) else (Fault(str(error)),)
            note_faults(faults, finding.path, root, source)
        case "missing":
            name = finding.rest[-1]
            source.add(sentence("is missing", (*finding.path, name)), *_beginning(finding.node))
        case "unexpected_keyword_argument" | "extra_forbidden":
            _note_unknown(finding.path, root, kind, source)
        case "literal_error":
            if not _fits_another_branch(finding, found):
                _note_choice(finding, kind, source)
        case wrong if wrong in WANTED:
            _note_wrong_type(finding, found, source)
        case _:
            message = f"is not acceptable, got {shown(finding.node.value)}"
            source.add(sentence(message, finding.path), finding.node.start, finding.node.end)


def note_faults(faults: Iterable[Fault], within: Path, root: Node, source: Source) -> None:
    """Note faults of the value at ``within``, each at its place in the document."""
    for fault in faults:
        path = (*within, *fault.path)
        node, known, _ = _locate(root, path)
        if node.broken:
            continue
        text = sentence(fault.message, path, of_key=fault.of_key)
        parent, _, _ = _locate(root, path[:-1])
        if fault.of_key and path and path[-1] in parent.keys:
            place = parent.keys[str(path[-1])]
        else:
            place = (node.start, node.end) if known == path and not node.keys else _beginning(node)
        source.add(text, *place, suggestion=fault.suggestion)


def _note_unknown(path: Path, root: Node, kind: type[Any], source: Source) -> None:
    parent, _, _ = _locate(root, path[:-1])
    key = str(path[-1])
    names, later = known_fields(kind, path[:-1])
    if key in later:
        source.add(sentence("{} is not available in this version", path, of_key=True), *parent.keys[key])
        return
    near = difflib.get_close_matches(key, names, 1) or [n for n in names if n == key.lower().replace("-", "_")]
    suggestion = f"did you mean '{near[0]}'?" if near else _elsewhere(kind, key)
    source.add(sentence("unknown field {}", path, of_key=True), *parent.keys[key], suggestion=suggestion)


def _elsewhere(kind: type[Any], key: str) -> str | None:
    """Where a field belongs that was written at the wrong level."""
    places = (name for name in known_fields(kind, ())[0] if key in known_fields(kind, (name,))[0])
    return next((f"it belongs inside '{place}'" for place in places), None)


def _note_choice(finding: _Finding, kind: type[Any], source: Source) -> None:
    node = finding.node
    choices = _choices(kind, finding.path)
    wanted = " or ".join(f"'{choice}'" for choice in choices) or str(finding.context.get("expected"))
    near = difflib.get_close_matches(str(node.value), choices, 1)
    others = "nothing else is available in this version" if len(choices) == 1 else None
    suggestion = f"did you mean '{near[0]}'?" if near else others
    message = f"must be {wanted}, got {shown(node.value)}"
    source.add(sentence(message, finding.path), node.start, node.end, suggestion=suggestion)


def _note_wrong_type(finding: _Finding, found: Sequence[_Finding], source: Source) -> None:
    """Say what is wanted; the branches of a union in one sentence, unless one of them fits and fails deeper inside."""
    node, path = finding.node, finding.path
    here = [other for other in found if other.path == path and other.type in WANTED]
    if here[0] is not finding or _fits_another_branch(finding, found):
        return
    wanted = list(dict.fromkeys(WANTED[other.type] for other in here))
    words = wanted[0] if len(wanted) == 1 else f"{', '.join(wanted[:-1])} or {wanted[-1]}"
    message = sentence(f"must be {words}, got {shown(node.value)}", path) if path else f"must be {words} of fields"
    place = _beginning(node) if node.children else (node.start, node.end)
    source.add(message, *place, suggestion=_type_hint(wanted, node.value))


def _fits_another_branch(finding: _Finding, found: Sequence[_Finding]) -> bool:
    """Whether another branch of a union took the value and found fault with something more particular."""
    path = finding.path
    particular = {"literal_error"} if finding.type in WANTED else set()
    return any(
        len(other.path) > len(path) or other.type == "missing" or other.type in particular
        for other in found
        if other.path[: len(path)] == path and other is not finding
    )


def _type_hint(wanted: Sequence[str], value: Any) -> str | None:
    if "a number" in wanted or "a whole number" in wanted:
        return number_hint(value)
    if "true or false" in wanted:
        return switch_hint(value)
    if wanted == ["text"] and isinstance(value, str | int | float):
        return "put it in quotes to make it text"
    return None


def _beginning(node: Node) -> tuple[int, int]:
    return next(iter(node.keys.values()), (node.start, node.start + 1))


def known_fields(kind: Any, path: Path) -> tuple[tuple[str, ...], frozenset[str]]:
    """The fields that a mapping at ``path`` inside a ``kind`` may have, and those of later versions."""
    names: list[str] = []
    later: set[str] = set()
    for one in _at(kind, path):
        if isinstance(one, type) and is_dataclass(one):
            names.extend(field.name for field in fields(one))
            later.update(getattr(one, "LATER", ()))
    return tuple(names), frozenset(later)


def _choices(kind: Any, path: Path) -> tuple[str, ...]:
    literals = (one for one in _at(kind, path) if typing.get_origin(one) is typing.Literal)
    return tuple(str(choice) for one in literals for choice in typing.get_args(one))


def _at(kind: Any, path: Path) -> list[Any]:
    """The types, unions taken apart, that stand at ``path`` inside ``kind``."""
    kinds = list(_branches(kind))
    for part in path:
        kinds = [branch for outer in kinds for inner in _inside(outer, part) for branch in _branches(inner)]
    return kinds


def _branches(kind: Any) -> Iterator[Any]:
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        yield from _branches(typing.get_args(kind)[0])
    elif origin in (typing.Union, types.UnionType):
        for branch in typing.get_args(kind):
            yield from _branches(branch)
    else:
        yield kind


def _inside(kind: Any, part: str | int) -> Iterator[Any]:
    if isinstance(kind, type) and is_dataclass(kind):
        hints = typing.get_type_hints(kind, include_extras=True)
        yield from (hints[field.name] for field in fields(kind) if field.name == part)
    elif arguments := [argument for argument in typing.get_args(kind) if argument is not Ellipsis]:
        yield arguments[-1]
