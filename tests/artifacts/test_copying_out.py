"""Whoever uses a copy uses what was checked: the digest is taken of the bytes that are written."""

from __future__ import annotations

import os

import pytest

from artifacts.conftest import CODE, MODEL
from noa_mlops.errors import ArtifactTampered


@pytest.fixture
def target(tmp_path):
    folder = tmp_path / "given"
    folder.mkdir()
    return folder


def test_copies_model_and_code_and_nothing_else(stored, target):
    stored.store.copy_out(stored.record, target)
    copied = {str(path.relative_to(target)): path.read_bytes() for path in target.rglob("*") if path.is_file()}
    model = {f"model/{name}": content for name, content in MODEL.items()}
    assert copied == model | {f"code/{name}": content for name, content in CODE.items()}


def test_a_copy_shares_no_inode_with_the_store_and_cannot_be_written(stored, target):
    stored.store.copy_out(stored.record, target)
    for path in (path for path in target.rglob("*") if path.is_file()):
        assert path.stat().st_ino != (stored.folder() / path.relative_to(target)).stat().st_ino
        assert path.stat().st_mode & 0o222 == 0


@pytest.mark.parametrize("name", ["model/weights.bin", "model/parts/names.txt", "code/src/features.py"])
@pytest.mark.parametrize("change", ["byte", "size", "missing", "link", "pipe"])
def test_refuses_a_file_that_is_not_the_recorded_one_and_names_it(stored, target, tmp_path, name, change):
    path = stored.folder() / name
    content = path.read_bytes()
    path.unlink()
    match change:
        case "byte":
            path.write_bytes(content[:-1] + b"?")
        case "size":
            path.touch()
            os.truncate(path, 10 << 40)
        case "link":
            (tmp_path / "same").write_bytes(content)
            path.symlink_to(tmp_path / "same")
        case "pipe":
            os.mkfifo(path)
    with pytest.raises(ArtifactTampered, match=name):
        stored.store.copy_out(stored.record, target)


def test_a_copy_that_cannot_be_written_is_no_alteration(stored, target):
    (target / "model").mkdir()
    with pytest.raises(FileExistsError):
        stored.store.copy_out(stored.record, target)
