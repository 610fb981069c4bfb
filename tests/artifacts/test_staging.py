"""A version's folder is absent or complete, holds the measured bytes, and never changes."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import replace

import pytest

from artifacts.conftest import CODE, MODEL, PREDICTIONS, SIGNATURE, digests, manifest
from noa_mlops.artifacts import FilesystemArtifactStore
from noa_mlops.errors import ArtifactTampered, EvaluationFailed, LedgerConflict, NotFound
from noa_mlops.files import UnsafePath

EXPECTED = {
    **{f"model/{name}": content for name, content in MODEL.items()},
    **{f"code/{name}": content for name, content in CODE.items()},
    "predictions.parquet": PREDICTIONS,
    "model.sig": SIGNATURE,
}


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_stores_exactly_the_measured_bytes_and_their_manifest(bench):
    record = bench.store.stage(bench.staged, manifest(), SIGNATURE)
    assert contents(bench.folder()) == {**EXPECTED, "manifest.json": manifest().to_bytes()}
    assert record.manifest_sha256 == hashlib.sha256((bench.folder() / "manifest.json").read_bytes()).hexdigest()
    assert record == bench.store.record("rain", "command", 1)
    assert list(bench.store.findings(record)) == []


def test_stores_a_version_without_code_and_without_predictions(bench):
    staged = replace(bench.staged, predictions=None, predictions_sha256=None)
    record = bench.store.stage(staged, manifest(code=(), evaluation=None), SIGNATURE)
    assert sorted(os.listdir(bench.folder())) == ["manifest.json", "model", "model.sig"]
    assert record.predictions_sha256 is None
    assert record == bench.store.record("rain", "command", 1)
    assert list(bench.store.findings(record)) == []


def test_leaves_what_the_manifest_does_not_list_where_it_was(bench):
    (bench.workspace / "out" / "scratch.tmp").write_bytes(b"left by the trainer")
    record = bench.store.stage(bench.staged, manifest(), SIGNATURE)
    assert "model/scratch.tmp" not in contents(bench.folder())
    assert list(bench.store.findings(record)) == []


def test_makes_files_and_folders_read_only_and_shares_no_inode_with_the_workspace(bench):
    bench.store.stage(bench.staged, manifest(), SIGNATURE)
    for path in [bench.folder(), *bench.folder().rglob("*")]:
        status = path.lstat()
        assert stat.S_IMODE(status.st_mode) == (0o555 if path.is_dir() else 0o444), path
        assert path.is_dir() or status.st_nlink == 1
    (bench.workspace / "out" / "weights.bin").write_bytes(b"written later")
    assert contents(bench.folder())["model/weights.bin"] == MODEL["weights.bin"]


@pytest.mark.parametrize("name", ["out/weights.bin", "out/parts/tree/first.json", "code/src/features.py"])
def test_refuses_bytes_that_changed_after_they_were_measured_and_leaves_nothing(bench, name):
    path = bench.workspace / name
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(ArtifactTampered, match="changed after the model was measured"):
        bench.store.stage(bench.staged, manifest(), SIGNATURE)
    assert bench.names() == []
    with pytest.raises(NotFound, match="rain@1 is not in the store"):
        bench.store.record("rain", "command", 1)


def test_refuses_other_predictions_than_those_that_were_judged(bench):
    (bench.workspace / "predictions.parquet").write_bytes(b"better ones")
    with pytest.raises(ArtifactTampered, match=r"predictions\.parquet changed"):
        bench.store.stage(bench.staged, manifest(), SIGNATURE)
    assert bench.names() == []


def test_leaves_nothing_when_a_measured_file_is_gone(bench):
    (bench.workspace / "out" / "parts" / "names.txt").unlink()
    with pytest.raises(FileNotFoundError):
        bench.store.stage(bench.staged, manifest(), SIGNATURE)
    assert bench.names() == []


def test_never_follows_a_link_that_took_the_place_of_a_measured_file(bench):
    outside = bench.workspace / "outside"
    outside.write_bytes(MODEL["weights.bin"])
    (bench.workspace / "out" / "weights.bin").unlink()
    (bench.workspace / "out" / "weights.bin").symlink_to(outside)
    with pytest.raises(UnsafePath, match="symbolic link"):
        bench.store.stage(bench.staged, manifest(), SIGNATURE)
    assert bench.names() == []


def test_replaces_what_an_interrupted_run_left_and_nothing_named(bench):
    leftover = bench.folder()
    (leftover / "model").mkdir(parents=True)
    (leftover / "model" / "half.bin").write_bytes(b"half")
    (leftover / "model").chmod(0o555)
    bench.leftovers.add(("rain", 1))
    record = bench.store.stage(bench.staged, manifest(), SIGNATURE)
    assert list(bench.store.findings(record)) == []
    assert sorted(os.listdir(leftover.parent)) == ["1"]


def test_clears_away_a_folder_that_was_only_half_built(bench):
    half = bench.folder().with_name(".1.tmp")
    (half / "model" / "parts").mkdir(parents=True)
    (half / "model" / "parts").chmod(0o555)
    bench.store.stage(bench.staged, manifest(), SIGNATURE)
    assert sorted(os.listdir(half.parent)) == ["1"]


def test_replaces_a_leftover_link_without_touching_what_it_points_to(bench, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious.txt").write_text("kept")
    bench.folder().parent.mkdir(parents=True)
    bench.folder().symlink_to(elsewhere)
    bench.leftovers.add(("rain", 1))
    bench.store.stage(bench.staged, manifest(), SIGNATURE)
    assert (elsewhere / "precious.txt").read_text() == "kept"
    assert not bench.folder().is_symlink()


def test_never_replaces_a_version_that_an_entry_may_name(bench):
    bench.store.stage(bench.staged, manifest(), SIGNATURE)
    before = contents(bench.folder())
    (bench.workspace / "out" / "weights.bin").write_bytes(b"another model")
    another = manifest(files=digests({**MODEL, "weights.bin": b"another model"}))
    for store in (bench.store, FilesystemArtifactStore(bench.layout)):
        with pytest.raises(LedgerConflict, match="a promoted version is never replaced"):
            store.stage(bench.staged, another, SIGNATURE)
    assert contents(bench.folder()) == before


def test_offers_no_way_to_delete_a_version():
    verbs = {name for name in vars(FilesystemArtifactStore) if not name.startswith("_")}
    assert verbs == {"path", "stage", "give_back", "record", "findings", "copy_out", "summary"}


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "weights.bin/", "./weights.bin", ""])
def test_refuses_to_write_a_manifest_that_no_reader_would_accept(bench, path):
    odd = replace(digests(MODEL)[0], path=path)
    with pytest.raises(EvaluationFailed, match="which is not inside the model"):
        bench.store.stage(bench.staged, manifest(files=(odd,)), SIGNATURE)
    assert bench.names() == []


def test_stores_versions_of_one_lifecycle_side_by_side(bench):
    for version in (1, 2):
        bench.store.stage(bench.staged, manifest(version), SIGNATURE)
    assert [bench.store.record("rain", "command", version).manifest.version for version in (1, 2)] == [1, 2]
