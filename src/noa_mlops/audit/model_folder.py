"""A handed-out version on disk, held against its manifest: no byte changed, nothing missing, nothing added."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from noa_mlops.files import UnsafePath, hash_stream, list_beneath, open_beneath
from noa_mlops.records.manifest import Manifest


def folder_findings(folder: Path, manifest: Manifest, named: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each path in ``folder`` that is not as it was signed, and why.

    The manifest's files lie in ``model`` and ``code``, and must be there. ``named`` are the SHA-256 of the files beside
    them, by name: one of them may be absent, but not be another.
    """
    sizes = {f"model/{file.path}": (file.size, file.sha256) for file in manifest.files}
    sizes |= {f"code/{file.path}": (file.size, file.sha256) for file in manifest.code}
    for path, (size, digest) in sorted(sizes.items()):
        if reason := _difference(folder, path, digest, size):
            yield path, reason
    beside = {name: digest for name, digest in named.items() if "/" not in name}
    for name, digest in sorted(beside.items()):
        if os.path.lexists(folder / name) and (reason := _difference(folder, name, digest)):
            yield name, reason
    for path in _unlisted(folder, {*sizes, *beside}):
        yield path, "is not in the manifest"


def _difference(folder: Path, path: str, digest: str, size: int | None = None) -> str | None:
    """Why the file is not the one that was signed; None when it is."""
    try:
        with open_beneath(folder, path) as stream:
            if size is not None and os.fstat(stream.fileno()).st_size != size:
                return "is not the file that was signed"
            return None if hash_stream(stream) == digest else "is not the file that was signed"
    except FileNotFoundError:
        return "is missing"
    except (OSError, UnsafePath) as error:
        return f"cannot be read ({error})"


def _unlisted(folder: Path, listed: Iterable[str]) -> Iterator[str]:
    """Whatever lies in ``folder`` but is neither listed nor a folder on the way to what is."""
    known = set(listed)
    parents = {str(parent) for path in known for parent in PurePosixPath(path).parents}
    for parent in sorted(parents):
        try:
            names = list_beneath(folder, parent) if parent != "." else sorted(os.listdir(folder))
        except (OSError, UnsafePath):
            continue  # the files that should be in it are missing, and named as such
        yield from sorted({str(PurePosixPath(parent, name)) for name in names} - parents - known)
