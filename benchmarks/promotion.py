"""Promoting a large model: from the death of its trainer to the complete, signed folder in the store.

The floor is SHA-256 of the same bytes by `hashlib`, one file after the other, in the same run. The trainer's bytes are on the disk
before either begins, as the floor says nothing about writing. By default a model of 1 GiB; ``--full`` takes 4 GiB.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Line, scratch
from noa_mlops.agents import freeze_output, keep_output
from noa_mlops.artifacts import FilesystemArtifactStore, Staged
from noa_mlops.evidence import ECDSA_P256, SigningKey, sign_model
from noa_mlops.records.dataset import FileDigest
from noa_mlops.records.layout import Layout
from noa_mlops.records.manifest import Manifest

SIZE, FULL = 1 << 30, 4 << 30
BLOCK = 1 << 20
LIMIT = 1 << 40


def lines(rounds: int = 3) -> Iterator[Line]:
    """A sealed model, moved, in one file and in eight; and one of a basic run, copied. The best of each counts."""
    size = FULL if "--full" in sys.argv else SIZE
    name = f"promotion of {size >> 20} MiB"
    with scratch() as folder:
        model = Model.of(folder, size, shards=1)
        floor, ours = model.timed(model.move, rounds, time.process_time)
        yield Line(f"{name}, processor time", "SHA-256", floor, ours, 1.15, "sealed, one file")
        floor, ours = model.timed(model.move, rounds)
        yield Line(name, "SHA-256", floor, ours, 1.15, "sealed, one file")
        floor, ours = model.timed(model.copy, 1)
        yield Line(name, "SHA-256", floor, ours, note="basic, copied")
    with scratch() as folder:
        model = Model.of(folder, size, shards=8)
        floor, ours = model.timed(model.move, rounds)
        yield Line(name, "SHA-256", floor, ours, 1.15, "sealed, eight files")


@dataclass(frozen=True, slots=True)
class Model:
    """A model in the workspace of a dead trainer, and a store in which no version is named yet."""

    out: Path
    store: FilesystemArtifactStore
    key: SigningKey

    @classmethod
    def of(cls, folder: Path, size: int, shards: int) -> Model:
        """Write ``size`` bytes, spread over ``shards`` files, and sync them."""
        layout = Layout.of(folder / "project")
        out = layout.workspace("large-1") / "out"
        out.mkdir(parents=True)
        block = os.urandom(BLOCK)
        for shard in range(shards):
            with (out / f"{shard}.bin").open("wb") as stream:
                for _ in range(size // shards // BLOCK):
                    stream.write(block)
                os.fsync(stream.fileno())
        store = FilesystemArtifactStore(layout, unnamed=lambda *_: True)
        return cls(out, store, SigningKey.generate(ECDSA_P256))

    def timed(
        self, promote: Callable[[], None], rounds: int, clock: Callable[[], float] = time.perf_counter
    ) -> tuple[float, float]:
        """The best times of the floor and of a promotion, in milliseconds, which take turns."""
        floors, ours = [], []
        for _ in range(rounds):
            floors.append(_seconds(self.hash, clock))
            ours.append(_seconds(promote, clock))
            self.store.give_back("large", "noop", 1, model=self.out, predictions=self.out.parent / "none")
        return min(floors) * 1000, min(ours) * 1000

    def hash(self) -> None:
        """SHA-256 of every file."""
        for path in sorted(self.out.iterdir()):
            with path.open("rb") as stream:
                hashlib.file_digest(stream, "sha256")

    def move(self) -> None:
        """What a run does after a sealed trainer, and a sealed predictor."""
        kept = freeze_output(self.out, LIMIT)
        self.store_as(Staged(self.out, identities=kept.identities), _manifest(kept.files))

    def copy(self) -> None:
        """What a run does after a basic one."""
        self.store_as(Staged(self.out), _manifest(keep_output(self.out, LIMIT).files))

    def store_as(self, staged: Staged, manifest: Manifest) -> None:
        """Sign and stage."""
        self.store.stage(staged, manifest, sign_model("large@1", manifest.files, self.key))


def _seconds(work: Callable[[], None], clock: Callable[[], float]) -> float:
    began = clock()
    work()
    return clock() - began


def _manifest(files: tuple[FileDigest, ...]) -> Manifest:
    return Manifest(
        lifecycle_id="large",
        profile="noop",
        version=1,
        artifact="storage/artifacts/large/noop/1",
        files=files,
        created_at="2026-01-01T00:00:00.000Z",
        plan_digest="0" * 64,
        dataset={"path": "train.csv", "fingerprint": "0" * 64, "rows": 1},
        evaluation=None,
        agents={"trainer": "large-1", "isolation": "sealed"},
        environment={},
        seed=0,
        predict={"task": "classification", "classes": [0, 1]},
        code_bearing=False,
    )
