"""Where data may come from: regular files below the project or a data root, and nowhere else.

A path is a name, never an address: nothing is fetched, no link is followed below the root, and a pipe, device
or folder is refused without being read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from noa_mlops.datasets.messages import invalid, shown
from noa_mlops.errors import DatasetInvalid
from noa_mlops.files import UnsafePath, hash_stream, open_beneath
from noa_mlops.records.dataset import FileDigest
from noa_mlops.records.paths import path_problem

MAX_FILE_BYTES = 64 << 30
"""Apparent size above which a data file is refused unread: 64 GiB."""

_INSIDE = "Name a file by its path in the project folder, or add its folder to data_roots in policy.yaml."


@dataclass(frozen=True, slots=True)
class Sources:
    """The folders that data may lie in: the project, and the absolute ``data_roots`` of the policy."""

    project: Path
    data_roots: tuple[Path, ...] = ()

    def open(self, path: str) -> BinaryIO:
        """Open a data file; relative paths start at the project folder.

        Raises `UnsafePath` for what is refused by rule, `DatasetInvalid` for what is missing, unreadable, empty or
        larger than `MAX_FILE_BYTES`.
        """
        root, relative = self.place(path)
        try:
            stream = open_beneath(root, relative)
        except FileNotFoundError as error:
            raise invalid(path, "no such file", _INSIDE) from error
        except PermissionError as error:
            raise invalid(path, "permission denied", f"Let this user read it: chmod u+r {shown(path)}") from error
        except UnsafePath as error:
            raise UnsafePath(f"{shown(path)}: {_reason(error, relative)}", hint=_INSIDE) from error
        except OSError as error:
            raise invalid(path, f"cannot be opened: {error.strerror}") from error
        try:
            _check_size(path, os.fstat(stream.fileno()).st_size)
        except DatasetInvalid:
            stream.close()
            raise
        return stream

    def place(self, path: str) -> tuple[Path, str]:
        """The folder that ``path`` lies below, and its name there; nothing is opened. Raises `UnsafePath`."""
        _check_spelling(path)
        if not path.startswith("/"):
            return self.project, path
        pure = PurePosixPath(path)
        for root in (self.project, *self.data_roots):
            for spelling in (os.path.abspath(root), os.path.realpath(root)):
                if pure.is_relative_to(spelling) and str(pure) != spelling:
                    return root, str(pure.relative_to(spelling))
        raise UnsafePath(f"{shown(path)}: lies outside the project folder and its data roots", hint=_INSIDE)


@contextmanager
def one_version(path: str, stream: BinaryIO) -> Iterator[BinaryIO]:
    """Fail when the file changed between entering and leaving: what was read in between would be two versions."""
    before = _version(stream)
    yield stream
    if _version(stream) != before:
        raise invalid(path, "changed while it was being read", "Wait until the file is written, then try again.")


def digest(path: str, stream: BinaryIO) -> FileDigest:
    """Size and SHA-256 of an open file, from its start."""
    stream.seek(0)
    sha256 = hash_stream(stream)
    return FileDigest(path, stream.tell(), sha256)


_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?://|[^/]*@)")


def _check_spelling(path: str) -> None:
    if scheme := _SCHEME.match(path):
        # The address itself is not shown: it may carry a password.
        raise UnsafePath(f"a {scheme[1].lower()}: address is not a data file; nothing is ever fetched", hint=_INSIDE)
    if path.startswith(("\\\\", "//")):
        raise UnsafePath(f"{shown(path)}: a network share is not a data file; nothing is ever fetched", hint=_INSIDE)
    if problem := path_problem(path):
        raise UnsafePath(f"{shown(path)}: {problem}", hint=_INSIDE)


def _reason(error: UnsafePath, relative: str) -> str:
    return str(error).removeprefix(repr(relative)).strip()


def _check_size(path: str, size: int) -> None:
    if size == 0:
        raise invalid(path, "is empty (0 bytes)", "Write the data, with a header, and try again.")
    if size > MAX_FILE_BYTES:
        raise invalid(path, f"has {size} bytes; at most {MAX_FILE_BYTES} (64 GiB) are read", "Split it or thin it out.")


def _version(stream: BinaryIO) -> tuple[int, int, int]:
    status = os.fstat(stream.fileno())
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
