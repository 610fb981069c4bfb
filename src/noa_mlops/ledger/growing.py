"""A file that only grows, record by record, and is durable before anybody is told.

A failed write leaves the file as it was, or stops this writer for good; a failed sync always stops it, for
nobody can know what the disk then holds. The next one to open the file looks at what is there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from noa_mlops.errors import LedgerConflict, LedgerTampered
from noa_mlops.files import BLOCK, sync_directory


class GrowingFile:
    """The file at ``path``, created durably when it is not there; ``size`` is how much of it is known, in bytes.

    All calls but reading need the ledger's lock.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._stopped: str | None = None
        self._name = os.fspath(path)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            self._descriptor = os.open(path, flags, 0o644)
        except OSError as error:
            raise self._unusable(error) from error
        self._identity = _identity(os.fstat(self._descriptor))
        try:
            sync_directory(path.parent)
        except OSError as error:
            self.close()
            raise self._unusable(error) from error

    @property
    def stopped(self) -> bool:
        """Whether a failure has stopped this writer, or it is closed."""
        return self._stopped is not None

    def check(self) -> None:
        """Raise `LedgerConflict` when a failure has stopped this writer, or it is closed."""
        if self._stopped is not None:
            raise LedgerConflict(f"{self.path} {self._stopped}; this writer has stopped", hint=_HINT)

    def length(self) -> int:
        """How long the file is now. Raises `LedgerTampered` when another file has taken its place."""
        try:
            named = os.stat(self._name, follow_symlinks=False)
        except FileNotFoundError:
            named = None
        # As long as it is open here, no other file can have its number.
        if named is None or _identity(named) != self._identity:
            raise LedgerTampered(f"{self.path} was replaced or removed while it was in use")
        if named.st_size < self.size:
            raise LedgerTampered(f"{self.path} was cut to {named.st_size} bytes; {self.size} were known")
        return named.st_size

    def read(self, size: int, offset: int) -> bytes:
        """Up to ``size`` bytes from ``offset``."""
        return os.pread(self._descriptor, size, offset)

    def append(self, record: bytes) -> None:
        """Add ``record`` in one write and make it durable. Raises `LedgerConflict`; then it was not recorded."""
        self.check()
        try:
            written = os.write(self._descriptor, record)
        except OSError as error:
            self._undo()
            raise self._failure("written", error) from error
        if written != len(record):
            self._undo()
            raise LedgerConflict(f"{self.path} could not be written in full", hint=_HINT)
        self.sync()
        self.size += written

    def sync(self) -> None:
        """Make what was written durable. Raises `LedgerConflict` and stops this writer when that fails."""
        self.check()
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            self._stopped = f"could not be synced ({error.strerror})"
            self._undo()
            raise self._failure("synced", error) from error

    def set_aside(self, stamp: str) -> Path | None:
        """Move what lies beyond ``size`` to a file named after this one and ``stamp``; None when nothing does."""
        self.check()
        if self.length() == self.size:
            return None
        try:
            aside = self._copy_tail(stamp)
            os.ftruncate(self._descriptor, self.size)
        except OSError as error:
            raise self._failure("recovered", error) from error
        self.sync()
        return aside

    def close(self) -> None:
        """Give the descriptor back; nothing is written."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._stopped = "is closed"

    def _copy_tail(self, stamp: str) -> Path:
        for number in range(1, 1 << 20):
            aside = self.path.with_name(f"{self.path.name}.torn-{stamp}-{number}")
            try:
                target = aside.open("xb")
            except FileExistsError:
                continue
            with target:
                target.writelines(self._blocks())
                target.flush()
                os.fsync(target.fileno())
            sync_directory(aside.parent)
            return aside
        raise FileExistsError(f"no free name beside {self.path}")

    def _blocks(self) -> Iterator[bytes]:
        offset = self.size
        while block := self.read(BLOCK, offset):
            yield block
            offset += len(block)

    def _undo(self) -> None:
        """Cut back what a failed append may have left; when even that fails, stop."""
        try:
            os.ftruncate(self._descriptor, self.size)
        except OSError as error:
            self._stopped = self._stopped or f"could not be cut back after a failed write ({error.strerror})"

    def _unusable(self, error: OSError) -> LedgerConflict:
        return LedgerConflict(
            f"{self.path} cannot be opened for writing ({error.strerror})",
            hint="Make the file and its folder writable for the user who runs this.",
        )

    def _failure(self, verb: str, error: OSError) -> LedgerConflict:
        return LedgerConflict(f"{self.path} could not be {verb} ({error.strerror})", hint=_HINT)


def _identity(found: os.stat_result) -> tuple[int, int]:
    """Which file it is: its device, and its number there."""
    return found.st_dev, found.st_ino


_HINT = "Nothing was recorded. Free space or repair the disk and run the command again; it recovers by itself."
