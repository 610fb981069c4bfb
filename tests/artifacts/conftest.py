"""A measured model in a workspace, and a store to put it into."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from noa_mlops.artifacts import FilesystemArtifactStore, Staged
from noa_mlops.records.dataset import FileDigest
from noa_mlops.records.layout import Layout
from noa_mlops.records.manifest import Manifest

MODEL = {"weights.bin": b"\x00\x01" * 300, "parts/tree/first.json": b"{}", "parts/names.txt": b"rain\n"}
CODE = {"src/features.py": b"def features(): return []\n"}
PREDICTIONS = b"PAR1 predictions PAR1"
SIGNATURE = b"a signature; the store does not read it"


def lay_out(folder: Path, files: dict[str, bytes]) -> None:
    """Write files, folders included."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def digests(files: dict[str, bytes]) -> tuple[FileDigest, ...]:
    """The list of these files."""
    return tuple(
        FileDigest(name, len(content), hashlib.sha256(content).hexdigest()) for name, content in sorted(files.items())
    )


def manifest(version: int = 1, **changes: object) -> Manifest:
    """The manifest of the model, with some members changed."""
    members = {
        "lifecycle_id": "rain",
        "profile": "command",
        "version": version,
        "artifact": f"storage/artifacts/rain/command/{version}",
        "files": digests(MODEL),
        "created_at": "2026-11-22T10:00:00.000Z",
        "plan_digest": "a" * 64,
        "dataset": {"path": "train.csv", "fingerprint": "b" * 64, "rows": 10},
        "evaluation": {"fingerprint": "c" * 64, "metrics": {"roc_auc": 0.91}, "thresholds": {"roc_auc": {"min": 0.8}}},
        "agents": {"trainer": "rain-1", "isolation": "basic"},
        "environment": {"python": "3.11.7", "packages": {}},
        "seed": 7,
        "predict": {"task": "classification", "classes": [0, 1]},
        "code_bearing": False,
        "code": digests(CODE),
    }
    return Manifest(**{**members, **changes})


class Bench:
    """A workspace whose trainer is dead, and a store; ``leftovers`` are versions that no entry names."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout.of(root / "project")
        self.workspace = root / "workspace"
        lay_out(self.workspace / "out", MODEL)
        lay_out(self.workspace / "code", CODE)
        (self.workspace / "predictions.parquet").write_bytes(PREDICTIONS)
        self.leftovers: set[tuple[str, int]] = set()
        self.store = FilesystemArtifactStore(self.layout, unnamed=lambda *version: version in self.leftovers)

    @property
    def staged(self) -> Staged:
        """What would be promoted."""
        return Staged(
            model=self.workspace / "out",
            code=self.workspace / "code",
            predictions=self.workspace / "predictions.parquet",
            predictions_sha256=hashlib.sha256(PREDICTIONS).hexdigest(),
        )

    def folder(self, version: int = 1) -> Path:
        """The folder of a version."""
        return self.store.path("rain", "command", version)

    def names(self) -> list[str]:
        """Everything below the store that is no folder, and every folder that is empty."""
        found = sorted(self.layout.artifacts.rglob("*")) if self.layout.artifacts.exists() else []
        return [str(path.relative_to(self.layout.artifacts)) for path in found if path.is_symlink() or path.is_file()]


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


@pytest.fixture
def stored(bench):
    """The same, with version 1 in the store and every folder of it open to this test."""
    bench.record = bench.store.stage(bench.staged, manifest(), SIGNATURE)
    for folder in [bench.folder(), *bench.folder().rglob("*")]:
        if folder.is_dir():
            folder.chmod(0o755)
    return bench
