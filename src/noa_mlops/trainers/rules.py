"""Rules for hyperparameters, written as text that people can read too.

A rule is a choice: ``integer [1, inf) | "sqrt" | null``. Its parts are a text in double quotes, ``null``,
``boolean``, ``mapping``, ``integer`` or ``number`` with an interval (a round bracket leaves its end out), and
``list of`` one of these.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence

from noa_mlops.records.documents import Json

LARGEST = sys.float_info.max
"""Numbers beyond this one are refused; no estimator can hold them."""

_INTERVAL = re.compile(r"(integer|number) ([\[(])(\S+), (\S+)([\])])")


def accepts(rule: str, value: Json) -> bool:
    """Whether ``value`` is one of the choices of ``rule``. A boolean is never a number."""
    return any(_accepts_one(choice, value) for choice in rule.split(" | "))


def _accepts_one(choice: str, value: Json) -> bool:
    match choice:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "mapping":
            return isinstance(value, Mapping)
        case text if text.startswith('"'):
            return value == text[1:-1]
        case several if several.startswith("list of "):
            return _all_accepted(several.removeprefix("list of "), value)
        case interval:
            return _lies_within(interval, value)


def _all_accepted(choice: str, values: Json) -> bool:
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        return False
    return all(_accepts_one(choice, value) for value in values)


def _lies_within(interval: str, value: object) -> bool:
    parts = _INTERVAL.fullmatch(interval)
    if parts is None:
        raise ValueError(f"{interval!r} is no rule")
    kind, opening, low, high, closing = parts.groups()
    if isinstance(value, bool) or not isinstance(value, int if kind == "integer" else (int, float)):
        return False
    if abs(value) > LARGEST or not math.isfinite(value):
        return False
    above = value >= float(low) if opening == "[" else value > float(low)
    below = value <= float(high) if closing == "]" else value < float(high)
    return above and below
