"""What a supervisor is told to do: one job, read from the fields of a message."""

from __future__ import annotations

SEALED = "sealed"
BASIC = "basic"


class Assignment:
    """The fields of a job; times in seconds, sizes in bytes.

    A plain class: the supervisor must start without the modules that dataclasses need.
    """

    __slots__ = ("argv", "cwd", "environment", "grants", "isolation", "limits", "preloaded", "writable")

    def __init__(self) -> None:
        self.argv: list[str] = []
        self.cwd = ""
        self.isolation = BASIC
        self.preloaded = ""
        self.environment: dict[str, str] = {}
        self.grants: list[tuple[int, str]] = []
        self.writable: list[str] = []
        self.limits: dict[str, int] = {}

    @classmethod
    def of(cls, fields: list[tuple[str, str]]) -> Assignment:
        """Read an assignment. Raises `ValueError` for a field that does not belong to one."""
        self = cls()
        for name, value in fields:
            self._take(name, value)
        return self

    def _take(self, name: str, value: str) -> None:
        kind, _, rest = name.partition(".")
        match kind:
            case "argv":
                self.argv.append(value)
            case "cwd":
                self.cwd = value
            case "isolation":
                self.isolation = value
            case "preloaded":
                self.preloaded = value
            case "environment":
                self.environment[rest] = value
            case "grant":
                self.grants.append((int(rest), value))
            case "writable":
                self.writable.append(value)
            case "limit":
                self.limits[rest] = int(value)
            case _:
                raise ValueError(f"{name!r} is not part of an assignment")
