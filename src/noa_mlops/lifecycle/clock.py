"""The one place that asks the machine for the time."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """The time in UTC, RFC 3339, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
