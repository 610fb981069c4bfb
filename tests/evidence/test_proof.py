"""Proof files of single entries, and the paths of many entries from one pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noa_mlops.evidence import (
    Inclusion,
    LogCheckpoint,
    NoteInvalid,
    ProofInvalid,
    SigningKey,
    check_proof,
    leaf_hash,
    prove_all,
    prove_inclusion,
    read_inclusion,
    read_proof,
    root_of,
    sign_checkpoint,
    write_proof,
)

ENTRIES = [b"entry %d" % number for number in range(11)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
ORIGIN = "demo/0123"
KEY = SigningKey.generate()
NOTE = sign_checkpoint(LogCheckpoint(ORIGIN, len(LEAVES), root_of(LEAVES)), KEY)


def proof_of(index):
    return write_proof(Inclusion(index, prove_inclusion(index, LEAVES)), NOTE)


def replaced(old, new):
    data = proof_of(5)
    assert data.count(old) >= 1
    return data.replace(old, new, 1)


def test_a_proof_file_has_the_lines_of_the_specification():
    lines = proof_of(10).decode().split("\n")
    assert lines[:2] == ["c2sp.org/tlog-proof@v1", "index 10"]
    assert lines[2:5] == [*(line for line in lines[2:4]), ""]
    assert "\n".join(lines[5:]).encode() == NOTE


@pytest.mark.parametrize("index", range(len(ENTRIES)))
def test_a_proof_file_shows_its_entry_in_the_log_and_no_other(index):
    data = proof_of(index)
    assert check_proof(data, ENTRIES[index], ORIGIN, [KEY.public]).size == len(ENTRIES)
    with pytest.raises(ProofInvalid, match="does not lead"):
        check_proof(data, ENTRIES[index - 1], ORIGIN, [KEY.public])


def test_what_is_read_is_what_was_written():
    inclusion, note = read_proof(proof_of(3))
    assert (inclusion, note) == (Inclusion(3, prove_inclusion(3, LEAVES)), NOTE)


def test_extra_data_is_passed_over():
    extra = proof_of(3).replace(b"\nindex", b"\nextra c29tZXRoaW5n\nindex", 1)
    assert read_proof(extra) == read_proof(proof_of(3))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (replaced(b"@v1", b"@v2"), "does not begin"),
        (replaced(b"index 5", b"index 05"), "place of its entry"),
        (replaced(b"index 5", b"index  5"), "place of its entry"),
        (replaced(b"index 5", b"index -5"), "place of its entry"),
        (replaced(b"index 5\n", b""), "place of its entry"),
        (replaced(b"index", b"extra ?\nindex"), "not base64"),
        (replaced(b"index 5\n", b"index 5\nAAAA\n"), "no SHA-256"),
        (replaced(b"index 5\n", b"index 5\n" + b"A" * 42 + b"B=\n"), "not canonical"),
        (replaced(b"index 5\n", b"index 5\n" + (b"A" * 43 + b"=\n") * 60), "more than 63"),
        (replaced(b"index 5\n", b"index 5\r\n"), "place of its entry"),
        (replaced(b"index 5\n", "index 5\nä\n".encode()), "ASCII"),
        (proof_of(5)[: proof_of(5).index(b"\n\n")], "no checkpoint"),
    ],
)
def test_a_proof_file_in_any_other_form_is_refused(data, reason):
    with pytest.raises(ProofInvalid, match=reason):
        read_proof(data)


def test_a_checkpoint_of_another_key_or_log_vouches_for_nothing():
    with pytest.raises(NoteInvalid):
        check_proof(proof_of(5), ENTRIES[5], ORIGIN, [SigningKey.generate().public])
    with pytest.raises(NoteInvalid):
        check_proof(proof_of(5), ENTRIES[5], "demo/4567", [KEY.public])


def test_any_one_bit_changed_is_found():
    data = proof_of(5)
    for place in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises((ProofInvalid, NoteInvalid)):
            check_proof(bytes(flipped), ENTRIES[5], ORIGIN, [KEY.public])


def test_an_inclusion_is_read_from_whole_lines_only():
    with pytest.raises(ProofInvalid):
        read_inclusion("index 5")


@given(st.integers(1, 80), st.data())
def test_one_pass_gives_the_same_paths_as_a_tree_in_memory(size, data):
    leaves = [leaf_hash(bytes([number])) for number in range(size)]
    wanted = data.draw(st.sets(st.integers(0, size - 1)))
    proofs = prove_all(wanted, size, iter([*leaves, leaf_hash(b"beyond")]))
    assert proofs == {index: Inclusion(index, prove_inclusion(index, leaves)) for index in wanted}


def test_refuses_to_prove_beyond_the_leaves():
    with pytest.raises(IndexError, match="leaf 3"):
        prove_all([3], 3, LEAVES)
    with pytest.raises(IndexError, match="11 leaves, not 12"):
        prove_all([3], 12, LEAVES)
