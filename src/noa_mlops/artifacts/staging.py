"""Building the folder of a version: copied, hashed while copied, compared, durable, read-only."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from noa_mlops.errors import ArtifactTampered, EvaluationFailed
from noa_mlops.files import copy_and_hash, open_beneath, sync_directory
from noa_mlops.records.dataset import FileDigest
from noa_mlops.records.manifest import Manifest

MANIFEST = "manifest.json"
MODEL = "model"
CODE = "code"
PREDICTIONS = "predictions.parquet"
SIGNATURE = "model.sig"

_READ_ONLY_FILE = 0o444
_READ_ONLY_FOLDER = 0o555


@dataclass(frozen=True, slots=True)
class Staged:
    """Bytes to be promoted: the folders they lie in now, and the digest that the predictions must have."""

    model: Path
    code: Path | None = None
    predictions: Path | None = None
    predictions_sha256: str | None = None


def manifest_bytes(manifest: Manifest) -> bytes:
    """The document of a manifest. Raises `EvaluationFailed` for one that no reader would accept."""
    data = manifest.to_bytes()
    try:
        Manifest.from_bytes(data)
    except ValueError as error:
        raise EvaluationFailed(f"the manifest of this version {error}", cause="manifest") from error
    return data


@dataclass(frozen=True, slots=True)
class Documents:
    """The bytes of the two files that speak of a version's model: its signature and its manifest."""

    signature: bytes
    manifest: bytes


def build(folder: Path, staged: Staged, manifest: Manifest, documents: Documents) -> None:
    """Make ``folder``, durable and read-only; the manifest comes last.

    Raises `ArtifactTampered` when a byte is not the one that was measured.
    """
    folder.mkdir()
    _copy_tree(staged.model, folder / MODEL, manifest.files)
    if staged.code is not None and manifest.code:
        _copy_tree(staged.code, folder / CODE, manifest.code)
    if staged.predictions is not None:
        _copy(staged.predictions.parent, staged.predictions.name, folder / PREDICTIONS, staged.predictions_sha256)
    _write(folder / SIGNATURE, documents.signature)
    _write(folder / MANIFEST, documents.manifest)
    _close(folder)


def remove(folder: Path) -> None:
    """Remove a folder that nothing names; its read-only folders are made writable first."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        folder.unlink()
    elif folder.is_dir():
        for parent, _, _ in os.walk(folder):
            os.chmod(parent, stat.S_IRWXU)
        shutil.rmtree(folder)


def _copy_tree(source: Path, target: Path, files: Sequence[FileDigest]) -> None:
    """Copy exactly the named files, each compared with its digest while it is written."""
    folders = {target}
    target.mkdir()
    for file in files:
        destination = target / file.path
        for parent in reversed(destination.relative_to(target).parents[:-1]):
            (target / parent).mkdir(exist_ok=True)
            folders.add(target / parent)
        _copy(source, file.path, destination, file.sha256)
    for folder in sorted(folders, reverse=True):
        _close(folder)


def _copy(folder: Path, path: str, target: Path, digest: str | None) -> None:
    with open_beneath(folder, path) as source:
        copied = copy_and_hash(source, target)
    if copied != digest:
        raise ArtifactTampered(f"{folder / path} changed after the model was measured")
    target.chmod(_READ_ONLY_FILE)


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    path.chmod(_READ_ONLY_FILE)


def _close(folder: Path) -> None:
    sync_directory(folder)
    folder.chmod(_READ_ONLY_FOLDER)
