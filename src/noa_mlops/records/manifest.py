"""What a promoted version consists of: its files, and the document that accounts for them.

A manifest carries no verdict and no place in the ledger: those stand in the ledger, which names the
manifest by the SHA-256 of its exact bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from types import UnionType
from typing import Any

from noa_mlops.records.dataset import FileDigest
from noa_mlops.records.documents import canonical, is_digest, parse_object, sha256

SCHEMA = "noa:manifest/v1"
"""Names the form of the manifest; a reader refuses any other."""

MAX_BYTES = 16 << 20
"""Largest manifest that is read."""

MAX_SIGNATURE = 48 << 20
"""Largest ``model.sig`` that is read: room for the files of the largest manifest, in base64."""

MAX_DEPTH = 64
"""Most parts that the path of a model's file may have."""


def file_list(files: Iterable[FileDigest]) -> bytes:
    """The canonical list of a model's files, sorted by path: the bytes that the checksum is taken of."""
    rows = sorted(files, key=lambda file: file.path)
    return canonical([{"path": file.path, "sha256": file.sha256, "size": file.size} for file in rows])


def checksum(files: Iterable[FileDigest]) -> str:
    """One SHA-256 for a whole model: over its canonical file list."""
    return sha256(file_list(files))


@dataclass(frozen=True, slots=True)
class Manifest:
    """The account of one promoted version; field by field as in the stored document."""

    lifecycle_id: str
    profile: str
    version: int
    artifact: str
    files: tuple[FileDigest, ...]
    created_at: str
    plan_digest: str
    dataset: Mapping[str, Any]
    evaluation: Mapping[str, Any] | None
    agents: Mapping[str, Any]
    environment: Mapping[str, Any]
    seed: int
    predict: Mapping[str, Any]
    code_bearing: bool
    code: tuple[FileDigest, ...] = field(default=())

    @property
    def checksum(self) -> str:
        """SHA-256 over the canonical file list."""
        return checksum(self.files)

    def to_bytes(self) -> bytes:
        """The document as it is stored; the same manifest always gives the same bytes."""
        document = {
            "schema": SCHEMA,
            "lifecycle_id": self.lifecycle_id,
            "profile": self.profile,
            "version": self.version,
            "artifact": self.artifact,
            "files": [_file(file) for file in self.files],
            "checksum": self.checksum,
            "code": [_file(file) for file in self.code],
            "created_at": self.created_at,
            "plan_digest": self.plan_digest,
            "dataset": self.dataset,
            "evaluation": self.evaluation,
            "agents": self.agents,
            "environment": self.environment,
            "seed": self.seed,
            "predict": self.predict,
            "code_bearing": self.code_bearing,
        }
        return canonical(document) + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """Read a stored manifest. Raises `ValueError` when it is not one, or contradicts itself."""
        document = parse_object(data, limit=MAX_BYTES)
        if document.pop("schema", None) != SCHEMA:
            raise ValueError(f"is not a manifest of the form {SCHEMA}")
        claimed = document.pop("checksum", None)
        if document.keys() != _KINDS.keys():
            names = ", ".join(sorted(document.keys() ^ _KINDS.keys()))
            raise ValueError(f"has missing or unknown members: {names:.200}")
        for name, kind in _KINDS.items():
            if not _is(document[name], kind):
                raise ValueError(f"has a {name} that is no such value")
        members = {name: _files(document[name], name) for name in ("files", "code")}
        manifest = cls(**{**document, **members})
        if manifest.checksum != claimed or manifest.to_bytes() != data:
            raise ValueError("contradicts itself: its checksum or its form is not that of its files")
        return manifest


_KINDS: Mapping[str, type | UnionType] = {
    "lifecycle_id": str,
    "profile": str,
    "version": int,
    "artifact": str,
    "files": list,
    "code": list,
    "created_at": str,
    "plan_digest": str,
    "dataset": dict,
    "evaluation": dict | None,
    "agents": dict,
    "environment": dict,
    "seed": int,
    "predict": dict,
    "code_bearing": bool,
}
"""What each member of the stored document is; its schema and its checksum are looked at apart."""


def _is(value: object, kind: type | UnionType) -> bool:
    """Whether a JSON value is of a kind; true and false are no numbers."""
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _file(file: FileDigest) -> dict[str, Any]:
    return {"path": file.path, "size": file.size, "sha256": file.sha256}


def _files(rows: Sequence[object], name: str) -> tuple[FileDigest, ...]:
    """The files of a list. Raises `ValueError` unless each is named once, by a plain path inside the model."""
    files = tuple(_read_file(row, name) for row in rows)
    paths = {file.path for file in files}
    if len(paths) != len(files):
        raise ValueError(f"names a file twice in {name}")
    return files


def _read_file(row: object, name: str) -> FileDigest:
    if not isinstance(row, dict) or row.keys() != {"path", "size", "sha256"}:
        raise ValueError(f"has an entry in {name} that is no file")
    path, size = row["path"], row["size"]
    if not isinstance(path, str) or not _is_inside(path):
        raise ValueError(f"names in {name} the path {path!r:.80}, which is not inside the model")
    if not _is(size, int) or size < 0 or not is_digest(row["sha256"]):
        raise ValueError(f"has for {path!r:.80} a size or a SHA-256 that is none")
    return FileDigest(path, size, row["sha256"])


def _is_inside(path: str) -> bool:
    """Whether a path is relative, in its shortest form, not too deep, and leaves no folder."""
    plain = PurePosixPath(path)
    shortest = str(plain) == path and "\0" not in path and not plain.is_absolute()
    return shortest and 0 < len(plain.parts) <= MAX_DEPTH and ".." not in plain.parts


@dataclass(frozen=True, slots=True)
class ArtifactRecord:
    """A version as it lies in the store: its manifest, the digest of the manifest's exact bytes, its ``model.sig``.

    ``signature``, ``predictions_sha256`` and ``summary_sha256`` are None when the file is not there.
    """

    manifest: Manifest
    manifest_sha256: str
    signature: bytes | None
    predictions_sha256: str | None = None
    summary_sha256: str | None = None

    @property
    def signature_sha256(self) -> str | None:
        """Digest of the stored ``model.sig``, None when there is none."""
        return sha256(self.signature) if self.signature is not None else None

    def differences(self, subjects: Mapping[str, str], model: str) -> Iterator[tuple[str, str]]:
        """Each file of the folder, but for the model's, that is not the one that was signed, and how it differs.

        ``subjects`` are the digests that a ledger entry names, by file; ``model`` is the checksum it names.
        """
        if self.predictions_sha256 != subjects.get("predictions.parquet"):
            yield "predictions.parquet", "are not the predictions that were signed"
        if self.summary_sha256 != subjects.get("summary.json"):
            yield "summary.json", "is not the summary of the training data that was signed"
        if self.signature is None:
            yield "model.sig", "is missing"
        elif self.signature_sha256 != subjects.get("model.sig"):
            yield "model.sig", "is not the model signature that the ledger names"
        if self.manifest_sha256 != subjects.get("manifest.json"):
            yield "manifest.json", "is not the manifest that was signed"
        elif self.manifest.checksum != model:
            yield "manifest.json", "lists other files than were signed"
