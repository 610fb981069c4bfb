"""Objects: what a ledger line names only by its digest. Content is its own name, so putting twice is putting once."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

from noa_mlops.errors import LedgerConflict, LedgerTampered
from noa_mlops.files import make_directories, open_beneath, read_capped, sync_directory, write_durably
from noa_mlops.records.documents import is_digest, sha256

MAX_OBJECT = 1 << 28
"""Largest object, in bytes."""


def put_object(folder: Path, data: bytes, durable: Container[str] = ()) -> str:
    """Store ``data`` durably under its SHA-256, which is returned. Raises `LedgerConflict`.

    An object that is there is synced again, for another process may have written it just now, unless it is known to
    be ``durable``.
    """
    if len(data) > MAX_OBJECT:
        raise LedgerConflict(f"an object of {len(data)} bytes is over the limit of {MAX_OBJECT}")
    digest = sha256(data)
    try:
        if not _holds(folder, digest, data):
            make_directories(folder)
            write_durably(folder / digest, data)
        elif digest not in durable:
            sync_directory(folder)
    except OSError as error:
        raise LedgerConflict(
            f"{folder / digest} could not be written ({error.strerror})",
            hint="Nothing was recorded. Free space or make the folder writable and run the command again.",
        ) from error
    return digest


def get_object(folder: Path, digest: str) -> bytes:
    """The object that has this SHA-256. Raises `LedgerTampered` when it is missing or holds other bytes."""
    if not is_digest(digest):
        raise LedgerTampered(f"{digest!r:.80} is not the name of an object")
    try:
        with open_beneath(folder, digest) as stream:
            data = read_capped(stream, MAX_OBJECT)
    except OSError as error:
        raise LedgerTampered(f"{folder / digest} cannot be read ({error.strerror})") from error
    if data is None or sha256(data) != digest:
        raise LedgerTampered(f"{folder / digest} does not hold the bytes that its name says")
    return data


def _holds(folder: Path, digest: str, data: bytes) -> bool:
    try:
        with open_beneath(folder, digest) as stream:
            return read_capped(stream, MAX_OBJECT) == data
    except FileNotFoundError:
        return False
