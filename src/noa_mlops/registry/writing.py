"""One writer at a time in ``registry/``; who cannot write there is told whose file it is and how to get it.

The lock is on the folder itself: the files in it can be replaced while others wait, and nothing is left behind. The
kernel gives it back when its holder dies.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shlex
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from noa_mlops.errors import RegistryConflict
from noa_mlops.files import make_directories

TIMEOUT = 30.0
"""Seconds that a writer waits for another one."""

_PAUSE = 0.005
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@contextlib.contextmanager
def writing(path: Path, timeout: float = TIMEOUT) -> Iterator[None]:
    """Be the only one of our processes and threads that writes beside ``path``; its folder is made when missing.

    Raises `RegistryConflict` after ``timeout`` seconds, and for every `OSError` of the block.
    """
    make_parent(path)
    check_regular(path)
    try:
        with _locked(path.parent, time.monotonic() + timeout):
            yield
    except OSError as error:
        raise RegistryConflict(
            f"{path} cannot be written ({error.strerror}){describe(path)}",
            hint=_remedy(error, path),
            commands=() if error.errno in _FULL else (ownership_command(path),),
        ) from error


@contextlib.contextmanager
def standing_still(path: Path, timeout: float = 1.0) -> Iterator[None]:
    """Read files beside ``path`` while none of our writers changes them, unless one takes longer than ``timeout``.

    Nothing is made or changed; a folder that is not there, or not readable, has nothing to wait for.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, RegistryConflict):
            stack.enter_context(_locked(path.parent, time.monotonic() + timeout))
        yield


def _remedy(error: OSError, path: Path) -> str:
    if error.errno in _FULL:
        return "Free some space, then: noa doctor --repair"
    return ownership_hint(path)


@contextlib.contextmanager
def _locked(folder: Path, deadline: float) -> Iterator[None]:
    while (descriptor := _try(folder)) is None:
        if time.monotonic() >= deadline:
            raise RegistryConflict(f"{folder} is in use by another process", hint="Wait for the other command to end.")
        time.sleep(_PAUSE)
    try:
        yield
    finally:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)


def _try(folder: Path) -> int | None:
    """The descriptor that holds the lock; None when another one does, or when the folder was replaced meanwhile."""
    descriptor = os.open(folder, _FOLDER)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.stat(folder)):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def check_writable(path: Path) -> None:
    """Raise `RegistryConflict` unless this process could make or replace the file at ``path``; nothing is changed."""
    folder = next(parent for parent in path.parents if os.path.lexists(parent))
    if not folder.is_dir():
        raise RegistryConflict(
            f"{folder} is not a folder{describe(folder)}",
            hint=f"Move it away: {move_command(folder)}",
            commands=(move_command(folder),),
        )
    check_regular(path)
    for place, mode in ((folder, os.W_OK | os.X_OK), (path, os.R_OK | os.W_OK)):
        if os.path.exists(place) and not os.access(place, mode):
            raise RegistryConflict(
                f"{place} is not writable{describe(place)}",
                hint=ownership_hint(place),
                commands=(ownership_command(place),),
            )


def check_regular(path: Path) -> None:
    """Raise `RegistryConflict` when something else than a regular file is at ``path``: a link, a folder, a pipe."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return
    if not stat.S_ISREG(mode):
        kind = "a symbolic link" if stat.S_ISLNK(mode) else "a folder" if stat.S_ISDIR(mode) else "a special file"
        raise RegistryConflict(
            f"{path} is {kind}, not a regular file{describe(path)}",
            hint=f"Move it away, or put the file itself there: {move_command(path)}",
            commands=(move_command(path),),
        )


def make_parent(path: Path) -> None:
    """Create the folder of a registry file. Raises `RegistryConflict`."""
    try:
        make_directories(path.parent)
    except OSError as error:
        place = next(parent for parent in path.parents if os.path.lexists(parent))
        raise RegistryConflict(
            f"{path.parent} cannot be created ({error.strerror}){describe(place)}",
            hint=ownership_hint(place),
            commands=(ownership_command(place),),
        ) from error


def describe(path: Path) -> str:
    """Mode and owner of a path, for a message; empty when it cannot be looked at."""
    try:
        status = os.lstat(path)
    except OSError:
        return ""
    return f" (mode {status.st_mode & 0o7777:o}, owner {status.st_uid}:{status.st_gid})"


def ownership_hint(path: Path) -> str:
    """Who can run `ownership_command`, and what it is."""
    return f"Whoever administers it can run: {ownership_command(path)}"


def ownership_command(path: Path) -> str:
    """The command that gives this process the file or folder."""
    place, user = shlex.quote(str(path)), f"{os.geteuid()}:{os.getegid()}"
    return f"chown {user} {place} && chmod u+rwX {place}"


def move_command(path: Path) -> str:
    """The command that takes a file or folder out of the way and keeps it."""
    place = shlex.quote(str(path))
    return f"mv {place} {place}.old"
