"""Files, opened safely and written durably.

Reading never follows a symbolic link below its root and never blocks on a pipe; writing is complete and on
the disk, or absent. Every room that touches the disk leans on these few functions.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Self, TypeVar

from noa_mlops.errors import LifecycleError

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

BLOCK = 1 << 20
"""Bytes read or written at a time."""

_ABREAST = 8
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class UnsafePath(LifecycleError):
    """A path that leaves its root, passes a symbolic link, or names something that is no regular file."""

    exit_code = 2
    hint = "Name a regular file inside the project folder, reached without symbolic links."


class Identity(NamedTuple):
    """What the kernel says of a file; two that are equal mean that nobody changed, cut, linked or replaced it between.

    ``written`` and ``changed`` are in nanoseconds; no program can set the second one back.
    """

    device: int
    inode: int
    mode: int
    links: int
    size: int
    written: int
    changed: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """The identity in the answer of a ``stat``."""
        return cls(
            status.st_dev,
            status.st_ino,
            status.st_mode,
            status.st_nlink,
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
        )


def open_beneath(root: Path, relative: str) -> BinaryIO:
    """Open the regular file ``relative`` below ``root`` for reading, following no link on the way.

    ``root`` itself may be reached through links; nothing below it may be one. A pipe, device, socket or
    folder is refused without being read. Raises `UnsafePath` for these, `OSError` for a missing or
    unreadable file.
    """
    parts = _parts(relative)
    directory = _open_folder(root, parts[:-1], relative)
    try:
        descriptor = _open_at(directory, parts[-1], os.O_NONBLOCK, relative)
    finally:
        os.close(directory)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnsafePath(f"{relative!r} is not a regular file")
    return os.fdopen(descriptor, "rb")


def list_beneath(root: Path, relative: str) -> list[str]:
    """The names in the folder ``relative`` below ``root``, sorted; no link is followed on the way.

    Raises `UnsafePath` when a link is passed, `OSError` for a missing or unreadable folder.
    """
    directory = _open_folder(root, _parts(relative), relative)
    try:
        return sorted(os.listdir(directory))
    finally:
        os.close(directory)


def _open_folder(root: Path, parts: tuple[str, ...], shown: str) -> int:
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts:
            following = _open_at(directory, part, os.O_DIRECTORY, shown)
            os.close(directory)
            directory = following
    except BaseException:
        os.close(directory)
        raise
    return directory


def _parts(relative: str) -> tuple[str, ...]:
    if not relative or _NO_NAME.search(relative):
        raise UnsafePath(f"{relative!r} is not a file name")
    parts = tuple([part for part in relative.split("/") if part not in ("", ".")])
    if relative.startswith("/") or ".." in parts or not parts:
        raise UnsafePath(f"{relative!r} leaves the folder it must stay in")
    return parts


_NO_NAME = re.compile("[\0\ud800-\udfff]")


def _open_at(directory: int, name: str, flags: int, shown: str) -> int:
    try:
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=directory)
    except OSError as error:
        if _is_link(directory, name):
            raise UnsafePath(f"{shown!r} passes the symbolic link {name!r}") from error
        if error.errno == errno.ENXIO:  # a socket, or a device that is not there
            raise UnsafePath(f"{shown!r} is not a regular file") from error
        raise


def _is_link(directory: int, name: str) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    except OSError:
        return False


def raise_trouble_behind(error: BaseException) -> None:
    """Raise the error of the machine that led to ``error``, if one did: a disk that fails, no room, no descriptor left.

    It says nothing of the file it was met at, and may be gone the next time.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _TROUBLE:
            raise cause
        cause = cause.__cause__


_TROUBLE = frozenset({errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})


def read_capped(stream: BinaryIO, limit: int) -> bytes | None:
    """Read all of ``stream``, or None when it holds more than ``limit`` bytes."""
    data = stream.read(limit + 1)
    return None if len(data) > limit else data


def sync_directory(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_together(paths: Iterable[Path]) -> None:
    """Make files, and the names in folders, durable: those that wait at the same time share one turn of the journal.

    A path that is a symbolic link itself is refused with an `OSError`.
    """
    for _ in abreast(_sync, paths):
        pass


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def abreast(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
    """The result of ``work`` for each item, in the order of the items, by this thread and a few others.

    An error is raised when nothing that was begun goes on any more. ``work`` must not call this function.
    """
    from concurrent.futures import wait

    listed = list(items)
    if not listed:
        return
    *others, last = listed
    begun = [_threads(os.getpid()).submit(work, item) for item in others]
    try:
        mine = work(last)
        for one in begun:
            yield one.result()
        yield mine
    finally:
        for one in begun:
            one.cancel()
        wait(begun)


@functools.cache
def _threads(process: int) -> ThreadPoolExecutor:
    """The threads of a process, which wait for the next work; one that is forked starts its own.

    All are there from the start, as none can end its first work before: a run leaves as many threads as it found.
    """
    import threading
    from concurrent.futures import ThreadPoolExecutor

    together = threading.Barrier(_ABREAST)
    threads = ThreadPoolExecutor(_ABREAST, f"abreast-{process}", together.wait)
    try:
        for _ in range(_ABREAST):
            threads.submit(int)
    except RuntimeError:  # there is no room for another one
        together.abort()
        raise
    return threads


def state_folder() -> Path:
    """Where what this user's commands remember lies, by the XDG Base Directory Specification; it may not be there yet."""
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "noa"


def make_directories(path: Path) -> None:
    """Create a folder and its parents, each of them durable. Raises `OSError` when something else is in the way."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        sync_directory(folder.parent)


def write_durably(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Put ``data`` at ``path``, replacing what was there; a reader sees the old bytes or the new, whole."""
    with replacing(path, data, mode=mode):
        pass


def write_unnamed(path: Path, data: bytes) -> None:
    """Put ``data`` durably at ``path``, where nobody looks before something names it; what was there goes first.

    Bytes and name are synced together, so a crash may leave a part of them.
    """
    path.unlink(missing_ok=True)
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644), "wb"
    ) as new:
        new.write(data)
    sync_together((path, path.parent))


@contextlib.contextmanager
def replacing(path: Path, data: bytes, *, mode: int = 0o644) -> Iterator[Path]:
    """Like `write_durably`, with room for a last look: the block runs when ``data`` is durable but not yet at ``path``.

    Gives the block the file that is about to be put there. When the block raises, ``path`` stays as it was.
    """
    temporary, stream = _beside(path, mode)
    try:
        with stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
            yield temporary
            temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_directory(path.parent)


def _beside(path: Path, mode: int) -> tuple[Path, BinaryIO]:
    """A new file beside ``path``, open and locked by us; it takes the place of one whose writer was killed."""
    for suffix in (".tmp", f".{secrets.token_hex(6)}.tmp"):
        temporary = path.with_name(f".{path.name}{suffix}")
        _remove_abandoned(temporary)
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
        except FileExistsError:
            continue
        stream = os.fdopen(descriptor, "wb")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return temporary, stream
        stream.close()  # somebody took it for abandoned before it was locked
    raise FileExistsError(errno.EEXIST, "two temporary names are taken", str(path))


def _remove_abandoned(temporary: Path) -> None:
    """Remove a temporary file that nobody holds: its writer is dead."""
    try:
        descriptor = os.open(temporary, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.lstat(temporary)):
            temporary.unlink()
    except OSError:
        return  # it is held, gone, or no file: then another name is taken
    finally:
        os.close(descriptor)


def blocks(stream: BinaryIO) -> Iterator[bytes]:
    """The bytes of an open file, a block at a time."""
    while block := stream.read(BLOCK):
        yield block


def copy_and_hash(source: BinaryIO, target: Path) -> str:
    """Copy an open file durably to the new path ``target``; the SHA-256 of the bytes written, in hex."""
    digest = copy_unsynced(source, target)
    _sync(target)
    return digest


def copy_unsynced(source: BinaryIO, target: Path) -> str:
    """Like `copy_and_hash`, for a file that is synced with others afterwards."""
    hasher = hashlib.sha256()
    with target.open("xb") as writer:
        for block in blocks(source):
            hasher.update(block)
            writer.write(block)
    return hasher.hexdigest()


def hash_stream(stream: BinaryIO) -> str:
    """SHA-256 of an open file, in hex."""
    hasher = hashlib.sha256()
    for block in blocks(stream):
        hasher.update(block)
    return hasher.hexdigest()
