"""Signed notes: the vector of the Go implementation, and everything a reader must refuse."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from noa_mlops.evidence import (
    LogCheckpoint,
    NoteInvalid,
    SigningKey,
    leaf_hash,
    load_public,
    open_note,
    parse_checkpoint,
    sign_checkpoint,
    sign_note,
)

ORIGIN = "demo/" + "ab" * 32

GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    b"If you think cryptography is the answer to your problem,\n"
    b"then you don't know what your problem is.\n"
    b"\n"
    b"\xe2\x80\x94 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
"""The example of golang.org/x/mod/sumdb/note."""


def key_of(vkey):
    raw = base64.b64decode(vkey.split("+", 2)[2])[1:]
    pem = Ed25519PublicKey.from_public_bytes(raw).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return load_public(pem.decode())


@pytest.fixture(scope="module")
def key():
    return SigningKey.generate()


@pytest.fixture(scope="module")
def head():
    return LogCheckpoint(ORIGIN, 418, leaf_hash(b"root"))


def test_opens_the_note_of_the_go_implementation():
    text = open_note(GO_NOTE, "PeterNeumann", [key_of(GO_VKEY)])
    assert text.startswith("If you think")
    assert text.endswith("problem is.\n")


def test_a_checkpoint_comes_back_as_it_was_signed(key, head):
    data = sign_checkpoint(head, key)
    assert data.decode().split("\n")[:3] == [ORIGIN, "418", base64.b64encode(head.root).decode()]
    assert parse_checkpoint(data, ORIGIN, [SigningKey.generate().public, key.public]) == head


def test_every_flipped_bit_of_a_checkpoint_is_found(key, head):
    data = sign_checkpoint(head, key)
    for place in range(len(data)):
        for bit in range(8):
            with pytest.raises(NoteInvalid):
                parse_checkpoint(
                    data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :], ORIGIN, [key.public]
                )


def test_passes_over_unknown_signatures_but_needs_a_known_one(key, head):
    other = SigningKey.generate()
    mine, theirs = sign_checkpoint(head, key), sign_checkpoint(head, other)
    both = theirs + mine[len(head.text()) + 1 :]
    assert parse_checkpoint(both, ORIGIN, [key.public]) == head
    with pytest.raises(NoteInvalid, match="by a known key"):
        parse_checkpoint(theirs, ORIGIN, [key.public])
    with pytest.raises(NoteInvalid, match="by a known key"):
        parse_checkpoint(mine, ORIGIN, [])


def test_a_wrong_signature_of_a_known_key_refuses_the_note_though_another_is_right(key, head):
    other = SigningKey.generate()
    wrong = sign_checkpoint(LogCheckpoint(ORIGIN, 417, head.root), other)
    mixed = sign_checkpoint(head, key) + wrong[len(head.text()) + 1 :]
    with pytest.raises(NoteInvalid, match="wrong signature"):
        parse_checkpoint(mixed, ORIGIN, [key.public, other.public])


def test_refuses_the_checkpoint_of_another_log(key, head):
    with pytest.raises(NoteInvalid):
        parse_checkpoint(sign_checkpoint(head, key), "other/" + "ab" * 32, [key.public])


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n007\n{'A' * 43}=\n",
        f"{ORIGIN}\n-1\n{'A' * 43}=\n",
        f"{ORIGIN}\n1\n{'A' * 42}==\n",
        f"{ORIGIN}\n1\n{'A' * 42}B=\n",
        f"{ORIGIN}\n1\n",
        f"{ORIGIN}\n1\n{'A' * 43}=\nextension\n",
        f"other\n1\n{'A' * 43}=\n",
    ],
)
def test_refuses_a_checkpoint_in_any_form_but_its_one(key, text):
    with pytest.raises(NoteInvalid):
        parse_checkpoint(sign_note(text, ORIGIN, key), ORIGIN, [key.public])


@pytest.mark.parametrize("text", ["", "no newline", "bell\x07\n", "tab\t\n", "return\r\n"])
def test_signs_no_text_that_readers_refuse(key, text):
    with pytest.raises(NoteInvalid):
        sign_note(text, ORIGIN, key)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb"])
def test_signs_under_no_name_that_readers_refuse(key, name):
    with pytest.raises(NoteInvalid, match="under the name"):
        sign_note("text\n", name, key)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: data + b"\n",
        lambda data: data.replace(b"\n\n", b"\n"),
        lambda data: data.replace("—".encode(), b"-"),
        lambda data: data + "— someone else\n".encode(),
        lambda data: data + "— someone QQ==\n".encode(),
        lambda data: data + "— someone QUJDREVG\n".encode() * 100,
        lambda data: b"\xff" + data,
        lambda data: b"x" * 70_000 + data,
    ],
)
def test_refuses_a_note_that_is_not_well_formed(key, head, change):
    with pytest.raises(NoteInvalid):
        open_note(change(sign_checkpoint(head, key)), ORIGIN, [key.public])


@given(st.binary(max_size=200))
def test_no_bytes_make_it_do_anything_but_refuse(data):
    with pytest.raises(NoteInvalid):
        open_note(data, ORIGIN, [])
