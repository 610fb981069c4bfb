"""Every way in which a stored version can differ from what was promoted is found and named; nothing is changed."""

from __future__ import annotations

import json
import os

import pytest

from artifacts.conftest import MODEL, PREDICTIONS, digests, manifest
from noa_mlops.errors import ArtifactTampered, NotFound
from noa_mlops.records.documents import canonical, sha256
from noa_mlops.records.manifest import checksum


def findings(bench):
    return [f"{path} {reason}" for path, reason in bench.store.findings(bench.record)]


def finding(bench):
    """The one finding, with its folder cut off."""
    (reason,) = findings(bench)
    return reason.removeprefix(f"{bench.folder()}/")


def rewrite(path, content):
    path.chmod(0o644)
    path.write_bytes(content)


def rewritten_manifest(bench, change):
    """Put a changed manifest in place that agrees with itself."""
    path = bench.folder() / "manifest.json"
    document = json.loads(path.read_bytes())
    change(document)
    files = sorted(document["files"], key=lambda file: file["path"])
    document["checksum"] = sha256(canonical(files))
    rewrite(path, canonical(document) + b"\n")


def test_an_untouched_version_has_none(stored):
    assert findings(stored) == []


@pytest.mark.parametrize("name", MODEL)
def test_names_a_file_of_the_model_with_one_changed_byte(stored, name):
    path = stored.folder() / "model" / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    rewrite(path, bytes(content))
    assert finding(stored).startswith(f"model/{name} is not the recorded file: SHA-256 ")


def test_names_a_file_that_grew_without_reading_it(stored):
    path = stored.folder() / "model" / "weights.bin"
    path.chmod(0o644)
    os.truncate(path, 10 << 40)
    assert finding(stored) == f"model/weights.bin is not the recorded file: {10 << 40} bytes, recorded 600"


@pytest.mark.parametrize("name", ["model/parts/names.txt", "code/src/features.py"])
def test_names_a_file_that_is_missing(stored, name):
    (stored.folder() / name).unlink()
    assert finding(stored) == f"{name} is missing"


@pytest.mark.parametrize("name", ["extra.txt", "model/extra.bin", "model/parts/extra", "code/src/more.py", ".hidden"])
def test_names_a_file_that_was_added(stored, name):
    (stored.folder() / name).write_bytes(b"")
    assert finding(stored) == f"{name} is not in the manifest"


@pytest.mark.parametrize("name", ["empty", "model/empty", "model/parts/tree/empty"])
def test_names_an_empty_folder_that_was_added(stored, name):
    (stored.folder() / name).mkdir()
    assert finding(stored) == f"{name} is not in the manifest"


def test_names_an_added_folder_once_however_deep_it_is(stored):
    folder = stored.folder() / "model" / "deep"
    inner = folder
    for _ in range(300):
        inner /= "d"
    inner.mkdir(parents=True)
    assert finding(stored) == "model/deep is not in the manifest"


def test_names_a_link_in_the_place_of_a_file_and_does_not_follow_it(stored, tmp_path):
    path = stored.folder() / "model" / "weights.bin"
    same = tmp_path / "same.bin"
    same.write_bytes(MODEL["weights.bin"])
    path.unlink()
    path.symlink_to(same)
    assert "symbolic link" in finding(stored)


@pytest.mark.parametrize("name", ["model", "model/parts"])
def test_names_every_file_behind_a_link_in_the_place_of_a_folder(stored, tmp_path, name):
    folder = stored.folder() / name
    moved = tmp_path / "moved"
    folder.rename(moved)
    folder.symlink_to(moved)
    behind = [reason for reason in findings(stored) if "passes the symbolic link" in reason]
    assert len(behind) == sum(f"model/{path}".startswith(f"{name}/") for path in MODEL)


def test_names_a_pipe_in_the_place_of_a_file_without_waiting_for_it(stored):
    path = stored.folder() / "model" / "weights.bin"
    path.unlink()
    os.mkfifo(path)
    assert "is not a regular file" in finding(stored)


def test_names_everything_when_the_whole_model_is_gone(stored):
    for path in sorted((stored.folder() / "model").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (stored.folder() / "model").rmdir()
    assert sorted(findings(stored)) == sorted(f"{stored.folder()}/model/{name} is missing" for name in MODEL)


def test_says_which_predictions_are_there_now(stored):
    rewrite(stored.folder() / "predictions.parquet", PREDICTIONS + b"?")
    assert stored.store.record("rain", "command", 1).predictions_sha256 != stored.record.predictions_sha256


def test_says_that_the_predictions_are_gone(stored):
    (stored.folder() / "predictions.parquet").unlink()
    assert stored.store.record("rain", "command", 1).predictions_sha256 is None


@pytest.mark.parametrize(
    "path",
    [
        "../../../../../../secret",
        "../secret",
        "/etc/passwd",
        "parts/../../x",
        "./names",
        "parts//x",
        "a\0b",
        ".",
        "d/" * 70 + "x",
    ],
)
def test_refuses_a_manifest_whose_path_is_not_inside_the_model(stored, path):
    rewritten_manifest(stored, lambda document: document["files"][0].update(path=path))
    with pytest.raises(ArtifactTampered, match="not inside the model"):
        stored.store.record("rain", "command", 1)


def test_opens_nothing_outside_for_a_manifest_that_names_it(stored, tmp_path):
    """A pipe lies where the path leads: opening it to read would never return."""
    os.mkfifo(tmp_path / "secret")
    for path in (str(tmp_path / "secret"), os.path.relpath(tmp_path / "secret", stored.folder() / "model")):
        rewritten_manifest(stored, lambda document, path=path: document["files"][0].update(path=path))
        with pytest.raises(ArtifactTampered):
            stored.store.record("rain", "command", 1)


def test_refuses_a_manifest_that_names_a_file_twice(stored):
    rewritten_manifest(stored, lambda document: document["files"].append(document["files"][0]))
    with pytest.raises(ArtifactTampered, match="names a file twice"):
        stored.store.record("rain", "command", 1)


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"profile": "python"}, {"lifecycle_id": "snow"}, {"lifecycle_id": "../.."}]
)
def test_refuses_the_manifest_of_another_version(stored, change):
    rewritten_manifest(stored, lambda document: document.update(change))
    with pytest.raises(ArtifactTampered, match="is the manifest of another version"):
        stored.store.record("rain", "command", 1)


def test_every_flipped_byte_of_a_manifest_is_found(stored):
    """Either no manifest any more, or one with another digest than the signed one."""
    path = stored.folder() / "manifest.json"
    good = path.read_bytes()
    path.chmod(0o644)
    for place in range(len(good)):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1 << place % 8]) + good[place + 1 :])
        try:
            assert stored.store.record("rain", "command", 1).manifest_sha256 != stored.record.manifest_sha256
        except ArtifactTampered:
            continue


def test_every_single_flipped_bit_of_a_model_file_is_found(stored):
    path = stored.folder() / "model" / "parts" / "names.txt"
    path.chmod(0o644)
    good = MODEL["parts/names.txt"]
    for place in range(len(good)):
        for bit in range(8):
            path.write_bytes(good[:place] + bytes([good[place] ^ 1 << bit]) + good[place + 1 :])
            assert len(findings(stored)) == 1


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b"null", b"\xff", b"not json", b'{"a":1,"a":2}', b"[" * 100_000]
)
def test_refuses_what_is_no_manifest_at_all(stored, content):
    rewrite(stored.folder() / "manifest.json", content)
    with pytest.raises(ArtifactTampered, match=r"manifest\.json"):
        stored.store.record("rain", "command", 1)


def test_refuses_a_manifest_that_is_too_large_without_reading_it_all(stored):
    path = stored.folder() / "manifest.json"
    path.chmod(0o644)
    os.truncate(path, 1 << 40)
    with pytest.raises(ArtifactTampered, match="is larger than"):
        stored.store.record("rain", "command", 1)


def replace_by_link(path):
    moved = path.rename(path.with_name("moved"))
    path.symlink_to(moved)


def replace_by_pipe(path):
    path.unlink()
    os.mkfifo(path)


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("name", ["manifest.json", "predictions.parquet"])
@pytest.mark.parametrize("replace", [replace_by_link, replace_by_pipe, replace_by_folder])
def test_refuses_something_else_in_the_place_of_a_document(stored, name, replace):
    replace(stored.folder() / name)
    with pytest.raises(ArtifactTampered, match=f"{name} cannot be read"):
        stored.store.record("rain", "command", 1)


def test_refuses_a_version_behind_a_link(stored, tmp_path):
    stored.folder().rename(tmp_path / "moved")
    stored.folder().symlink_to(tmp_path / "moved")
    with pytest.raises(ArtifactTampered, match="passes the symbolic link"):
        stored.store.record("rain", "command", 1)


@pytest.mark.parametrize("version", [2, 999])
def test_says_that_a_version_is_not_in_the_store(stored, version):
    with pytest.raises(NotFound, match=f"rain@{version} is not in the store"):
        stored.store.record("rain", "command", version)


def test_the_checksum_is_over_the_files_and_over_nothing_else():
    later = manifest(created_at="2027-01-01T00:00:00.000Z", seed=8, files=tuple(reversed(digests(MODEL))))
    assert later.checksum == manifest().checksum == checksum(digests(MODEL))
    assert manifest(files=digests({**MODEL, "parts/names.txt": b"snow\n"})).checksum != manifest().checksum
    assert manifest(files=digests({"renamed": MODEL["weights.bin"]})).checksum != checksum(digests(MODEL))
