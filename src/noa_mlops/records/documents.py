"""JSON documents: read strictly, written in one canonical form.

A reader that accepts two meanings for one text invites attacks, so duplicate keys, NaN and infinities,
lone surrogates, deep nesting and oversize are refused (RFC 8259 leaves them to the implementation).
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None
"""What a JSON document can hold."""

MAX_DEPTH = 64
"""Deepest nesting that any reader accepts."""

MAX_DIGITS = 40
"""Longest number, in characters, that any reader accepts."""


class DocumentInvalid(ValueError):
    """Text that is no acceptable JSON document; the message says why."""


def parse(data: bytes, *, limit: int) -> Any:
    """The value of a UTF-8 JSON document of at most ``limit`` bytes. Raises `DocumentInvalid`."""
    if len(data) > limit:
        raise DocumentInvalid(f"is larger than {limit} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DocumentInvalid(f"is not UTF-8 at byte {error.start}") from error
    _check_depth(text)
    try:
        value = _DECODER.decode(text)
        # UTF-8 cannot hold half of a surrogate pair; an escape can.
        if "\\u" in text:
            compact(value)
        return value
    except UnicodeEncodeError as error:
        raise DocumentInvalid("contains half of a surrogate pair") from error
    except RecursionError as error:
        raise DocumentInvalid("is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise DocumentInvalid(f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error


def parse_object(data: bytes, *, limit: int) -> dict[str, Any]:
    """Like `parse`, for documents that must be an object."""
    value = parse(data, limit=limit)
    if not isinstance(value, dict):
        raise DocumentInvalid("is not a JSON object")
    return value


def parse_compact(data: bytes, *, limit: int) -> Any:
    """Like `parse`, for documents in the form of `compact` only; faster. Raises `DocumentInvalid` for any other text.

    Text that comes out again from its value holds no key twice and no half of a surrogate pair.
    """
    value = parse_checked(data, limit=limit)
    try:
        if compact(value) == data:
            return value
    except UnicodeEncodeError as error:
        raise DocumentInvalid("contains half of a surrogate pair") from error
    parse(data, limit=limit)
    raise DocumentInvalid("is not written in its one form")


def parse_checked(data: bytes, *, limit: int) -> Any:
    """The value of bytes that were checked before, or will be: the last of two equal keys wins. Else like `parse`."""
    if len(data) > limit:
        raise DocumentInvalid(f"is larger than {limit} bytes")
    try:
        text = data.decode()
        _check_depth(text)
        value, end = _PLAIN.raw_decode(text)
    except (UnicodeDecodeError, json.JSONDecodeError):
        return parse(data, limit=limit)
    return value if end == len(text) else parse(data, limit=limit)


def canonical(value: object) -> bytes:
    """The one canonical form: keys sorted, no white space, UTF-8, finite numbers. Raises `ValueError`."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def compact(value: object) -> bytes:
    """JSON without white space, keys in the order given; UTF-8, finite numbers only."""
    return _COMPACT.encode(value).encode()


def sha256(data: bytes) -> str:
    """SHA-256 in lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def is_digest(value: object) -> bool:
    """Whether ``value`` is a SHA-256 in lower-case hex."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


_DIGEST = re.compile(r"[0-9a-f]{64}")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_BRACKETS = re.compile(r"[\[\]{}]")


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _BRACKETS.finditer(_STRING.sub("", text)):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > MAX_DEPTH:
            raise DocumentInvalid(f"is nested more than {MAX_DEPTH} levels deep")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise DocumentInvalid(f"has the key {twice!r} twice")
    return result


def _float(text: str) -> float:
    value = float(text)
    if len(text) > MAX_DIGITS or not math.isfinite(value):
        raise DocumentInvalid(f"has the number {text[:MAX_DIGITS]}, which is out of range")
    return value


def _int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise DocumentInvalid(f"has the number {text[:MAX_DIGITS]}..., which is out of range")
    return int(text)


def _constant(text: str) -> float:
    raise DocumentInvalid(f"has {text}, which is not a number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_float=_float, parse_int=_int, parse_constant=_constant, strict=True
)
_PLAIN = json.JSONDecoder(parse_float=_float, parse_int=_int, parse_constant=_constant)
# A value that contains itself ends in RecursionError: to look for it beforehand takes a third of the time.
_COMPACT = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False)
