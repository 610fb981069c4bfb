"""Sizes and durations as people write them: ``2GiB``, ``10m``; in memory always whole bytes and whole seconds."""

from __future__ import annotations

import re
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from noa_mlops.records.reading.fields import Fault, FieldInvalid, shown

SIZES = MappingProxyType(
    {
        "TiB": 2**40, "GiB": 2**30, "MiB": 2**20, "KiB": 2**10,
        "TB": 10**12, "GB": 10**9, "MB": 10**6, "KB": 10**3, "kB": 10**3, "B": 1,
    }
)  # fmt: skip
"""Units of size in bytes, by powers of 1024 (IEC 80000-13) and of 1000."""

DURATIONS = MappingProxyType({"d": 86400, "h": 3600, "m": 60, "s": 1})
"""Units of time in seconds, largest first."""

SIZE_PATTERN = r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?(TiB|GiB|MiB|KiB|TB|GB|MB|KB|kB|B)"
"""A size as text."""

DURATION_PATTERN = r"([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?"
"""A duration as text; at least one part."""


def size_schema() -> dict[str, Any]:
    """JSON Schema of a size as people write it."""
    return _written(SIZE_PATTERN, "512MiB", "2GiB")


def duration_schema() -> dict[str, Any]:
    """JSON Schema of a duration as people write it."""
    return _written(DURATION_PATTERN, "90s", "10m")


def _written(pattern: str, *examples: str) -> dict[str, Any]:
    return {"type": ["integer", "string"], "pattern": f"^(?=.){pattern}$", "examples": list(examples)}


_SIZE = re.compile(SIZE_PATTERN)
_DURATION = re.compile(DURATION_PATTERN)
_PART = re.compile(r"([0-9]+)([dhms])")


def read_size(value: Any) -> int:
    """Bytes, from ``"2GiB"``, ``"1.5 GiB"`` or a whole number of bytes. Raises `FieldInvalid`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    size = Decimal(match[1]) * SIZES[match[2]] if match else None
    if size is None or size != int(size):
        raise FieldInvalid([Fault(f"must be a size, got {shown(value)}", suggestion="write it like 512MiB or 2GiB")])
    return int(size)


def read_duration(value: Any) -> int:
    """Seconds, from ``"10m"``, ``"1h30m"`` or a whole number of seconds. Raises `FieldInvalid`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or not value or not _DURATION.fullmatch(value):
        message = f"must be a duration, got {shown(value)}"
        raise FieldInvalid([Fault(message, suggestion="write it like 90s, 10m or 2h")])
    return sum(int(number) * DURATIONS[unit] for number, unit in _PART.findall(value))


def size_text(size: int) -> str | int:
    """The normal form of a size: in the largest unit of 1024 that needs no fraction, else the number of bytes."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size and size % SIZES[unit] == 0:
            return f"{size // SIZES[unit]}{unit}"
    return size


def duration_text(seconds: int) -> str:
    """The normal form of a duration: in the largest unit that needs no fraction."""
    unit = next((unit for unit, length in DURATIONS.items() if seconds and seconds % length == 0), "s")
    return f"{seconds // DURATIONS[unit]}{unit}"
