"""Keeping what a dead agent left: durable and hashed once, and after a sealed job so that nothing can change it.

A sealed job that is dead holds no descriptor and could hand none out, so its files have no writer. They are made
read-only before they are hashed; from then on the kernel tells by their identities whether they are still the bytes that
were hashed, and they need not be read again.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from noa_mlops.agents import safetensors
from noa_mlops.agents.output import Listing, hash_listed, list_output, open_listed, refused
from noa_mlops.files import Identity, abreast, sync_directory
from noa_mlops.records.dataset import FileDigest

_READ_ONLY = 0o444


@dataclass(frozen=True, slots=True)
class Kept:
    """The files of an output, durable, sorted by path, and what the kernel said of each when it was hashed."""

    files: tuple[FileDigest, ...]
    identities: Mapping[str, Identity]


def keep_output(folder: Path, limit: int, leading: Iterable[Path] = ()) -> Kept:
    """Hash the files below ``folder`` and make them durable with the folders they lie in, and with those ``leading`` there.

    Every process that could write them must be dead. Raises what `scan_output` raises, the same for a safetensors file
    whose header lies, and `OSError`.
    """
    listing = list_output(folder, limit)
    _check_headers(folder, listing)
    return Kept(_hash_and_sync(folder, listing, leading), listing.files)


def freeze_output(folder: Path, limit: int, leading: Iterable[Path] = ()) -> Kept:
    """Like `keep_output`, for what a sealed job left: its files become read-only first, and its empty folders go.

    A folder without files is in no manifest, so the model is used without it from the start.
    """
    listing = list_output(folder, limit)
    for path, seen in listing.files.items():
        if stat.S_IMODE(seen.mode) == _READ_ONLY:
            continue
        with open_listed(folder, path, seen) as stream:
            os.fchmod(stream.fileno(), _READ_ONLY)
    needed = {str(parent) for path in listing.files for parent in PurePosixPath(path).parents}
    for path in sorted(set(listing.folders) - needed, reverse=True):
        os.rmdir(folder / path)
    return keep_output(folder, limit, leading)


def _hash_and_sync(folder: Path, listing: Listing, leading: Iterable[Path]) -> tuple[FileDigest, ...]:
    """The digests of all files, while they and their folders are synced."""
    of_files: tuple[_OfFile, ...] = (_sync, hash_listed)
    work: list[_Work] = [partial(one, folder, path, seen) for path, seen in listing.files.items() for one in of_files]
    work += [partial(sync_directory, synced) for synced in (*leading, folder, *map(folder.joinpath, listing.folders))]
    return tuple(digest for digest in abreast(_do, work) if digest is not None)


def _check_headers(folder: Path, listing: Listing) -> None:
    for path, seen in listing.files.items():
        if path.endswith(safetensors.SUFFIX):
            with open_listed(folder, path, seen) as stream:
                problem = safetensors.header_problem(stream, seen.size)
            if problem is not None:
                raise refused(f"{path!r} is no safetensors file: it {problem}")


def _do(work: _Work) -> FileDigest | None:
    return work()


def _sync(folder: Path, path: str, seen: Identity) -> None:
    with open_listed(folder, path, seen) as stream:
        os.fsync(stream.fileno())


_Work = Callable[[], FileDigest | None]
_OfFile = Callable[[Path, str, Identity], FileDigest | None]
