"""Stage a measured model as an immutable folder, read it back, and check every byte of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TypeAlias

from noa_mlops.artifacts.staging import (
    CODE,
    MANIFEST,
    MODEL,
    PREDICTIONS,
    SIGNATURE,
    SUMMARY,
    Documents,
    Staged,
    build,
    manifest_bytes,
    unbuild,
)
from noa_mlops.errors import ArtifactTampered, LedgerConflict, NotFound
from noa_mlops.files import (
    UnsafePath,
    copy_and_hash,
    hash_stream,
    list_beneath,
    make_directories,
    open_beneath,
    read_capped,
    sync_directory,
)
from noa_mlops.records.dataset import FileDigest
from noa_mlops.records.documents import sha256
from noa_mlops.records.layout import Layout, address
from noa_mlops.records.manifest import MAX_BYTES, MAX_SIGNATURE, ArtifactRecord, Manifest
from noa_mlops.records.summary import MAX_SUMMARY, DatasetSummary

Unnamed: TypeAlias = Callable[[str, int], bool]
"""Whether it is known that no ledger entry names the folder of a lifecycle's version."""


def _nothing_known(*_: object) -> bool:
    """Whatever is stored stays."""
    return False


class FilesystemArtifactStore:
    """Immutable model folders below ``storage/artifacts``; only what ``unnamed`` knows to be a leftover is replaced."""

    def __init__(self, layout: Layout, *, unnamed: Unnamed = _nothing_known) -> None:
        self._layout = layout
        self._unnamed = unnamed

    def path(self, lifecycle_id: str, profile: str, version: int) -> Path:
        """The folder of a version, whether it exists or not."""
        return self._layout.version(lifecycle_id, profile, version)

    def stage(self, staged: Staged, manifest: Manifest, signature: bytes) -> ArtifactRecord:
        """Make the bytes that ``manifest`` lists an immutable, durable folder; it is complete when this returns.

        ``signature``, the ``model.sig`` over the manifest's files, is stored as it is given. A folder left by a run
        that ended before its ledger entry is replaced. Raises `LedgerConflict` when a folder is there that an entry may
        name, `ArtifactTampered` when a byte is not the one that was measured, `EvaluationFailed` for a manifest that no
        reader would accept; then nothing is left behind, and what was moved is back where it was.
        """
        target = self.path(manifest.lifecycle_id, manifest.profile, manifest.version)
        if os.path.lexists(target) and not self._unnamed(manifest.lifecycle_id, manifest.version):
            raise LedgerConflict(
                f"{target} is there and may be promoted; a promoted version is never replaced",
                hint="Submit the plan again: it gets the next number.",
            )
        data = manifest_bytes(manifest)
        make_directories(target.parent)
        building = _building(target)
        for leftover in (building, target):
            unbuild(leftover, staged.model, staged.predictions)
        try:
            build(building, staged, manifest, Documents(signature, data))
            building.rename(target)
        except BaseException:
            unbuild(building, staged.model, staged.predictions)
            raise
        sync_directory(target.parent)
        summary = None if staged.summary is None else sha256(staged.summary)
        return ArtifactRecord(manifest, sha256(data), signature, staged.predictions_sha256, summary)

    def give_back(self, lifecycle_id: str, profile: str, version: int, *, model: Path, predictions: Path) -> None:
        """Put a model and predictions that a run moved here, and no entry names, back to where they were.

        To be called by whoever owns the run and goes on with it. What is still in its place stays; nothing to give back
        is fine. Raises `OSError`.
        """
        if self._unnamed(lifecycle_id, version):
            target = self.path(lifecycle_id, profile, version)
            for leftover in (_building(target), target):
                unbuild(leftover, model, predictions)

    def record(self, lifecycle_id: str, profile: str, version: int) -> ArtifactRecord:
        """The documents of a stored version. Raises `NotFound`, or `ArtifactTampered` for what is no such document."""
        folder = self.path(lifecycle_id, profile, version)
        data = self._document(folder / MANIFEST, MAX_BYTES)
        if data is None:
            name = address(lifecycle_id, version)
            raise NotFound(f"{name} is not in the store: {folder} has no {MANIFEST}")
        try:
            manifest = Manifest.from_bytes(data)
        except ValueError as error:
            raise ArtifactTampered(f"{folder / MANIFEST} {error}") from error
        if (manifest.lifecycle_id, manifest.profile, manifest.version) != (lifecycle_id, profile, version):
            raise ArtifactTampered(f"{folder / MANIFEST} is the manifest of another version")
        signature = self._document(folder / SIGNATURE, MAX_SIGNATURE)
        digests = (self._digest(folder / name) for name in (PREDICTIONS, SUMMARY))
        return ArtifactRecord(manifest, sha256(data), signature, *digests)

    def summary(self, lifecycle_id: str, profile: str, version: int, digest: str) -> DatasetSummary:
        """The summary of the data that a version was trained on, which has this SHA-256. Raises `ArtifactTampered`."""
        path = self.path(lifecycle_id, profile, version) / SUMMARY
        data = self._document(path, MAX_SUMMARY)
        if data is None or sha256(data) != digest:
            raise ArtifactTampered(f"{path} is not the summary of the training data that was signed")
        try:
            return DatasetSummary.from_bytes(data)
        except ValueError as error:
            raise ArtifactTampered(f"{path} {error}") from error

    def findings(self, record: ArtifactRecord) -> Iterator[tuple[Path, str]]:
        """Everything in a stored folder that differs from its manifest, and how; nothing is good."""
        manifest = record.manifest
        folder = self.path(manifest.lifecycle_id, manifest.profile, manifest.version)
        listed = {f"{MODEL}/{file.path}": file for file in manifest.files}
        listed |= {f"{CODE}/{file.path}": file for file in manifest.code}
        for path, file in listed.items():
            try:
                reason = self._difference(folder / path, file, hash_stream)
            except OSError as error:
                reason = f"cannot be read ({error})"
            if reason is not None:
                yield folder / path, reason
        for path in self._unlisted(folder, (MANIFEST, SIGNATURE, PREDICTIONS, SUMMARY, *listed)):
            yield folder / path, "is not in the manifest"

    def copy_out(self, record: ArtifactRecord, target: Path) -> None:
        """Copy the files that a manifest lists into the new folders ``model`` and ``code`` below ``target``.

        What is compared with the manifest are the very bytes that were written there, so whoever uses the copy uses
        what was checked, whatever happens in the store meanwhile. Raises `ArtifactTampered` naming the first file
        that is not the recorded one, `OSError` when the copy cannot be written.
        """
        manifest = record.manifest
        folder = self.path(manifest.lifecycle_id, manifest.profile, manifest.version)
        for part, files in ((MODEL, manifest.files), (CODE, manifest.code)):
            (target / part).mkdir()
            for file in files:
                destination = target / part / file.path
                destination.parent.mkdir(parents=True, exist_ok=True)
                copied = partial(copy_and_hash, target=destination)
                if reason := self._difference(folder / part / file.path, file, copied):
                    raise ArtifactTampered(f"{folder / part / file.path} {reason}")
                destination.chmod(0o555)  # a manifest holds no modes; a model may bring a program

    def _open(self, path: Path) -> BinaryIO:
        return open_beneath(self._layout.artifacts, self._relative(path))

    def _document(self, path: Path, limit: int) -> bytes | None:
        """The bytes of a stored document, None when there is none. Raises `ArtifactTampered` for what cannot be one."""
        try:
            with self._open(path) as stream:
                data = read_capped(stream, limit)
        except FileNotFoundError:
            return None
        except (OSError, UnsafePath) as error:
            raise ArtifactTampered(f"{path} cannot be read ({error})") from error
        if data is None:
            raise ArtifactTampered(f"{path} is larger than {limit} bytes")
        return data

    def _digest(self, path: Path) -> str | None:
        """Digest of a stored file; None when there is none."""
        try:
            with self._open(path) as stream:
                return hash_stream(stream)
        except FileNotFoundError:
            return None
        except (OSError, UnsafePath) as error:
            raise ArtifactTampered(f"{path} cannot be read ({error})") from error

    def _difference(self, path: Path, file: FileDigest, digest: Callable[[BinaryIO], str]) -> str | None:
        """Why the stored file is not the recorded one, by the digest that reading it gives; None when it is."""
        try:
            stream = self._open(path)
        except FileNotFoundError:
            return "is missing"
        except (OSError, UnsafePath) as error:
            return f"cannot be read ({error})"
        with stream:
            size = os.fstat(stream.fileno()).st_size
            if size != file.size:
                return f"is not the recorded file: {size} bytes, recorded {file.size}"
            found = digest(stream)
        return None if found == file.sha256 else f"is not the recorded file: SHA-256 {found}, recorded {file.sha256}"

    def _unlisted(self, folder: Path, listed: Sequence[str]) -> Iterator[str]:
        """Whatever lies in ``folder`` but is neither one of ``listed`` nor a folder on the way to one."""
        parents = {str(parent) for path in listed for parent in PurePosixPath(path).parents}
        for parent in sorted(parents):
            try:
                names = list_beneath(self._layout.artifacts, self._relative(folder / parent))
            except (OSError, UnsafePath):
                continue  # the files that should be in it are missing, and named as such
            found = {str(PurePosixPath(parent, name)) for name in names}
            yield from sorted(found - parents - set(listed))

    def _relative(self, path: Path) -> str:
        return str(path.relative_to(self._layout.artifacts))


def _building(target: Path) -> Path:
    """Where the folder of a version is made before it has its name."""
    return target.with_name(f".{target.name}.tmp")
