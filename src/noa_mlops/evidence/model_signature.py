"""Model signatures: OpenSSF Model Signing v1.0, with an ECDSA P-256 key (github.com/ossf/model-signing-spec).

A ``model.sig`` is a Sigstore bundle around a DSSE envelope around an in-toto statement that lists every file of a
model with its SHA-256, so tools that know nothing of this package check a model with the public key alone.

`check_model` is narrower than they are. One key and one list of files have one signature text: whatever differs from
that text in anything but the signature itself, and the model's name, is refused, and so nothing in a bundle is obeyed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from noa_mlops.evidence.dsse import PAYLOAD_TYPE, pae
from noa_mlops.evidence.keys import ECDSA_P256, KeyInvalid, PublicKey, SigningKey
from noa_mlops.evidence.statement import STATEMENT_TYPE
from noa_mlops.records.dataset import FileDigest
from noa_mlops.records.documents import compact, parse_object, sha256
from noa_mlops.records.manifest import MAX_SIGNATURE

MODEL_SIGNATURE_TYPE = "https://model_signing/signature/v1.0"
"""The predicate type of a model signature."""

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
"""The media type of the Sigstore bundle around it."""

_SERIALIZATION = {"method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": []}
"""Whole files, each by its SHA-256; a link is refused and no path is left out, ``.git`` included."""


class ModelSignatureInvalid(ValueError):
    """Bytes that are no signature of these files by a known key; the message says why."""


def sign_model(name: str, files: Sequence[FileDigest], key: SigningKey) -> bytes:
    """The bundle over ``files``, whose paths are relative to the model's folder; ``name`` is for people only.

    Raises `KeyInvalid` unless ``key`` is a P-256 key, `ModelSignatureInvalid` for no files or one file twice.
    """
    _check_scheme(key.public)
    payload = _statement(name, files)
    return _bundle(payload, key.sign(pae(PAYLOAD_TYPE, payload)), key.public)


def check_model(data: bytes, files: Sequence[FileDigest], *keys: PublicKey) -> None:
    """Raise `ModelSignatureInvalid` unless ``data`` is a signature of exactly ``files`` by one of ``keys``.

    ``keys`` come from whom the caller trusts; the bundle only says which of them to try. Raises `KeyInvalid` for
    one that is no P-256 key.
    """
    for trusted in keys:
        _check_scheme(trusted)
    signed = _take_apart(data)
    key = next((key for key in keys if _hint(key) == signed.hint), None)
    if key is None:
        raise ModelSignatureInvalid("is by a key that may not sign models here")
    if signed.payload != _statement(signed.name, files):
        raise ModelSignatureInvalid(_difference(signed.payload, files))
    if data != _bundle(signed.payload, signed.signature, key):
        raise ModelSignatureInvalid("has other members, or in another form, than a model signature has")
    if not _is_der(signed.signature) or not key.verifies(signed.signature, pae(PAYLOAD_TYPE, signed.payload)):
        raise ModelSignatureInvalid("has a signature that is not that of its key over its content")


class _Signed(NamedTuple):
    """What a bundle says, not yet believed."""

    payload: bytes
    signature: bytes
    name: str
    hint: str


def _take_apart(data: bytes) -> _Signed:
    try:
        bundle = parse_object(data, limit=MAX_SIGNATURE)
        envelope, hint = bundle["dsseEnvelope"], bundle["verificationMaterial"]["publicKey"]["hint"]
        payload, signature = _decode(envelope["payload"]), _decode(envelope["signatures"][0]["sig"])
        name = parse_object(payload, limit=MAX_SIGNATURE)["subject"][0]["name"]
    except (LookupError, TypeError) as error:
        raise ModelSignatureInvalid("lacks a member that a model signature has") from error
    except ValueError as error:
        raise ModelSignatureInvalid(str(error)) from error
    if not isinstance(name, str):
        raise ModelSignatureInvalid("has a subject without a name")
    return _Signed(payload, signature, name, hint)


def _statement(name: str, files: Sequence[FileDigest]) -> bytes:
    """The in-toto statement: the files in the order of their names, by code point."""
    ordered = sorted(files, key=lambda file: file.path)
    if not ordered or len({file.path for file in ordered}) != len(ordered):
        raise ModelSignatureInvalid("would be over no files, or over one file twice")
    root = hashlib.sha256(b"".join(bytes.fromhex(file.sha256) for file in ordered)).hexdigest()
    resources = [{"name": file.path, "algorithm": "sha256", "digest": file.sha256} for file in ordered]
    return compact(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": name, "digest": {"sha256": root}}],
            "predicateType": MODEL_SIGNATURE_TYPE,
            "predicate": {"serialization": _SERIALIZATION, "resources": resources},
        }
    )


def _bundle(payload: bytes, signature: bytes, key: PublicKey) -> bytes:
    return compact(
        {
            "mediaType": BUNDLE_TYPE,
            "verificationMaterial": {"publicKey": {"hint": _hint(key)}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": base64.b64encode(payload).decode(),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
            },
        }
    )


def _hint(key: PublicKey) -> str:
    """How a bundle names its key: SHA-256, in hex, of the PEM text with its last newline."""
    return sha256(key.pem.encode())


def _check_scheme(key: PublicKey) -> None:
    if key.scheme != ECDSA_P256:
        raise KeyInvalid(f"is an {key.scheme} key; model signatures take {ECDSA_P256}")


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("holds text that is not base64") from error


def _is_der(signature: bytes) -> bool:
    """Whether an ECDSA signature is in the one DER form of its two numbers."""
    try:
        return encode_dss_signature(*decode_dss_signature(signature)) == signature
    except ValueError:
        return False


def _difference(payload: bytes, files: Sequence[FileDigest]) -> str:
    """What makes a signed statement another one than that over ``files``: a file, where it is one."""
    wanted, signed = {file.path: file.sha256 for file in files}, _resources(payload)
    for path in sorted(wanted.keys() | signed.keys()):
        if path not in signed:
            return f"does not cover {path!r:.200}"
        if path not in wanted:
            return f"covers {path!r:.200}, which is no file of this model"
        if signed[path] != wanted[path]:
            return f"is over another {path!r:.200}"
    return "says something else than that each of these files has its SHA-256"


def _resources(payload: bytes) -> dict[str, object]:
    """The files that a statement lists, by name; none when it lists them in a form of its own."""
    try:
        rows = parse_object(payload, limit=MAX_SIGNATURE)["predicate"]["resources"]
        return {str(row["name"]): row["digest"] for row in rows}
    except (LookupError, TypeError):
        return {}
