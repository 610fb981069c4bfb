"""What a program prints, kept in its log up to a cap; the rest is read and forgotten, so printing never blocks."""

from __future__ import annotations

import os

_BLOCK = 1 << 16
_TAIL = 8192


class Capture:
    """One stream of a program; memory use is bounded however long its lines are."""

    def __init__(self, path: str, cap: int) -> None:
        self.source = -1
        self.tail = b""
        self._left = cap
        self._notice = b"\n[noa: capped at %d bytes, the rest was discarded]\n" % cap
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        self._log = os.open(path, flags, 0o600)

    def follow(self, source: int) -> None:
        """Take what comes through the pipe ``source``."""
        os.set_blocking(source, False)
        self.source = source

    def pump(self) -> bool:
        """Take what is there to read; whether the stream may bring more."""
        try:
            data = os.read(self.source, _BLOCK)
        except BlockingIOError:
            return True
        self.tail = (self.tail + data)[-_TAIL:]
        self._keep(data)
        return bool(data)

    def drain(self) -> None:
        """Take the rest, when every writer is dead, and close."""
        try:
            while data := os.read(self.source, _BLOCK):
                self.tail = (self.tail + data)[-_TAIL:]
                self._keep(data)
        except BlockingIOError:
            self._keep(b"")
        os.close(self._log)

    def _keep(self, data: bytes) -> None:
        if self._left < 0:
            return
        kept = data[: self._left]
        self._left -= len(kept)
        if len(kept) < len(data):
            kept += self._notice
            self._left = -1
        try:
            while kept:
                kept = kept[os.write(self._log, kept) :]
        except OSError:  # a full disk must not end the program that prints
            self._left = -1
