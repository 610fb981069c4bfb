"""Statements signed in place, checked by tools that know nothing of us."""

from __future__ import annotations

import base64
import json
import subprocess

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from noa_mlops.evidence import (
    ECDSA_P256,
    MAX_LINE,
    PAYLOAD_TYPE,
    KeyInvalid,
    SigningKey,
    StatementInvalid,
    envelope,
    load_public,
    load_signing,
    pae,
    sign_statement,
    split_line,
    verify_line,
)

STATEMENT = {
    "_type": "https://in-toto.io/Statement/v1",
    "noa_entry": {"v": 1, "type": "Submitted"},
    "predicateType": "noa:lifecycle/v1",
    "predicate": {"text": 'ends, "signatures": [ in "quotes"', "umlaut": "ä"},
    "subject": [{"digest": {"sha256": "0" * 64}}],
}


@pytest.fixture(scope="module")
def key():
    return SigningKey.generate()


@pytest.fixture(scope="module")
def line(key):
    return sign_statement(STATEMENT, key)


def test_a_line_is_the_statement_with_its_signature_as_last_member(line, key):
    document = json.loads(line)
    assert list(document) == [*STATEMENT, "signatures"]
    assert document["signatures"][0]["keyid"] == key.public.keyid
    del document["signatures"]
    assert json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode() == split_line(line).payload


def test_the_pre_authentication_encoding_is_the_one_of_the_dsse_specification():
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_securesystemslib_accepts_the_envelope_and_refuses_it_with_one_bit_changed(line, key):
    outside = SSlibKey.from_crypto(load_pem_public_key(key.public.pem.encode()))
    document = envelope(line)
    assert Envelope.from_dict(envelope(line)).verify([outside], 1)
    payload = bytearray(base64.b64decode(document["payload"]))
    payload[40] ^= 1
    with pytest.raises(VerificationError):
        Envelope.from_dict(document | {"payload": base64.b64encode(payload).decode()}).verify([outside], 1)


def test_openssl_verifies_the_signature_over_the_encoding(line, key, tmp_path):
    signed = split_line(line)
    for name, data in (
        ("key.pem", key.public.pem.encode()),
        ("pae", pae(PAYLOAD_TYPE, signed.payload)),
        ("sig", signed.signature),
    ):
        (tmp_path / name).write_bytes(data)
    command = [
        "openssl",
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        "key.pem",
        "-rawin",
        "-in",
        "pae",
        "-sigfile",
        "sig",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "Signature Verified Successfully")


@pytest.mark.parametrize("scheme", ["ed25519", ECDSA_P256])
def test_key_ids_are_those_that_securesystemslib_computes(scheme):
    public = SigningKey.generate(scheme).public
    outside = SSlibKey.from_crypto(load_pem_public_key(public.pem.encode()))
    assert (outside.keyid, outside.scheme) == (public.keyid, public.scheme)


@pytest.mark.parametrize("scheme", ["ed25519", ECDSA_P256])
def test_keys_survive_their_pem_and_verify_what_they_signed(scheme):
    key = SigningKey.generate(scheme)
    again, public = load_signing(key.private_pem()), load_public(key.public.pem)
    assert again.public == key.public == public
    assert public.verifies(again.sign(b"message"), b"message")
    assert not public.verifies(again.sign(b"message"), b"another")
    assert not public.verifies(b"", b"message")


def test_a_private_key_does_not_show_itself():
    key = SigningKey.generate()
    assert "PRIVATE" not in repr(key)
    assert key.private_pem().split(b"\n")[1].decode() not in repr(key)


@pytest.mark.parametrize("pem", ["", "nonsense", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_refuses_text_that_is_no_key(pem):
    with pytest.raises(KeyInvalid):
        load_public(pem)
    with pytest.raises(KeyInvalid):
        load_signing(pem.encode())


def test_refuses_a_second_text_for_the_same_key(key):
    with pytest.raises(KeyInvalid, match="as PEM usually is"):
        load_public(key.public.pem + "\n")


@pytest.mark.parametrize("curve", ["secp384r1", "secp521r1"])
def test_refuses_other_curves(curve, tmp_path):
    command = f"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:{curve}".split()
    pem = subprocess.run(command, capture_output=True, check=True).stdout
    with pytest.raises(KeyInvalid, match="not P-256"):
        load_signing(pem)


def test_every_flipped_bit_of_a_line_breaks_it(line, key):
    survivors = [
        (place, bit)
        for place in range(len(line))
        for bit in range(8)
        if verify_line(line[:place] + bytes([line[place] ^ 1 << bit]) + line[place + 1 :], key.public)
    ]
    # The key id is a hint: it is outside the signature, and a reader looks the key up by it instead.
    start = line.index(b'"keyid":"') + len(b'"keyid":"')
    assert all(start <= place < start + 64 for place, _ in survivors)


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line + b"\n",
        lambda line: line + b" ",
        lambda line: line[:-1],
        lambda line: line.replace(b'"signatures":[', b'"signatures": ['),
        lambda line: line[:-2] + b"," + line[line.rindex(b'{"keyid"') :],
        lambda line: line[: line.rindex(b',"signatures"')] + b',"signatures":[]}',
        lambda line: line.replace(b'"sig":"', b'"alg":"none","sig":"'),
        lambda line: line.replace(b'=="}', b'="}'),
        lambda line: b"",
    ],
)
def test_refuses_a_line_that_does_not_end_in_one_signature_in_its_one_form(line, change):
    with pytest.raises(StatementInvalid, match="one signature"):
        split_line(change(line))


def test_refuses_base64_that_says_the_same_in_another_way(line):
    place = line.rindex(b'=="')
    twin = line[: place - 1] + bytes([line[place - 1] + 1]) + line[place:]
    assert base64.b64decode(twin[-92:-4]) == base64.b64decode(line[-92:-4])
    with pytest.raises(StatementInvalid):
        split_line(twin)


def test_takes_the_signature_from_the_end_whatever_the_text_inside_says(key):
    inner = sign_statement(STATEMENT, SigningKey.generate()).decode()
    line = sign_statement(STATEMENT | {"predicate": {"inner": inner}}, key)
    assert verify_line(line, key.public)
    assert json.loads(split_line(line).payload)["predicate"]["inner"] == inner


def test_the_longest_line_has_65535_bytes(key):
    empty = len(sign_statement({"predicate": ""}, key))
    assert len(sign_statement({"predicate": "x" * (MAX_LINE - empty)}, key)) == MAX_LINE
    with pytest.raises(StatementInvalid, match="65535"):
        sign_statement({"predicate": "x" * (MAX_LINE - empty + 1)}, key)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", b"bytes", {1, 2}])
def test_signs_nothing_that_is_not_json(key, value):
    with pytest.raises(StatementInvalid, match="cannot be written"):
        sign_statement({"predicate": value}, key)
