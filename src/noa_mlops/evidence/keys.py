"""Keys: Ed25519 for all that we sign, ECDSA P-256 for model signatures only.

A key says which scheme it is; nothing is ever read from what a key verifies. Only one text form is accepted
for each key: the PEM that `cryptography` and OpenSSL write.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256

Scheme: TypeAlias = Literal["ed25519", "ecdsa-sha2-nistp256"]
"""A signature scheme, by its name in securesystemslib and TUF."""

ED25519: Final = "ed25519"
ECDSA_P256: Final = "ecdsa-sha2-nistp256"


class KeyInvalid(ValueError):
    """Text that is no acceptable key; the message says why."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that verifies; ``keyid`` is the SHA-256, in hex, that securesystemslib computes for it."""

    scheme: Scheme
    keyid: str
    pem: str
    _key: Ed25519PublicKey | EllipticCurvePublicKey = field(repr=False, compare=False)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether ``signature`` is this key's over ``message``; ECDSA signatures are in DER, over SHA-256."""
        try:
            if isinstance(self._key, Ed25519PublicKey):
                self._key.verify(signature, message)
            else:
                self._key.verify(signature, message, ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True

    def raw(self) -> bytes:
        """The 32 bytes of an Ed25519 key. Raises `KeyInvalid` for another."""
        if not isinstance(self._key, Ed25519PublicKey):
            raise KeyInvalid("is not an Ed25519 key")
        return self._key.public_bytes_raw()


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs, and its public half."""

    public: PublicKey
    _key: Ed25519PrivateKey | EllipticCurvePrivateKey | Callable[[bytes], bytes] = field(repr=False, compare=False)

    @classmethod
    def generate(cls, scheme: Scheme = ED25519) -> SigningKey:
        """A new key from the operating system's randomness."""
        return _signing(Ed25519PrivateKey.generate() if scheme == ED25519 else generate_private_key(SECP256R1()))

    @classmethod
    def external(cls, public: PublicKey, ask: Callable[[bytes], bytes]) -> SigningKey:
        """A key that somebody else holds: ``ask`` gets the message and gives the signature, which is then verified."""
        return cls(public, ask)

    def sign(self, message: bytes) -> bytes:
        """The signature over ``message``: 64 bytes for Ed25519, DER for ECDSA.

        Raises `KeyInvalid` when an external key gives something else.
        """
        if isinstance(self._key, Ed25519PrivateKey):
            return self._key.sign(message)
        if isinstance(self._key, EllipticCurvePrivateKey):
            return self._key.sign(message, ECDSA(SHA256()))
        signature = self._key(message)
        if not self.public.verifies(signature, message):
            raise KeyInvalid("was asked to sign and gave no signature of its own")
        return signature

    def private_pem(self, passphrase: bytes | None = None) -> bytes:
        """The private key as PKCS #8 PEM, encrypted when a passphrase is given. Raises `KeyInvalid` for an external one."""
        if not isinstance(self._key, Ed25519PrivateKey | EllipticCurvePrivateKey):
            raise KeyInvalid("is held by somebody else")
        lock: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase is not None:
            lock = serialization.BestAvailableEncryption(passphrase)
        return self._key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)


def is_locked(pem: bytes) -> bool:
    """Whether a private key is encrypted by a passphrase."""
    return pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")


def load_signing(pem: bytes, passphrase: bytes | None = None) -> SigningKey:
    """A private key from PEM, encrypted only when a passphrase is given. Raises `KeyInvalid`."""
    try:
        key = serialization.load_pem_private_key(pem, password=passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        kind = "an unencrypted private key in PEM" if passphrase is None else "a private key that this passphrase opens"
        raise KeyInvalid(f"is not {kind}") from error
    if not isinstance(key, Ed25519PrivateKey | EllipticCurvePrivateKey):
        raise KeyInvalid("is neither an Ed25519 nor a P-256 key")
    return _signing(key)


@functools.lru_cache(maxsize=256)
def load_public(pem: str) -> PublicKey:
    """A public key from its PEM (SubjectPublicKeyInfo). Raises `KeyInvalid`."""
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyInvalid("is not a public key in PEM") from error
    if not isinstance(key, Ed25519PublicKey | EllipticCurvePublicKey):
        raise KeyInvalid("is neither an Ed25519 nor a P-256 key")
    public = _public(key)
    if public.pem != pem:
        raise KeyInvalid("is not written as PEM usually is")
    return public


def _signing(key: Ed25519PrivateKey | EllipticCurvePrivateKey) -> SigningKey:
    return SigningKey(_public(key.public_key()), key)


def _public(key: Ed25519PublicKey | EllipticCurvePublicKey) -> PublicKey:
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    if isinstance(key, Ed25519PublicKey):
        return PublicKey(ED25519, _keyid("ed25519", ED25519, key.public_bytes_raw().hex()), pem, key)
    if not isinstance(key.curve, SECP256R1):
        raise KeyInvalid(f"is on the curve {key.curve.name}, not P-256")
    return PublicKey(ECDSA_P256, _keyid("ecdsa", ECDSA_P256, pem), pem, key)


def _keyid(keytype: str, scheme: Scheme, public: str) -> str:
    """SHA-256 over OLPC canonical JSON, as securesystemslib does: line breaks stay as they are."""
    document = {"keytype": keytype, "keyval": {"public": public}, "scheme": scheme}
    text = json.dumps(document, sort_keys=True, separators=(",", ":")).replace("\\n", "\n")
    return hashlib.sha256(text.encode()).hexdigest()
