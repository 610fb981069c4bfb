"""What an agent says about itself while it runs: lines of JSON in ``progress.jsonl``, shown and never trusted."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from noa_mlops.records.documents import DocumentInvalid, parse_object

_MOST = 1 << 20
_LONGEST = 64 << 10


class ProgressTail:
    """Follows the file from its end at the start; reads at most 1 MiB in all and lines of at most 64 KiB."""

    def __init__(self, path: Path) -> None:
        self._descriptor = _open(path)
        self._left = _MOST
        self._rest = b""

    def new(self) -> Iterator[dict[str, Any]]:
        """The objects written since the last call; lines that are none are left out."""
        while self._descriptor is not None and (data := os.read(self._descriptor, min(_LONGEST, self._left))):
            self._left -= len(data)
            *lines, rest = (self._rest + data).split(b"\n")
            self._rest = rest[: _LONGEST + 1]
            for line in lines:
                try:
                    yield parse_object(line, limit=_LONGEST)
                except DocumentInvalid:
                    continue

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _open(path: Path) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    os.lseek(descriptor, 0, os.SEEK_END)
    return descriptor
