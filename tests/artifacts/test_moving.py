"""A model that nobody can write any more is moved into the store, not copied, and comes back when it is not promoted."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from artifacts.conftest import MODEL, PREDICTIONS, SIGNATURE, Bench, digests, lay_out, manifest
from noa_mlops.errors import ArtifactTampered
from noa_mlops.files import Identity, UnsafePath


class Frozen(Bench):
    """A bench whose model is read-only, and known by the identities of its files."""

    def __init__(self, root: Path, workspace: Path | None = None) -> None:
        super().__init__(root)
        if workspace is not None:
            self.workspace.rename(root / "unused")
            self.workspace = workspace
            lay_out(workspace / "out", MODEL)
            lay_out(workspace / "code", {"src/features.py": b"def features(): return []\n"})
            (workspace / "predictions.parquet").write_bytes(PREDICTIONS)
        for name in MODEL:
            (self.out / name).chmod(0o444)
        self.identities = {name: self.identity(self.out / name) for name in MODEL}

    @property
    def out(self) -> Path:
        return self.workspace / "out"

    @property
    def staged(self):
        return replace(super().staged, identities=self.identities)

    @staticmethod
    def identity(path: Path) -> Identity:
        return Identity.of(path.lstat())

    def model(self) -> dict[str, bytes]:
        """The model in the workspace."""
        return {name: (self.out / name).read_bytes() for name in MODEL}


@pytest.fixture
def frozen(tmp_path):
    return Frozen(tmp_path)


def test_moves_the_very_files_and_leaves_none_behind(frozen):
    record = frozen.store.stage(frozen.staged, manifest(), SIGNATURE)
    folder = frozen.folder()
    assert {name: frozen.identity(folder / "model" / name) for name in MODEL} == frozen.identities
    assert sorted(os.listdir(frozen.workspace)) == ["code"]
    assert list(frozen.store.findings(record)) == []
    assert record == frozen.store.record("rain", "command", 1)
    for path in [folder, *folder.rglob("*")]:
        assert stat.S_IMODE(path.lstat().st_mode) == (0o555 if path.is_dir() else 0o444), path


def written_with_its_own_bytes(path):
    content = path.read_bytes()
    with path.open("r+b") as stream:
        stream.write(content)


def replaced_by_a_twin(path):
    twin = path.with_name("twin")
    twin.write_bytes(path.read_bytes())
    twin.chmod(0o444)
    twin.replace(path)


def linked(path):
    os.link(path, path.parent.parent / "second name")


def made_writable(path):
    path.chmod(0o666)


def joined_by_another(path):
    (path.parent / "stray").write_bytes(b"")


def joined_by_a_link(path):
    (path.parent / "stray").symlink_to("/etc")


TOUCHES = [
    written_with_its_own_bytes,
    replaced_by_a_twin,
    linked,
    made_writable,
    joined_by_another,
    joined_by_a_link,
]


@pytest.mark.parametrize("touch", TOUCHES)
def test_copies_what_was_touched_after_it_was_hashed_and_is_the_same_all_the_same(frozen, touch):
    touch(frozen.out / "weights.bin")
    record = frozen.store.stage(frozen.staged, manifest(), SIGNATURE)
    assert list(frozen.store.findings(record)) == []
    for name in MODEL:
        here, there = frozen.identity(frozen.out / name), frozen.identity(frozen.folder() / "model" / name)
        assert here.inode != there.inode
        assert (there.links, stat.S_IMODE(there.mode)) == (1, 0o444)
    (frozen.out / "weights.bin").chmod(0o644)
    (frozen.out / "weights.bin").write_bytes(b"written later")
    assert list(frozen.store.findings(record)) == []


def rewritten(path):
    path.chmod(0o644)
    path.write_bytes(b"\x01\x00" * 300)
    path.chmod(0o444)


def removed(path):
    path.unlink()


def turned_into_a_link(path):
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


@pytest.mark.parametrize("change", [rewritten, removed, turned_into_a_link])
def test_refuses_what_is_not_what_was_hashed_and_gives_the_rest_back(frozen, change):
    change(frozen.out / "weights.bin")
    with pytest.raises((ArtifactTampered, UnsafePath, FileNotFoundError)):
        frozen.store.stage(frozen.staged, manifest(), SIGNATURE)
    assert frozen.names() == []
    assert (frozen.out / "parts" / "names.txt").read_bytes() == MODEL["parts/names.txt"]


def test_never_takes_a_link_for_the_folder_that_it_took_the_place_of(frozen, tmp_path):
    """The link itself would be moved, and whoever owns what it leads to could write a promoted model."""
    frozen.out.rename(tmp_path / "elsewhere")
    frozen.out.symlink_to(tmp_path / "elsewhere")
    record = frozen.store.stage(frozen.staged, manifest(), SIGNATURE)
    assert not (frozen.folder() / "model").is_symlink()
    rewritten(tmp_path / "elsewhere" / "weights.bin")
    assert list(frozen.store.findings(record)) == []


def test_gives_everything_back_when_the_predictions_are_not_those_that_were_judged(frozen):
    (frozen.workspace / "predictions.parquet").write_bytes(b"better ones")
    with pytest.raises(ArtifactTampered, match=r"predictions\.parquet changed"):
        frozen.store.stage(frozen.staged, manifest(), SIGNATURE)
    assert frozen.names() == []
    assert frozen.model() == MODEL
    assert (frozen.workspace / "predictions.parquet").read_bytes() == b"better ones"


def test_copies_predictions_that_have_a_second_name(frozen):
    os.link(frozen.workspace / "predictions.parquet", frozen.workspace / "second name")
    record = frozen.store.stage(frozen.staged, manifest(), SIGNATURE)
    (frozen.workspace / "second name").write_bytes(b"better ones")
    assert record == frozen.store.record("rain", "command", 1)


def test_gives_everything_back_when_the_folder_cannot_be_completed(frozen):
    with pytest.raises(TypeError):
        frozen.store.stage(frozen.staged, manifest(), "no bytes")
    assert frozen.model() == MODEL
    assert frozen.store.stage(frozen.staged, manifest(), SIGNATURE).manifest == manifest()


def give_back(bench):
    predictions = bench.workspace / "predictions.parquet"
    bench.store.give_back("rain", "command", 1, model=bench.out, predictions=predictions)


def test_gives_back_what_no_entry_names_and_takes_it_again(frozen):
    frozen.store.stage(frozen.staged, manifest(), SIGNATURE)
    frozen.leftovers.add(("rain", 1))
    give_back(frozen)
    assert frozen.names() == []
    assert frozen.model() == MODEL
    assert (frozen.workspace / "predictions.parquet").read_bytes() == PREDICTIONS
    record = frozen.store.stage(frozen.staged, manifest(), SIGNATURE)
    assert list(frozen.store.findings(record)) == []


def test_gives_back_a_model_whose_folder_was_only_half_built(frozen):
    half = frozen.folder().with_name(".1.tmp")
    half.mkdir(parents=True)
    frozen.out.rename(half / "model")
    (half / "manifest.json").write_bytes(b"{")
    half.chmod(0o555)
    frozen.leftovers.add(("rain", 1))
    give_back(frozen)
    assert frozen.names() == []
    assert frozen.model() == MODEL


def test_gives_back_nothing_of_a_version_that_an_entry_may_name(frozen):
    record = frozen.store.stage(frozen.staged, manifest(), SIGNATURE)
    give_back(frozen)
    assert not frozen.out.exists()
    assert list(frozen.store.findings(record)) == []


def test_what_lies_in_its_place_again_is_not_replaced_by_what_was_taken(frozen):
    frozen.store.stage(frozen.staged, manifest(), SIGNATURE)
    frozen.leftovers.add(("rain", 1))
    lay_out(frozen.out, {"weights.bin": b"newer"})
    give_back(frozen)
    assert (frozen.out / "weights.bin").read_bytes() == b"newer"
    assert frozen.names() == []


@pytest.fixture
def other_device(tmp_path):
    folder = Path("/dev/shm") / f"{tmp_path.name}-{os.getpid()}"
    if not os.access("/dev/shm", os.W_OK) or Path("/dev/shm").stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system to write to")
    folder.mkdir()
    yield folder
    for parent, _, files in os.walk(folder, topdown=False):
        for name in files:
            Path(parent, name).unlink()
        Path(parent).rmdir()


def test_copies_and_compares_what_lies_on_another_device(tmp_path, other_device):
    frozen = Frozen(tmp_path, other_device)
    with pytest.raises(OSError, match="cross-device") as caught:
        frozen.out.rename(tmp_path / "there")
    assert caught.value.errno == errno.EXDEV
    record = frozen.store.stage(frozen.staged, manifest(), SIGNATURE)
    assert list(frozen.store.findings(record)) == []
    assert record.manifest.files == digests(MODEL)
    assert frozen.model() == MODEL


def test_refuses_other_bytes_that_lie_on_another_device(tmp_path, other_device):
    frozen = Frozen(tmp_path, other_device)
    rewritten(frozen.out / "weights.bin")
    with pytest.raises(ArtifactTampered, match="changed after the model was measured"):
        frozen.store.stage(frozen.staged, manifest(), SIGNATURE)
    assert frozen.names() == []
