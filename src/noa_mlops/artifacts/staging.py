"""Building the folder of a version: moved or copied, compared with what was measured, durable, read-only."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from noa_mlops.artifacts.moving import give_back, move, move_unchanged
from noa_mlops.errors import ArtifactTampered, EvaluationFailed
from noa_mlops.files import Identity, copy_unsynced, hash_stream, open_beneath, sync_directory, sync_together
from noa_mlops.records.dataset import FileDigest
from noa_mlops.records.manifest import Manifest

MANIFEST = "manifest.json"
MODEL = "model"
CODE = "code"
PREDICTIONS = "predictions.parquet"
SUMMARY = "summary.json"
SIGNATURE = "model.sig"

_READ_ONLY_FILE = 0o444
_READ_ONLY_FOLDER = 0o555


@dataclass(frozen=True, slots=True)
class Staged:
    """Bytes to be promoted: where they lie now, and the digest that the predictions must have.

    ``identities`` are those of the model's files when they were hashed, durable and read-only, with no process alive that
    ever could write them: then the model and the predictions are moved. None, or a file that was touched since: they are
    copied, and hashed while copied.
    """

    model: Path
    code: Path | None = None
    predictions: Path | None = None
    predictions_sha256: str | None = None
    identities: Mapping[str, Identity] | None = None
    summary: bytes | None = None
    """The summary of the training data, in its canonical form."""


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
    """Make ``folder``, read-only and, when this returns, durable; what was moved into it has been durable before.

    Raises `ArtifactTampered` when a byte is not the one that was measured; `unbuild` then gives back what was moved.
    """
    folder.mkdir()
    if staged.identities is not None:
        sync_directory(folder.parent)  # a power cut that takes the folder must not take what is moved into it
    moved = _take_model(staged, folder / MODEL, manifest.files)
    if staged.code is not None and manifest.code:
        _copy_tree(staged.code, folder / CODE, manifest.code)
    if staged.predictions is not None:
        _take_predictions(staged, staged.predictions, folder / PREDICTIONS)
    if staged.summary is not None:
        _write(folder / SUMMARY, staged.summary)
    _write(folder / SIGNATURE, documents.signature)
    _write(folder / MANIFEST, documents.manifest)
    folder.chmod(_READ_ONLY_FOLDER)
    sync_together(_unsynced(folder, frozenset({MODEL}) if moved else frozenset()))


def unbuild(folder: Path, model: Path, predictions: Path | None) -> None:
    """Remove a folder that nothing names, after what was moved into it is back in its place."""
    places = {MODEL: model} if predictions is None else {MODEL: model, PREDICTIONS: predictions}
    give_back(folder, places)
    remove(folder)


def remove(folder: Path) -> None:
    """Remove a folder that nothing names; its read-only folders are made writable first."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        folder.unlink()
    elif folder.is_dir():
        for parent, _, _ in os.walk(folder):
            os.chmod(parent, stat.S_IRWXU)
        shutil.rmtree(folder)


def _unsynced(folder: Path, durable: frozenset[str]) -> Iterator[Path]:
    """The folder with all that is below it, but for what is known to be ``durable``."""
    yield folder
    for entry in folder.iterdir():
        if entry.name not in durable:
            yield from _unsynced(entry, frozenset()) if entry.is_dir() else (entry,)


def _take_model(staged: Staged, target: Path, files: Sequence[FileDigest]) -> bool:
    """Move the model, or copy it; whether it was moved."""
    if staged.identities is not None and move_unchanged(staged.model, target, staged.identities):
        return True
    _copy_tree(staged.model, target, files)
    return False


def _take_predictions(staged: Staged, source: Path, target: Path) -> None:
    if staged.identities is None or source.lstat().st_nlink != 1 or not move(source, target):
        _copy(source.parent, source.name, target, staged.predictions_sha256)
        return
    with open_beneath(target.parent, target.name) as stream:
        found = hash_stream(stream)
    if found != staged.predictions_sha256:
        raise _changed(source)
    target.chmod(_READ_ONLY_FILE)


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
        folder.chmod(_READ_ONLY_FOLDER)


def _copy(folder: Path, path: str, target: Path, digest: str | None) -> None:
    with open_beneath(folder, path) as source:
        copied = copy_unsynced(source, target)
    if copied != digest:
        raise _changed(folder / path)
    target.chmod(_READ_ONLY_FILE)


def _changed(path: Path) -> ArtifactTampered:
    return ArtifactTampered(f"{path} changed after the model was measured")


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as stream:
        stream.write(data)
    path.chmod(_READ_ONLY_FILE)
