"""The manifest: one document for one version, read back only when every byte of it means what it says."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from artifacts.conftest import MODEL, digests, manifest
from noa_mlops.records.documents import canonical, sha256
from noa_mlops.records.manifest import MAX_BYTES, Manifest, checksum, file_list

STORED = {
    *("schema", "lifecycle_id", "profile", "version", "artifact", "files", "checksum", "created_at", "plan_digest"),
    *("dataset", "evaluation", "agents", "environment", "seed", "predict", "code_bearing", "code"),
}


def changed(**members):
    """The stored document with some members changed; None removes one."""
    document = {**json.loads(manifest().to_bytes()), **members}
    return canonical({name: value for name, value in document.items() if value != "remove"}) + b"\n"


def test_reads_back_what_it_wrote():
    written = manifest()
    assert Manifest.from_bytes(written.to_bytes()) == written
    assert Manifest.from_bytes(manifest(evaluation=None, code=()).to_bytes()).evaluation is None


def test_the_same_manifest_always_has_the_same_bytes():
    reordered = manifest(environment={"packages": {}, "python": "3.11.7"})
    assert reordered.to_bytes() == manifest().to_bytes()


def test_stores_every_member_that_the_format_names():
    assert set(json.loads(manifest().to_bytes())) == STORED
    assert {field.name for field in fields(Manifest)} == STORED - {"schema", "checksum"}


def test_its_checksum_is_the_digest_of_the_canonical_file_list():
    rows = [{"path": file.path, "size": file.size, "sha256": file.sha256} for file in digests(MODEL)]
    assert json.loads(file_list(reversed(digests(MODEL)))) == rows
    assert manifest().checksum == checksum(digests(MODEL)) == sha256(canonical(rows))


def test_every_single_flipped_bit_is_refused_or_gives_another_manifest():
    good = manifest().to_bytes()
    accepted = []
    for place in range(len(good)):
        for bit in range(8):
            flipped = good[:place] + bytes([good[place] ^ 1 << bit]) + good[place + 1 :]
            try:
                accepted.append(Manifest.from_bytes(flipped))
            except ValueError:
                continue
    assert len(good) * 8 > 8_000
    assert manifest() not in accepted


@pytest.mark.parametrize("name", sorted(STORED))
def test_refuses_a_document_without_one_of_its_members(name):
    with pytest.raises(ValueError, match=r"missing or unknown members|not a manifest of the form|contradicts itself"):
        Manifest.from_bytes(changed(**{name: "remove"}))


def test_refuses_a_member_that_it_does_not_know():
    with pytest.raises(ValueError, match="missing or unknown members: approved"):
        Manifest.from_bytes(changed(approved=True))


@pytest.mark.parametrize("schema", ["noa:manifest/v2", "", 1, None])
def test_refuses_another_form_than_its_own(schema):
    with pytest.raises(ValueError, match="is not a manifest of the form"):
        Manifest.from_bytes(changed(schema=schema))


@pytest.mark.parametrize("wrong", [None, 1, True, 1.5, "1", [], {}, [1], {"a": 1}])
@pytest.mark.parametrize("name", sorted(STORED - {"schema"}))
def test_refuses_or_rereads_alike_a_member_of_another_kind(name, wrong):
    """Whatever stands there, the answer is a manifest that says exactly that, or a `ValueError`."""
    data = changed(**{name: wrong})
    try:
        assert Manifest.from_bytes(data).to_bytes() == data
    except ValueError:
        return


@pytest.mark.parametrize(
    "file",
    [
        *(1, None, "x", [], {}),
        {"path": "a", "size": 1},
        {"path": "a", "size": 1, "sha256": "b" * 64, "mode": 420},
        {"path": 1, "size": 1, "sha256": "b" * 64},
        {"path": "a", "size": -1, "sha256": "b" * 64},
        {"path": "a", "size": True, "sha256": "b" * 64},
        {"path": "a", "size": "1", "sha256": "b" * 64},
        {"path": "a", "size": 1, "sha256": "B" * 64},
        {"path": "a", "size": 1, "sha256": None},
        {"path": "../a", "size": 1, "sha256": "b" * 64},
    ],
)
@pytest.mark.parametrize("name", ["files", "code"])
def test_refuses_a_file_that_is_none(name, file):
    with pytest.raises(ValueError, match=f"in {name}|for 'a'"):
        Manifest.from_bytes(changed(**{name: [file]}))


def test_refuses_the_right_members_in_another_form():
    document = json.loads(manifest().to_bytes())
    for data in (json.dumps(document).encode(), manifest().to_bytes() + b"\n", manifest().to_bytes()[:-1]):
        with pytest.raises(ValueError, match="contradicts itself"):
            Manifest.from_bytes(data)


def test_refuses_a_checksum_that_is_not_that_of_its_files():
    with pytest.raises(ValueError, match="contradicts itself"):
        Manifest.from_bytes(changed(checksum="d" * 64))


def test_refuses_more_bytes_than_it_reads():
    with pytest.raises(ValueError, match="is larger than"):
        Manifest.from_bytes(b" " * (MAX_BYTES + 1))
