"""The ledger's lock: one writer at a time, on one machine.

The kernel gives the lock back when its holder dies. The lock file is never unlinked; its content, the
holder's process id, only serves the message of those who waited in vain.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from noa_mlops.errors import LedgerConflict

_FIRST_PAUSE = 0.0005
_LONGEST_PAUSE = 0.02
"""Seconds between two tries."""

_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "glusterfs", "lustre", "afs", "fuse.sshfs"})
"""File systems on which a lock or a sync may not mean what it says."""


class Lock:
    """The lock at ``path``. It is not held by a process forked from the holder, nor by another `Lock`.

    ``taken`` begins the message that names its holder.
    """

    def __init__(self, path: Path, taken: str = "the ledger is in use by process") -> None:
        self._path = os.fspath(path)
        self._taken = taken
        self._descriptor = -1
        self._process = 0

    @contextlib.contextmanager
    def held(self, timeout: float) -> Iterator[None]:
        """Hold the lock. Raises `LedgerConflict`, naming the holder, after ``timeout`` seconds."""
        try:
            self._acquire(time.monotonic() + timeout)
            yield
        finally:
            if self._descriptor >= 0:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the descriptor back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _acquire(self, deadline: float) -> None:
        pause = _FIRST_PAUSE
        while not self._try():
            if time.monotonic() >= deadline:
                raise LedgerConflict(f"{self._taken} {self._holder()} ({self._path})")
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _try(self) -> bool:
        # A forked child shares the descriptor, and with it the lock of its parent: it needs one of its own.
        if self._descriptor < 0 or self._process != os.getpid():
            self._open()
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise LedgerConflict(f"{self._path} cannot be locked ({error.strerror})") from error
        if not self._still_named():
            self.close()
            return False
        self._sign_in()
        return True

    def _open(self) -> None:
        self.close()
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise LedgerConflict(
                f"{self._path} cannot be opened for writing ({error.strerror})",
                hint="Make the folder writable for the user who runs this.",
            ) from error
        self._process = os.getpid()

    def _still_named(self) -> bool:
        """A lock on a file that has lost its name excludes nobody."""
        try:
            named = os.stat(self._path, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(os.fstat(self._descriptor), named)

    def _sign_in(self) -> None:
        """Leave our process id. It only informs: a full disk must not stop a writer here."""
        mine = b"%-20d\n" % self._process
        with contextlib.suppress(OSError):
            if os.pread(self._descriptor, len(mine), 0) != mine:
                os.pwrite(self._descriptor, mine, 0)

    def _holder(self) -> str:
        text = os.pread(self._descriptor, 20, 0).strip()
        return text.decode() if text.isdigit() else "unknown"


def refuse_network_file_system(folder: Path) -> None:
    """Raise `LedgerConflict` when ``folder`` lies on a file system that is shared over a network."""
    kind = _file_system(folder)
    if kind in _NETWORK:
        raise LedgerConflict(
            f"{folder} lies on a network file system ({kind}), where a lock cannot be relied on",
            hint="Keep the project on a local disk.",
        )


def _file_system(folder: Path) -> str | None:
    device = os.stat(folder).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    for mount in mounts.splitlines():
        fields = mount.split()
        if fields[2] == wanted:
            return fields[fields.index("-") + 1]
    return None
