"""What a field says about itself beyond its type: a rule that its values keep, or how it is written in a document.

Both stand in ``Annotated[...]`` of a frozen dataclass. They cost nothing until a document is read: pydantic finds
their hooks then. An object made directly in Python runs the same rules through `check_fields`.
"""

from __future__ import annotations

import functools
import json
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from noa_mlops.errors import PlanInvalid, Problem

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

Path = tuple[str | int, ...]
"""The way from an object to a value inside it: names and positions."""

SHOWN = 40
"""Longest rendering of a refused value, in characters."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a value is refused. ``message`` goes on after the name of the field: "must be ...".

    ``path`` leads from the checked value to the part at fault. With ``of_key`` the message is about the last
    key of the path, not about its value, and has ``{}`` where the name of the field belongs: "unknown metric {}".
    """

    message: str
    path: Path = ()
    suggestion: str | None = None
    of_key: bool = False

    def within(self, name: str | int) -> Fault:
        """The same fault, seen from one level further out."""
        return Fault(self.message, (name, *self.path), self.suggestion, self.of_key)

    def __str__(self) -> str:
        text = sentence(self.message, self.path, of_key=self.of_key)
        return text if self.suggestion is None else f"{text}; {self.suggestion}"


class FieldInvalid(PlanInvalid, ValueError):
    """Values that their fields refuse; a `ValueError` too, so that a document reader can give it a place."""

    def __init__(self, faults: Iterable[Fault], *, of: str = "") -> None:
        self.faults = tuple(faults)
        problems = tuple(Problem(of, str(fault)) for fault in self.faults)
        super().__init__("; ".join(str(fault) for fault in self.faults), problems=problems)

    @classmethod
    def raise_any(cls, faults: Iterable[Fault], *, of: str = "") -> None:
        """Raise for ``faults`` unless there are none."""
        if found := tuple(faults):
            raise cls(found, of=of)


@dataclass(frozen=True, slots=True)
class Rule:
    """A check on a field's value, None excepted; ``schema`` says the same to an editor, in JSON Schema keywords."""

    faults: Callable[[Any], Iterable[Fault]]
    schema: Mapping[str, Any] = field(default_factory=dict)

    def keep(self, value: Any) -> Any:
        """The value itself. Raises `FieldInvalid` when the rule refuses it."""
        found = () if value is None else tuple(self.faults(value))
        if found:
            raise FieldInvalid(found)
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Pydantic's hook: check after the type is right."""
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self.keep, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Pydantic's hook: the type's schema and the rule's keywords."""
        return {**handler(schema), **self.schema}


def one_of(*choices: str) -> Rule:
    """The rule of a field that takes one of a few words."""
    wanted = " or ".join(f"'{choice}'" for choice in choices)

    def faults(value: Any) -> Iterator[Fault]:
        if value not in choices:
            yield Fault(f"must be {wanted}, got {shown(value)}")

    return Rule(faults)


def instance_of(kind: type[Any]) -> Rule:
    """The rule of a field that holds another record."""

    def faults(value: Any) -> Iterator[Fault]:
        if not isinstance(value, kind):
            yield Fault(f"must be {kind.__name__}, got {shown(value)}")

    return Rule(faults)


def whole(least: int, most: int, show: Callable[[int], str | int] = int) -> Rule:
    """The rule of a whole number from ``least`` to ``most``, both included; ``show`` writes it in messages."""

    def faults(value: Any) -> Iterator[Fault]:
        if not isinstance(value, int) or isinstance(value, bool):
            yield Fault(f"must be a whole number, got {shown(value)}")
        elif not least <= value <= most:
            yield Fault(f"must be from {show(least)} to {show(most)}, got {shown(show(value))}")

    return Rule(faults, {"minimum": least, "maximum": most})


@dataclass(frozen=True, slots=True)
class Form:
    """How a field is written in a document, where that differs from its value; ``read`` raises `FieldInvalid`."""

    read: Callable[[Any], Any]
    schema: Callable[[], Mapping[str, Any]]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Pydantic's hook: read the value ourselves."""
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Pydantic's hook: the document's form."""
        return dict(self.schema())


def check_fields(record: Any, *more: Iterable[Fault]) -> None:
    """Hold a new object against the rules of its fields and against ``more`` faults found across fields.

    Raises `FieldInvalid` with all of them. The faults across fields may be a generator: it is not
    started before the fields themselves are right.
    """
    kind: Any = type(record)
    found = [
        fault.within(name)
        for name, rules in _rules(kind)
        for rule in rules
        if (value := getattr(record, name)) is not None
        for fault in rule.faults(value)
    ]
    for faults in () if found else more:
        found.extend(faults)
    FieldInvalid.raise_any(found, of=kind.__name__)


@functools.cache
def _rules(kind: Any) -> tuple[tuple[str, tuple[Rule, ...]], ...]:
    hints = typing.get_type_hints(kind, include_extras=True)
    metadata = ((f.name, getattr(hints[f.name], "__metadata__", ())) for f in fields(kind))
    return tuple((name, tuple(m for m in found if isinstance(m, Rule))) for name, found in metadata)


def sentence(message: str, path: Path, *, of_key: bool = False) -> str:
    """A message about the value, or about the last key, that ``path`` leads to."""
    return message.replace("{}", f"'{dotted(path)}'", 1) if of_key else f"{dotted(path)} {message}".lstrip()


def dotted(path: Path) -> str:
    """A path as people write it: ``evaluation.metric_thresholds.roc_auc``, ``code[0]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part and len(part) <= SHOWN and all(c.isalnum() or c in "_-" for c in part):
            text += f".{part}" if text else part
        else:
            text += f"[{shown(part)}]"
    return text


def shown(value: Any) -> str:
    """A refused value in a message: JSON, on one line, without control characters, short."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if not (value is None or isinstance(value, str | int | float)):
        return f"a {type(value).__name__}"
    if isinstance(value, str):
        text = json.dumps(value[:SHOWN], ensure_ascii=not value.isprintable())
        return text if len(value) <= SHOWN else f'{text[:-1]}..."'
    text = json.dumps(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
