"""One loop per project: a lock that the kernel gives back when its holder dies, and a line that says what it is doing.

Nothing is decided by what the line says; it only tells people. Everything that counts stands in the ledger.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from typing import Any

from noa_mlops.errors import LedgerConflict
from noa_mlops.files import make_directories
from noa_mlops.ledger.ledger import now
from noa_mlops.ledger.lock import Lock
from noa_mlops.records.documents import DocumentInvalid, compact, parse_object
from noa_mlops.records.layout import Layout

PATIENCE = 1.0
"""Seconds that a loop waits for the lock: somebody may only be asking whether it is held."""

MAX_LINE = 1 << 16
"""Largest line that is read, in bytes."""

_AFTER_HOLDER = 21
"""Where the line begins: the lock's first line is the process id of its holder."""


class Presence:
    """This process as the loop of a project; `taken` gives it."""

    def __init__(self, layout: Layout) -> None:
        self._path = layout.loop
        self._since = now()
        self._said = b""

    @classmethod
    @contextlib.contextmanager
    def taken(cls, layout: Layout) -> Iterator[Presence]:
        """Be the loop as long as the block lasts. Raises `LedgerConflict`, naming the process, when there is one."""
        make_directories(layout.loop.parent)
        lock = Lock(layout.loop, "noa operate runs here already, as process")
        try:
            with lock.held(PATIENCE):
                presence = cls(layout)
                presence.say(None, {})
                yield presence
        except LedgerConflict as error:
            if str(error).startswith("noa operate runs here already"):
                error.hint = "One is enough for a project: noa status says what it is doing."
            raise
        finally:
            lock.close()

    def say(self, doing: str | None, waits: Mapping[str, str]) -> None:
        """Say what is being done, None for nothing, and what each lifecycle waits for. A full disk is no reason to stop."""
        line = compact({"since": self._since, "doing": doing, "waits": dict(waits)}) + b"\n"
        if line == self._said:
            return
        with contextlib.suppress(OSError):
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                os.ftruncate(descriptor, _AFTER_HOLDER)
                os.pwrite(descriptor, line, _AFTER_HOLDER)
            finally:
                os.close(descriptor)
            self._said = line


def presence_of(layout: Layout) -> Mapping[str, Any] | None:
    """The loop of a project: its ``pid``, and what it says; None when none runs. The kernel is asked whether it lives."""
    try:
        descriptor = os.open(layout.loop, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        holder = os.pread(descriptor, _AFTER_HOLDER, 0).strip()
        line = os.pread(descriptor, MAX_LINE, _AFTER_HOLDER)
    finally:
        os.close(descriptor)
    try:
        said = parse_object(line.rstrip(b"\n"), limit=MAX_LINE)
    except DocumentInvalid:
        said = {}  # it is being written
    waits = said.get("waits")
    return {
        "pid": int(holder) if holder.isdigit() else None,
        "since": said.get("since"),
        "doing": said.get("doing"),
        "waits": waits if isinstance(waits, dict) else {},
    }
