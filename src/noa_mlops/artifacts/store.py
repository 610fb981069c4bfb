"""Stage a measured model as an immutable folder, read it back, and check every byte of it."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from noa_mlops.errors import ArtifactTampered, NotFound
from noa_mlops.files import copy_and_hash, hash_stream, make_directories, open_beneath, read_capped, sync_directory
from noa_mlops.records.dataset import FileDigest
from noa_mlops.records.documents import sha256
from noa_mlops.records.layout import Layout
from noa_mlops.records.manifest import MAX_BYTES, ArtifactRecord, Manifest

MANIFEST = "manifest.json"
MODEL = "model"
CODE = "code"
PREDICTIONS = "predictions.parquet"

_READ_ONLY_FILE = 0o444
_READ_ONLY_FOLDER = 0o555


@dataclass(frozen=True, slots=True)
class Staged:
    """Bytes to be promoted: the folder they lie in now, and the digests they must have."""

    model: Path
    files: tuple[FileDigest, ...]
    code: Path | None = None
    code_files: tuple[FileDigest, ...] = ()
    predictions: Path | None = None
    predictions_sha256: str | None = None


class FilesystemArtifactStore:
    """Immutable model folders below ``root``, which is ``storage/artifacts``."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def path(self, lifecycle_id: str, profile: str, version: int) -> Path:
        """The folder of a version, whether it exists or not."""
        return self._layout.version(lifecycle_id, profile, version)

    def stage(self, staged: Staged, manifest: Manifest) -> ArtifactRecord:
        """Make the measured bytes an immutable, durable folder; it is complete when this returns.

        A folder left by a run that ended before its ledger entry is replaced: nothing names it.
        Raises `ArtifactTampered` when a byte is not the one that was measured; then nothing is left behind.
        """
        target = self.path(manifest.lifecycle_id, manifest.profile, manifest.version)
        make_directories(target.parent)
        building = target.with_name(f".{target.name}.tmp")
        _remove(building)
        try:
            record = _build(building, staged, manifest)
            _remove(target)
            building.rename(target)
        except BaseException:
            _remove(building)
            raise
        sync_directory(target.parent)
        return record

    def record(self, lifecycle_id: str, profile: str, version: int) -> ArtifactRecord:
        """The manifest of a stored version. Raises `NotFound`, or `ArtifactTampered` when it is not one."""
        folder = self.path(lifecycle_id, profile, version)
        try:
            with open_beneath(folder, MANIFEST) as stream:
                data = read_capped(stream, MAX_BYTES)
        except FileNotFoundError as error:
            raise NotFound(f"{lifecycle_id}@{version} is not in the store: {folder} has no {MANIFEST}") from error
        try:
            manifest = Manifest.from_bytes(data if data is not None else b"")
        except ValueError as error:
            raise ArtifactTampered(f"{folder / MANIFEST} {error}") from error
        predictions = _digest_if_present(folder, PREDICTIONS)
        return ArtifactRecord(manifest, sha256(data or b""), predictions)

    def findings(self, record: ArtifactRecord) -> Iterator[str]:
        """Every way in which a stored folder differs from its manifest, one sentence each; none is good."""
        manifest = record.manifest
        folder = self.path(manifest.lifecycle_id, manifest.profile, manifest.version)
        yield from _differences(folder / MODEL, manifest.files)
        yield from _differences(folder / CODE, manifest.code)
        allowed = {MANIFEST, MODEL, PREDICTIONS} | ({CODE} if manifest.code else set())
        for name in sorted(os.listdir(folder)):
            if name not in allowed:
                yield f"{folder / name} is not in the manifest"


def _build(building: Path, staged: Staged, manifest: Manifest) -> ArtifactRecord:
    building.mkdir()
    _copy_tree(staged.model, building / MODEL, staged.files)
    if staged.code is not None and staged.code_files:
        _copy_tree(staged.code, building / CODE, staged.code_files)
    if staged.predictions is not None:
        with open_beneath(staged.predictions.parent, staged.predictions.name) as source:
            copied = copy_and_hash(source, building / PREDICTIONS)
        if copied != staged.predictions_sha256:
            raise ArtifactTampered(f"{staged.predictions} changed after the model was measured")
        (building / PREDICTIONS).chmod(_READ_ONLY_FILE)
    data = manifest.to_bytes()
    with (building / MANIFEST).open("xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    (building / MANIFEST).chmod(_READ_ONLY_FILE)
    sync_directory(building)
    return ArtifactRecord(manifest, sha256(data), staged.predictions_sha256)


def _copy_tree(source: Path, target: Path, files: Sequence[FileDigest]) -> None:
    """Copy exactly the named files, each compared with its digest while it is written."""
    folders = {target}
    target.mkdir()
    for file in files:
        destination = target / file.path
        for parent in reversed(destination.relative_to(target).parents[:-1]):
            (target / parent).mkdir(exist_ok=True)
            folders.add(target / parent)
        with open_beneath(source, file.path) as stream:
            copied = copy_and_hash(stream, destination)
        if copied != file.sha256:
            raise ArtifactTampered(f"{source / file.path} changed after the model was measured")
        destination.chmod(_READ_ONLY_FILE)
    for folder in sorted(folders, reverse=True):
        sync_directory(folder)
        folder.chmod(_READ_ONLY_FOLDER)


def _differences(folder: Path, files: Sequence[FileDigest]) -> Iterator[str]:
    present = set(_walk(folder, "")) if folder.is_dir() and not folder.is_symlink() else set()
    for file in files:
        try:
            with open_beneath(folder, file.path) as stream:
                found = hash_stream(stream)
        except FileNotFoundError:
            yield f"{folder / file.path} is missing"
            continue
        except (OSError, ArtifactTampered) as error:
            yield f"{folder / file.path} cannot be read ({error})"
            continue
        if found != file.sha256:
            yield f"{folder / file.path} is not the recorded file: SHA-256 {found}, recorded {file.sha256}"
    for name in sorted(present - {file.path for file in files}):
        yield f"{folder / name} is not in the manifest"


def _walk(folder: Path, prefix: str) -> Iterator[str]:
    """Everything below ``folder`` that is not a plain folder; links are named, never followed."""
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), name + "/")
            else:
                yield name


def _digest_if_present(folder: Path, name: str) -> str | None:
    try:
        with open_beneath(folder, name) as stream:
            return hash_stream(stream)
    except FileNotFoundError:
        return None


def _remove(folder: Path) -> None:
    """Remove a folder that nothing names; its read-only folders are made writable first."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        folder.unlink()
    elif folder.is_dir():
        for parent, _, _ in os.walk(folder):
            os.chmod(parent, stat.S_IRWXU)
        shutil.rmtree(folder)
