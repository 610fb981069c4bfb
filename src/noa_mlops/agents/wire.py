"""How the runtime and a supervisor speak: pairs of names and values, each ended by a NUL byte.

Neither a program's arguments nor a path can hold a NUL, so nothing needs escaping, and a reader needs no import:
a JSON parser would cost a supervisor more time than the rest of its start.
"""

from __future__ import annotations

import os

HEADER = 10
"""Bytes of the decimal length in front of a message."""


def pack(fields: list[tuple[str, str]]) -> bytes:
    """One message of pairs, in their order. Raises `ValueError` for a NUL inside a name or a value."""
    texts = [text for pair in fields for text in pair]
    if any("\0" in text for text in texts):
        raise ValueError("a NUL byte cannot be part of an argument, a path or a variable")
    body = b"".join(os.fsencode(text) + b"\0" for text in texts)
    return b"%0*d" % (HEADER, len(body)) + body


def unpack(body: bytes) -> list[tuple[str, str]]:
    """The pairs of a message without its length."""
    texts = [os.fsdecode(text) for text in body.split(b"\0")[:-1]]
    return list(zip(texts[::2], texts[1::2], strict=True))


def receive(descriptor: int) -> list[tuple[str, str]] | None:
    """Read one message; None when the other side is gone before it was whole."""
    header = _read_exactly(descriptor, HEADER)
    body = None if header is None else _read_exactly(descriptor, int(header))
    return None if body is None else unpack(body)


def _read_exactly(descriptor: int, size: int) -> bytes | None:
    parts = []
    while size:
        part = os.read(descriptor, size)
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def send(descriptor: int, fields: list[tuple[str, str]]) -> None:
    """Write one message whole."""
    data = memoryview(pack(fields))
    while data:
        data = data[os.write(descriptor, data) :]
