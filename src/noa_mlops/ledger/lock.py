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


@contextlib.contextmanager
def locked(path: Path, timeout: float) -> Iterator[None]:
    """Hold the lock at ``path``. Raises `LedgerConflict`, naming the holder, after ``timeout`` seconds."""
    descriptor = _acquire(path, time.monotonic() + timeout)
    try:
        yield
    finally:
        os.close(descriptor)


def refuse_network_file_system(folder: Path) -> None:
    """Raise `LedgerConflict` when ``folder`` lies on a file system that is shared over a network."""
    kind = _file_system(folder)
    if kind in _NETWORK:
        raise LedgerConflict(
            f"{folder} lies on a network file system ({kind}), where a lock cannot be relied on",
            hint="Keep the project on a local disk.",
        )


def _acquire(path: Path, deadline: float) -> int:
    pause = _FIRST_PAUSE
    while True:
        descriptor, held, holder = _open(path), False, ""
        try:
            held = _try(descriptor, path)
            holder = "" if held else _holder(descriptor)
        finally:
            if not held:
                os.close(descriptor)
        if held:
            return descriptor
        if time.monotonic() >= deadline:
            raise LedgerConflict(f"the ledger is in use by process {holder} ({path})")
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise LedgerConflict(
            f"{path} cannot be opened for writing ({error.strerror})",
            hint="Make the folder writable for the user who runs this.",
        ) from error


def _try(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise LedgerConflict(f"{path} cannot be locked ({error.strerror})") from error
    if not _still_there(descriptor, path):
        return False
    # The id only informs; a full disk must not stop a writer here, where nothing is recorded yet.
    with contextlib.suppress(OSError):
        os.pwrite(descriptor, b"%-20d\n" % os.getpid(), 0)
    return True


def _still_there(descriptor: int, path: Path) -> bool:
    """A lock on a file that has lost its name excludes nobody."""
    try:
        named = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), named)


def _holder(descriptor: int) -> str:
    text = os.pread(descriptor, 20, 0).strip()
    return text.decode() if text.isdigit() else "unknown"


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
