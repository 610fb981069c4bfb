"""What a promoted version consists of: its files, and the document that accounts for them.

A manifest carries no verdict and no place in the ledger: those stand in the ledger, which names the
manifest by the SHA-256 of its exact bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from noa_mlops.records.dataset import FileDigest
from noa_mlops.records.documents import canonical, parse_object, sha256

SCHEMA = "noa:manifest/v1"
"""Names the form of the manifest; a reader refuses any other."""

MAX_BYTES = 16 << 20
"""Largest manifest that is read."""


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
        try:
            manifest = cls(
                **{
                    **document,
                    "files": tuple(FileDigest(**file) for file in document["files"]),
                    "code": tuple(FileDigest(**file) for file in document["code"]),
                }
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"has missing or unknown members ({error})") from error
        if manifest.checksum != claimed or manifest.to_bytes() != data:
            raise ValueError("contradicts itself: its checksum or its form is not that of its files")
        return manifest


def _file(file: FileDigest) -> dict[str, Any]:
    return {"path": file.path, "size": file.size, "sha256": file.sha256}


@dataclass(frozen=True, slots=True)
class ArtifactRecord:
    """A version as it lies in the store: its manifest, and the digest of the manifest's exact bytes."""

    manifest: Manifest
    manifest_sha256: str
    predictions_sha256: str | None = None
