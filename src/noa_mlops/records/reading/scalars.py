"""What a scalar without quotes means: null, a boolean, a decimal number, else text.

YAML 1.2 core schema (section 10.3.2), but for what its readers disagree on: ``0x10``, ``0o17`` and numbers with
leading zeros stay text, infinities and NaN are refused, and so is every number that would lose its value
(1e400, 1e-400) or its sign (-0).
"""

from __future__ import annotations

import math
import re
from types import MappingProxyType
from typing import Any

from noa_mlops.records.documents import MAX_DIGITS

WORDS = MappingProxyType(
    {
        **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
        **dict.fromkeys(("true", "True", "TRUE"), True),
        **dict.fromkeys(("false", "False", "FALSE"), False),
    }
)
"""Words that are no text."""

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+(\.[0-9]*)?")
_OTHER_BASE = re.compile(r"[-+]?0[xXoObB][0-9a-fA-F]+")
_GROUPED = re.compile(r"[-+]?[0-9]{1,3}([_,' ][0-9]{3})+(\.[0-9]+)?")
_SWITCHES = MappingProxyType({"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"})


class NumberInvalid(ValueError):
    """A number that cannot be kept as written; the message says why."""


def plain_value(text: str) -> bool | int | float | str | None:
    """What an unquoted YAML scalar means. Raises `NumberInvalid`."""
    if text in WORDS:
        return WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _NOT_FINITE.fullmatch(text):
        raise NumberInvalid(f"{text} is not a number")
    return number(text) if _FLOAT.fullmatch(text) else text


def number(text: str) -> int | float:
    """The value of a decimal number. Raises `NumberInvalid` when no int or finite float has it."""
    if len(text) > MAX_DIGITS:
        raise NumberInvalid(f"the number {text[:12]}... has more than {MAX_DIGITS} characters")
    if _INTEGER.fullmatch(text):
        if text.startswith("-") and int(text) == 0:
            raise NumberInvalid("negative zero is not a number of its own")
        return int(text)
    value = float(text)
    if math.isinf(value):
        raise NumberInvalid(f"the number {text} is too large")
    if value == 0 and re.search("[1-9]", re.split("[eE]", text)[0]):
        raise NumberInvalid(f"the number {text} is too small")
    if value == 0 and text.startswith("-"):
        raise NumberInvalid("negative zero is not a number of its own")
    return value


def number_hint(value: Any) -> str | None:
    """How text that was meant as a number should have been written, or None when it looks like none."""
    if not isinstance(value, str) or len(value) > MAX_DIGITS:
        return None
    if _INTEGER.fullmatch(value) or _FLOAT.fullmatch(value):
        return f"write {value} without quotes"
    if _LEADING_ZERO.fullmatch(value):
        return "numbers have no leading zeros"
    if _OTHER_BASE.fullmatch(value):
        return f"write {int(value, 0)}; numbers are decimal" if _is_literal(value) else "numbers are decimal"
    if _GROUPED.fullmatch(value):
        return f"write {re.sub('[^-+.0-9]', '', value)}"
    return None


def switch_hint(value: Any) -> str | None:
    """How text that was meant as true or false should have been written, or None."""
    meant = _SWITCHES.get(value.lower()) if isinstance(value, str) else None
    return None if meant is None else f"write {meant}"


def _is_literal(text: str) -> bool:
    try:
        int(text, 0)
    except ValueError:
        return False
    return True
