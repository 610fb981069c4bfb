"""What a tree of processes uses, held against its limits."""

from __future__ import annotations

import os
import stat

from noa_mlops.agents.processes import fair_memory, memory

_DEEPEST = 64
_MOST_FILES = 200_000


class Breach:
    """A limit that was passed: the cause as an `Outcome` names it, and one line for the log."""

    __slots__ = ("cause", "detail")

    def __init__(self, cause: str, detail: str) -> None:
        self.cause = cause
        self.detail = detail


class Meter:
    """Looks at a tree from time to time and remembers the most memory it saw, in bytes."""

    def __init__(self, limits: dict[str, int], writable: list[str]) -> None:
        self.peak_memory = 0
        self._limits = limits
        self._writable = writable

    def processes(self, pids: list[int]) -> Breach | None:
        """The limit on processes or memory that ``pids`` pass, if any."""
        if len(pids) > (most := self._limits["processes"]):
            return Breach("process_limit", f"{len(pids)} processes; the limit is {most}")
        used, limit = memory(pids), self._limits["memory"]
        if used > limit and len(pids) > 1:
            used = fair_memory(pids)
        self.peak_memory = max(self.peak_memory, used)
        return Breach("memory_limit", f"{used} bytes of memory; the limit is {limit}") if used > limit else None

    def disk(self) -> Breach | None:
        """The limit on disk space that the writable folders pass, if any."""
        limit = self._limits["disk"]
        walk = _Walk()
        used = sum(walk.size(path) for path in self._writable)
        if walk.refused:
            return Breach("disk_limit", walk.refused)
        return Breach("disk_limit", f"{used} bytes on disk; the limit is {limit}") if used > limit else None


class _Walk:
    """The disk space below folders that a program may be changing at the same time."""

    def __init__(self) -> None:
        self.refused = ""
        self._files = 0

    def size(self, path: str) -> int:
        """Bytes on disk of a file, or of all files below a folder."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return 0
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            return self._folder(descriptor, 0)
        os.close(descriptor)
        return status.st_blocks * 512

    def _folder(self, descriptor: int, depth: int) -> int:
        """Consumes ``descriptor``."""
        try:
            if depth > _DEEPEST:
                self.refused = f"folders nested more than {_DEEPEST} levels deep"
                return 0
            with os.scandir(descriptor) as entries:
                return sum(self._entry(descriptor, entry.name, depth) for entry in entries)
        except OSError:
            return 0
        finally:
            os.close(descriptor)

    def _entry(self, folder: int, name: str, depth: int) -> int:
        self._files += 1
        if self._files > _MOST_FILES:
            self.refused = f"more than {_MOST_FILES} files"
        if self.refused:
            return 0
        try:
            status = os.lstat(name, dir_fd=folder)
            if stat.S_ISDIR(status.st_mode):
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                return self._folder(os.open(name, flags, dir_fd=folder), depth + 1)
        except OSError:
            return 0
        return status.st_blocks * 512
