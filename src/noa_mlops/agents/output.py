"""What an agent left behind, looked at with suspicion: the list of its files, or why it cannot be used.

The folder was filled by a stranger's code. Nothing is followed, nothing that could block is opened, and a name that
two systems could read in two ways is refused.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from noa_mlops.errors import TrainingFailed
from noa_mlops.files import BLOCK, Identity, UnsafePath, abreast, hash_stream, open_beneath
from noa_mlops.records.dataset import FileDigest

MOST_FILES = 10_000
"""Files and folders that an output may have."""

DEEPEST = 32
"""Levels of folders that an output may have."""

LONGEST_NAME = 255
"""Bytes of a name."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies below a folder: each file's identity by its path, sorted, and the folders, a parent before its children."""

    files: dict[str, Identity]
    folders: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes, over all files."""
        return sum(seen.size for seen in self.files.values())


def scan_output(folder: Path, limit: int = 5 << 30) -> tuple[FileDigest, ...]:
    """The regular files below ``folder``, sorted by path, hashed as they are now; large ones side by side.

    Every process that could write them must be dead. ``limit`` is in bytes, over all files. Raises
    `TrainingFailed`, saying why, for an output without files and for links (symbolic, or hard links to elsewhere), pipes,
    sockets, devices, set-user-id files, odd or ambiguous names, too many, too deep or too large files.
    """
    listing = list_output(folder, limit)
    several = abreast if len(listing.files) > 1 and listing.size > BLOCK else map
    return tuple(several(lambda listed: hash_listed(folder, *listed), listing.files.items()))


def list_output(folder: Path, limit: int) -> Listing:
    """Like `scan_output`, with nothing read: what would be hashed, and the folders."""
    try:
        top = os.open(folder, _FOLDER)
    except OSError as error:
        raise refused(f"the output is no folder ({error.strerror})") from error
    scan = _Scan(limit)
    try:
        found = dict(sorted(scan.folder(top, "", 0)))
    finally:
        os.close(top)
    if not found:
        raise refused("the output holds no file", cause="no_output")
    return Listing(found, tuple(scan.folders))


def open_listed(folder: Path, path: str, seen: Identity) -> BinaryIO:
    """Open a listed file. Raises `TrainingFailed` when it is not the one that was listed."""
    try:
        stream = open_beneath(folder, path)
    except UnsafePath as error:
        raise refused(f"{path!r} changed while it was read") from error
    try:
        _check_unchanged(stream, path, seen)
    except BaseException:
        stream.close()
        raise
    return stream


def hash_listed(folder: Path, path: str, seen: Identity) -> FileDigest:
    """Hash a listed file. Raises `TrainingFailed` when it is not the one that was listed, before or after."""
    with open_listed(folder, path, seen) as stream:
        digest = hash_stream(stream)
        _check_unchanged(stream, path, seen)
    return FileDigest(path, seen.size, digest)


def _check_unchanged(stream: BinaryIO, path: str, seen: Identity) -> None:
    if Identity.of(os.fstat(stream.fileno())) != seen:
        raise refused(f"{path!r} changed while it was read")


@dataclass(slots=True)
class _Scan:
    """One walk; counts what it has seen."""

    limit: int
    entries: int = 0
    size: int = 0
    folders: list[str] = field(default_factory=list)

    def folder(self, descriptor: int, path: str, depth: int) -> Iterator[tuple[str, Identity]]:
        """The files below an open folder."""
        if depth > DEEPEST:
            raise refused(f"folders are nested more than {DEEPEST} levels deep")
        seen: dict[str, str] = {}
        with os.scandir(descriptor) as entries:
            names = [self._counted(entry.name) for entry in entries]
        for name in names:
            _check_name(name)
            if (twin := seen.setdefault(_folded(name), name)) != name:
                raise refused(f"the names {twin!r} and {name!r} are one name on other systems")
            yield from self._entry(descriptor, name, f"{path}{name}", depth)

    def _counted(self, name: str) -> str:
        self.entries += 1
        if self.entries > MOST_FILES:
            raise refused(f"there are more than {MOST_FILES} files")
        return name

    def _entry(self, parent: int, name: str, path: str, depth: int) -> Iterator[tuple[str, Identity]]:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            self.folders.append(path)
            descriptor = os.open(name, _FOLDER, dir_fd=parent)
            try:
                yield from self.folder(descriptor, f"{path}/", depth + 1)
            finally:
                os.close(descriptor)
        else:
            self._check_file(status, path)
            yield path, Identity.of(status)

    def _check_file(self, status: os.stat_result, path: str) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise refused(f"{path!r} is a {_kind(status.st_mode)}")
        if status.st_nlink != 1:
            raise refused(f"{path!r} is a hard link: it has {status.st_nlink} names")
        if status.st_mode & (stat.S_ISUID | stat.S_ISGID):
            raise refused(f"{path!r} would run with the rights of its owner or group")
        self.size += status.st_size
        if self.size > self.limit:
            raise refused(f"the files are larger than {self.limit} bytes", cause="disk_limit")


def refused(reason: str, cause: str = "unusable") -> TrainingFailed:
    """The error that says why an output cannot be used."""
    return TrainingFailed(f"what the agent left cannot be used: {reason}", cause=cause)


def _check_name(name: str) -> None:
    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise refused(f"the name {name!r} is not UTF-8") from error
    if size > LONGEST_NAME:
        raise refused(f"the name {name[:40]!r}... is longer than {LONGEST_NAME} bytes")
    if unicodedata.normalize("NFC", name) != name or name != name.strip():
        raise refused(f"the name {name!r} has another spelling: trim it and use Unicode normal form C")
    if "\\" in name or not name.replace(" ", "").isprintable():
        raise refused(f"the name {name!r} holds a character that is not printable, or a backslash")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())


def _kind(mode: int) -> str:
    kinds = (
        (stat.S_ISLNK, "symbolic link"),
        (stat.S_ISFIFO, "pipe"),
        (stat.S_ISSOCK, "socket"),
        (stat.S_ISCHR, "character device"),
        (stat.S_ISBLK, "block device"),
    )
    return next((text for test, text in kinds if test(mode)), "special file")
