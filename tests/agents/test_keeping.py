"""What a dead agent left is hashed once and durable; after a sealed one nothing can change it unseen."""

import os
import stat

import pytest

from noa_mlops.agents import freeze_output, keep_output, scan_output
from noa_mlops.errors import TrainingFailed
from noa_mlops.files import Identity

LIMIT = 1 << 30
FILES = {"model.bin": b"model" * 300_000, "parts/a": b"a", "parts/deep/b": b"b" * 700_000}


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o664)
    (folder / "parts" / "empty" / "inner").mkdir(parents=True)
    return folder


def modes(folder):
    return {stat.S_IMODE((folder / name).stat().st_mode) for name in FILES}


@pytest.mark.parametrize("keep", [keep_output, freeze_output])
def test_gives_the_digests_of_a_scan_and_the_identity_that_each_file_has(out, keep):
    kept = keep(out, LIMIT)
    assert kept.files == scan_output(out)
    assert kept.identities == {name: Identity.of((out / name).lstat()) for name in FILES}


def test_freezing_leaves_nothing_that_can_be_written_and_no_folder_without_files(out):
    freeze_output(out, LIMIT)
    assert modes(out) == {0o444}
    assert sorted(os.listdir(out / "parts")) == ["a", "deep"]
    assert freeze_output(out, LIMIT) == freeze_output(out, LIMIT)


def test_keeping_changes_nothing(out):
    keep_output(out, LIMIT)
    assert modes(out) == {0o664}
    assert (out / "parts" / "empty" / "inner").is_dir()


@pytest.mark.parametrize("keep", [keep_output, freeze_output])
def test_refuses_what_a_scan_refuses(out, keep):
    os.link(out / "model.bin", out / "twin")
    with pytest.raises(TrainingFailed, match="hard link"):
        keep(out, LIMIT)
    (out / "twin").unlink()
    with pytest.raises(TrainingFailed, match="larger than 1000 bytes"):
        keep(out, 1000)
