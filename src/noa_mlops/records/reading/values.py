"""Free JSON values inside plans: anything JSON can hold exactly, and nothing it cannot."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from noa_mlops.records.documents import MAX_DEPTH, MAX_DIGITS, Json
from noa_mlops.records.reading.fields import Fault, Path, shown

MAX_VALUES = 20_000
"""Most values, at all depths, that one document may hold."""

MAX_KEY = 256
"""Longest key of a mapping, in characters."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def value_faults(value: Any) -> Iterator[Fault]:
    """Why ``value`` cannot stand in a document: every part that JSON cannot hold, or could not hold exactly.

    Nothing is walked beyond `MAX_VALUES` parts or `MAX_DEPTH` levels, so a mapping that contains itself ends too.
    """
    waiting: list[tuple[Path, Any]] = [((), value)]
    seen = 0
    while waiting:
        path, part = waiting.pop()
        seen += 1
        if seen > MAX_VALUES:
            yield Fault(f"must hold at most {MAX_VALUES} values")
            return
        if len(path) > MAX_DEPTH:
            yield Fault(f"must not be nested more than {MAX_DEPTH} levels deep")
            return
        if isinstance(part, Mapping):
            yield from (Fault(problem, path) for key in part if (problem := key_problem(key)))
            waiting.extend(((*path, str(key)), inner) for key, inner in part.items())
        elif isinstance(part, list | tuple):
            waiting.extend(((*path, index), inner) for index, inner in enumerate(part))
        elif problem := scalar_problem(part):
            yield Fault(problem, path)


def mapping_faults(value: Any) -> Iterator[Fault]:
    """Like `value_faults`, for a value that must be a mapping."""
    if isinstance(value, Mapping):
        yield from value_faults(value)
    else:
        yield Fault(f"must be a mapping, got {shown(value)}")


def key_problem(key: Any) -> str | None:
    """Why ``key`` cannot be a key of a mapping, or None when it can. No word is reserved: keys are data."""
    if not isinstance(key, str):
        return f"must have text as keys, got {shown(key)}"
    if len(key) > MAX_KEY:
        return f"must have keys of at most {MAX_KEY} characters"
    return text_problem(key)


def scalar_problem(value: Any) -> str | None:
    """Why a value without parts cannot be held, or None when it can."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        return text_problem(value)
    if isinstance(value, int | float):
        return number_problem(value)
    return f"must be null, true, false, a number, text, a list or a mapping, got {shown(value)}"


def text_problem(text: str) -> str | None:
    """Why ``text`` cannot be written as UTF-8, or None when it can."""
    return "must not contain half of a surrogate pair" if _SURROGATE.search(text) else None


def number_problem(number: float) -> str | None:
    """Why ``number`` cannot be held exactly by every JSON reader, or None when it can."""
    if isinstance(number, int):
        return None if abs(number) < 10 ** (MAX_DIGITS - 1) else f"must be a number of at most {MAX_DIGITS - 1} digits"
    if not math.isfinite(number):
        return "must be a finite number"
    if number == 0 and math.copysign(1, number) < 0:
        return "must not be negative zero; write 0"
    return None


def plain(value: Any) -> Json:
    """A copy of a checked value in lists and dicts of its own."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    scalar: Json = value
    return scalar
