"""Model signatures: what the reference tool and OpenSSL accept, and much that only we refuse."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys

import pytest

from noa_mlops.evidence import (
    ECDSA_P256,
    PAYLOAD_TYPE,
    KeyInvalid,
    ModelSignatureInvalid,
    SigningKey,
    check_model,
    pae,
    sign_model,
)
from noa_mlops.records.dataset import FileDigest

MODEL = {"weights.bin": b"\x00\x01" * 300, "a/first.json": b"{}", "a-b.txt": b"rain\n", "größe.txt": b"", "Z": b"Z"}


def digests(files):
    return tuple(FileDigest(name, len(content), hashlib.sha256(content).hexdigest()) for name, content in files.items())


FILES = digests(MODEL)


@pytest.fixture(scope="module")
def key():
    return SigningKey.generate(ECDSA_P256)


@pytest.fixture(scope="module")
def signature(key):
    return sign_model("model", FILES, key)


def taken_apart(signature):
    """The bundle, and the statement in it."""
    bundle = json.loads(signature)
    return bundle, json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))


def signed_anew(key, change, kind=PAYLOAD_TYPE):
    """A bundle whose statement was changed before a genuine key signed it."""
    bundle, statement = taken_apart(sign_model("model", FILES, key))
    change(statement)
    payload = json.dumps(statement, separators=(",", ":"), ensure_ascii=False).encode()
    envelope = bundle["dsseEnvelope"]
    envelope["payload"] = base64.b64encode(payload).decode()
    envelope["signatures"][0]["sig"] = base64.b64encode(key.sign(pae(kind, payload))).decode()
    return json.dumps(bundle, separators=(",", ":")).encode()


def written(key, change):
    """A bundle that was changed around its signed statement."""
    bundle, _ = taken_apart(sign_model("model", FILES, key))
    change(bundle)
    return json.dumps(bundle, separators=(",", ":")).encode()


def test_accepts_what_it_signed_whatever_the_order_of_the_files(key, signature):
    check_model(signature, FILES, key.public)
    check_model(signature, FILES[::-1], SigningKey.generate(ECDSA_P256).public, key.public)


def test_is_a_bundle_with_exactly_the_members_of_the_format(key, signature):
    bundle, statement = taken_apart(signature)
    assert bundle["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    hint = hashlib.sha256(key.public.pem.encode()).hexdigest()
    assert bundle["verificationMaterial"] == {"publicKey": {"hint": hint}, "tlogEntries": []}
    assert bundle["dsseEnvelope"]["payloadType"] == "application/vnd.in-toto+json"
    assert [entry["keyid"] for entry in bundle["dsseEnvelope"]["signatures"]] == [""]
    names = ["Z", "a-b.txt", "a/first.json", "größe.txt", "weights.bin"]
    digest = {file.path: file.sha256 for file in FILES}
    root = hashlib.sha256(b"".join(bytes.fromhex(digest[name]) for name in names)).hexdigest()
    assert statement == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model", "digest": {"sha256": root}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": []},
            "resources": [{"name": name, "algorithm": "sha256", "digest": digest[name]} for name in names],
        },
    }


def test_openssl_verifies_the_signature_over_the_encoding(key, signature, tmp_path):
    envelope = json.loads(signature)["dsseEnvelope"]
    message = pae(PAYLOAD_TYPE, base64.b64decode(envelope["payload"]))
    der = base64.b64decode(envelope["signatures"][0]["sig"])
    for name, data in (("key.pem", key.public.pem.encode()), ("sig", der), ("pae", message), ("other", message + b" ")):
        (tmp_path / name).write_bytes(data)
    command = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "sig"]
    said = [
        subprocess.run([*command, name], cwd=tmp_path, capture_output=True, text=True, check=False).stdout.strip()
        for name in ("pae", "other")
    ]
    assert said == ["Verified OK", "Verification failure"]


@pytest.fixture
def folder(tmp_path, key, signature):
    """The model on disk, its signature and the public key beside it."""
    model = tmp_path / "model"
    for name, content in MODEL.items():
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_bytes(content)
    (tmp_path / "model.sig").write_bytes(signature)
    (tmp_path / "model.pub").write_text(key.public.pem)
    return model


def reference_tool(model, public="model.pub"):
    """What the OpenSSF's own tool makes of it: its exit status and its words."""
    command = [
        *(sys.executable, "-m", "model_signing", "verify", "key", "--public_key", public),
        *("--signature", "model.sig", "--no-ignore-git-paths", "model"),
    ]
    done = subprocess.run(command, cwd=model.parent, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_reference_tool_accepts_it(folder):
    assert reference_tool(folder) == (0, "Verification succeeded\n")


def test_the_reference_tool_accepts_it_when_all_its_names_are_nested(tmp_path, key, folder):
    files = digests(MODEL | {"a/b/c/d": b"deep"})
    (folder / "a/b/c").mkdir(parents=True)
    (folder / "a/b/c/d").write_bytes(b"deep")
    (tmp_path / "model.sig").write_bytes(sign_model("model", files, key))
    assert reference_tool(folder)[0] == 0


def append(model):
    with (model / "weights.bin").open("ab") as stream:
        stream.write(b"\0")


def plant_repository(model):
    (model / ".git").mkdir()
    (model / ".git" / "config").write_text("[core]\n")


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (append, "weights.bin"),
        (lambda model: (model / "extra.bin").write_bytes(b"extra"), "Extra files"),
        (lambda model: (model / "a-b.txt").unlink(), "Missing files"),
        (lambda model: (model / "link").symlink_to("Z"), "symlink"),
        (plant_repository, "Extra files"),
    ],
    ids=["byte appended", "file added", "file removed", "link added", "repository planted"],
)
def test_the_reference_tool_refuses_an_altered_model(folder, alter, said):
    alter(folder)
    status, words = reference_tool(folder)
    assert status == 1
    assert said in words


def test_the_reference_tool_refuses_another_key(folder):
    (folder.parent / "other.pub").write_text(SigningKey.generate(ECDSA_P256).public.pem)
    status, words = reference_tool(folder, "other.pub")
    assert status == 1
    assert "Key mismatch" in words


def test_finds_every_flipped_bit(key, signature):
    for place in range(len(signature)):
        for bit in range(8):
            flipped = signature[:place] + bytes([signature[place] ^ 1 << bit]) + signature[place + 1 :]
            with pytest.raises(ModelSignatureInvalid):
                check_model(flipped, FILES, key.public)


def test_finds_every_cut(key, signature):
    for length in range(len(signature)):
        with pytest.raises(ModelSignatureInvalid):
            check_model(signature[:length], FILES, key.public)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (digests(MODEL | {"Z": b"z"}), "is over another 'Z'"),
        (digests(MODEL | {"extra": b""}), "does not cover 'extra'"),
        (FILES[1:], "covers 'weights.bin', which is no file"),
        ((FileDigest("renamed", FILES[0].size, FILES[0].sha256), *FILES[1:]), "does not cover 'renamed'"),
    ],
)
def test_refuses_other_files_and_names_the_first(key, signature, files, said):
    with pytest.raises(ModelSignatureInvalid, match=said):
        check_model(signature, files, key.public)


def test_refuses_two_files_that_changed_their_names_though_the_root_digest_stays(key):
    """The root digest binds contents only in the order of the names."""
    one, two = digests({"a": b"1"}) + digests({"b": b"2"})
    with pytest.raises(ModelSignatureInvalid, match="which is no file of this model"):
        check_model(sign_model("model", (one, two), key), (one, FileDigest("c", two.size, two.sha256)), key.public)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["predicate"].update(verdict="pass"),
        lambda s: s.update(note="more"),
        lambda s: s["subject"].append(s["subject"][0]),
        lambda s: s["subject"][0]["digest"].update(sha512="0" * 128),
        lambda s: s["subject"][0]["digest"].update(sha256="0" * 64),
        lambda s: s["subject"][0].update(uri="https://example.org"),
        lambda s: s["predicate"]["resources"].append({"name": "zz", "algorithm": "sha256", "digest": "0" * 64}),
        lambda s: s["predicate"]["resources"].append(s["predicate"]["resources"][-1]),
        lambda s: s["predicate"]["resources"].reverse(),
        lambda s: s["predicate"]["resources"].pop(),
        lambda s: s["predicate"].update(resources=[]),
        lambda s: s["predicate"].update(resources={}),
        lambda s: s["predicate"]["resources"][0].update(algorithm="blake2b"),
        lambda s: s["predicate"]["resources"][0].update(digest=s["predicate"]["resources"][0]["digest"].upper()),
        lambda s: s["predicate"]["serialization"].update(method="shards", shard_size=1_000_000_000),
        lambda s: s["predicate"]["serialization"].update(hash_type="blake2b"),
        lambda s: s["predicate"]["serialization"].update(allow_symlinks=True),
        lambda s: s["predicate"]["serialization"].update(allow_symlinks=0),
        lambda s: s["predicate"]["serialization"].update(ignore_paths=[".git"]),
        lambda s: s["predicate"]["serialization"].pop("ignore_paths"),
        lambda s: s.update(predicateType="https://model_signing/Digests/v0.1"),
        lambda s: s.update(_type="https://in-toto.io/Statement/v0.1"),
        lambda s: s["subject"][0].update(name=7),
        lambda s: s.update(subject=[]),
    ],
)
def test_refuses_a_statement_of_another_form_though_the_key_signed_it(key, change):
    with pytest.raises(ModelSignatureInvalid):
        check_model(signed_anew(key, change), FILES, key.public)


def test_refuses_a_statement_that_was_signed_as_something_else(key):
    with pytest.raises(ModelSignatureInvalid, match="not that of its key"):
        check_model(signed_anew(key, lambda statement: None, kind="application/json"), FILES, key.public)


def material(bundle):
    return bundle["verificationMaterial"]


def envelope(bundle):
    return bundle["dsseEnvelope"]


def first(bundle):
    return bundle["dsseEnvelope"]["signatures"][0]


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b.update(mediaType="application/vnd.dev.sigstore.bundle+json;version=0.3"),
        lambda b: b.update(messageSignature={}),
        lambda b: b.pop("mediaType"),
        lambda b: material(b).update(tlogEntries=[{}]),
        lambda b: material(b).pop("tlogEntries"),
        lambda b: material(b).update(certificate={"rawBytes": ""}),
        lambda b: material(b)["publicKey"].update(hint=""),
        lambda b: material(b)["publicKey"].update(hint=material(b)["publicKey"]["hint"].upper()),
        lambda b: material(b)["publicKey"].update(rawBytes="AAAA"),
        lambda b: material(b).pop("publicKey"),
        lambda b: envelope(b).update(payloadType="application/json"),
        lambda b: envelope(b).update(payload=envelope(b)["payload"] + "\n"),
        lambda b: envelope(b).update(payload=envelope(b)["payload"].replace("=", "") + "A"),
        lambda b: envelope(b).update(payload=7),
        lambda b: envelope(b).update(signatures=[]),
        lambda b: envelope(b).update(signatures={"0": first(b)}),
        lambda b: envelope(b)["signatures"].append(first(b)),
        lambda b: first(b).update(keyid="a"),
        lambda b: first(b).pop("keyid"),
        lambda b: first(b).update(alg="none"),
        lambda b: first(b).update(sig=""),
        lambda b: first(b).update(sig=first(b)["sig"].replace("M", "-", 1)),
        lambda b: b.clear(),
    ],
)
def test_refuses_a_bundle_of_another_form(key, change):
    with pytest.raises(ModelSignatureInvalid):
        check_model(written(key, change), FILES, key.public)


def test_refuses_another_text_for_the_same_bundle(key, signature):
    bundle = json.loads(signature)
    for text in (json.dumps(bundle), json.dumps(bundle, indent=2), json.dumps(bundle, sort_keys=True)):
        with pytest.raises(ModelSignatureInvalid, match="another form"):
            check_model(text.encode(), FILES, key.public)
    for text in (signature + b"\n", b" " + signature, signature.replace(b"/", b"\\/")):
        with pytest.raises(ModelSignatureInvalid, match="another form"):
            check_model(text, FILES, key.public)
    twice = signature.replace(b'{"mediaType"', b'{"mediaType":"x","mediaType"', 1)
    with pytest.raises(ModelSignatureInvalid, match="twice"):
        check_model(twice, FILES, key.public)


@pytest.mark.parametrize("rewrite", ["long length", "extra zero", "trailing byte", "raw numbers"])
def test_refuses_a_signature_in_another_form_than_der(key, signature, rewrite):
    def change(bundle):
        der = base64.b64decode(first(bundle)["sig"])
        length = der[3]
        r = der[4 : 4 + length]
        rest = der[4 + length :]
        s = rest[2:]
        forms = {
            "long length": b"\x30\x81" + der[1:],
            "extra zero": bytes([0x30, der[1] + 1, 2, length + 1, 0]) + der[4:],
            "trailing byte": der + b"\0",
            "raw numbers": r.lstrip(b"\0").rjust(32, b"\0") + s.lstrip(b"\0").rjust(32, b"\0"),
        }
        first(bundle)["sig"] = base64.b64encode(forms[rewrite]).decode()

    with pytest.raises(ModelSignatureInvalid, match="not that of its key"):
        check_model(written(key, change), FILES, key.public)


def test_takes_no_key_from_the_bundle(key, signature):
    stranger = SigningKey.generate(ECDSA_P256)
    with pytest.raises(ModelSignatureInvalid, match="may not sign models"):
        check_model(sign_model("model", FILES, stranger), FILES, key.public)
    with pytest.raises(ModelSignatureInvalid, match="may not sign models"):
        check_model(signature, FILES)

    def claim(bundle):
        material(bundle)["publicKey"]["hint"] = hashlib.sha256(key.public.pem.encode()).hexdigest()

    with pytest.raises(ModelSignatureInvalid, match="not that of its key"):
        check_model(written(stranger, claim), FILES, key.public)


def test_takes_p_256_keys_only(signature):
    key = SigningKey.generate()
    with pytest.raises(KeyInvalid, match="ecdsa-sha2-nistp256"):
        sign_model("model", FILES, key)
    with pytest.raises(KeyInvalid, match="ecdsa-sha2-nistp256"):
        check_model(signature, FILES, key.public)


def test_signs_no_emptiness_and_no_file_twice(key):
    for files in ((), (FILES[0], FILES[0])):
        with pytest.raises(ModelSignatureInvalid, match="no files, or over one file twice"):
            sign_model("model", files, key)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b"\xff", b"{" * 100, b'{"dsseEnvelope":[]}'])
def test_refuses_what_is_no_bundle(key, data):
    with pytest.raises(ModelSignatureInvalid):
        check_model(data, FILES, key.public)
