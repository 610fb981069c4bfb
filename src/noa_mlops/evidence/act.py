"""Acts: what people decide, each in a DSSE envelope of its own that can be signed far from the log.

The payload has one form and says which log it is for, what it decides about what, and which entry it answers. So it
can be carried to no other log, no other object and no later moment. It has a payload type of its own: nothing signed
as an act passes for a line of the log, nor the other way round.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from noa_mlops.evidence.dsse import pae
from noa_mlops.evidence.keys import PublicKey, SigningKey
from noa_mlops.records.documents import DocumentInvalid, compact, is_digest, parse_object

ACT_TYPE = "application/vnd.noa.act.v1+json"
"""The payload type of an act."""

MAX_ACT = 1 << 14
"""Longest payload, in bytes."""
MAX_SIGNERS = 32
"""Most signatures on one act."""

_MEMBERS = ["origin", "act", "scope", "reason", "expires", "answers"]


class ActInvalid(ValueError):
    """A document that is no act in its one form; the message says why."""


@dataclass(frozen=True, slots=True)
class Act:
    """A decision: in which log (``origin``), what (``act``) about what (``scope``), and in answer to which entry.

    ``answers`` is the leaf hash of that entry in hex; ``reason`` the SHA-256 of an object that holds it, ``expires`` the
    time (RFC 3339, UTC) after which it may not be recorded any more; both may be None.
    """

    origin: str
    act: str
    scope: Mapping[str, Any]
    answers: str
    reason: str | None = None
    expires: str | None = None

    def payload(self) -> bytes:
        """The bytes that are signed."""
        values = (self.origin, self.act, dict(self.scope), self.reason, self.expires, self.answers)
        return compact(dict(zip(_MEMBERS, values, strict=True)))


@dataclass(frozen=True, slots=True)
class SignedAct:
    """An act and who is said to have signed it: key id and signature, sorted by key id, each key once."""

    act: Act
    signatures: tuple[tuple[str, bytes], ...] = ()

    @property
    def signers(self) -> frozenset[str]:
        """The key ids named; nothing is verified by naming them."""
        return frozenset(keyid for keyid, _ in self.signatures)

    def signed_by(self, key: SigningKey) -> SignedAct:
        """With the signature of ``key``."""
        added = {**dict(self.signatures), key.public.keyid: key.sign(pae(ACT_TYPE, self.act.payload()))}
        return SignedAct(self.act, tuple(sorted(added.items())))

    def verifies(self, keys: Mapping[str, PublicKey]) -> bool:
        """Whether there is a signature, and each is that of the key in ``keys`` that it names."""
        message = pae(ACT_TYPE, self.act.payload())
        return bool(self.signatures) and all(
            keyid in keys and keys[keyid].verifies(signature, message) for keyid, signature in self.signatures
        )

    def envelope(self) -> dict[str, Any]:
        """The DSSE envelope."""
        return {
            "payload": base64.b64encode(self.act.payload()).decode(),
            "payloadType": ACT_TYPE,
            "signatures": [
                {"keyid": keyid, "sig": base64.b64encode(signature).decode()} for keyid, signature in self.signatures
            ],
        }


def read_act(envelope: object) -> SignedAct:
    """The act in a DSSE envelope, its signatures not checked. Raises `ActInvalid` for any form but the one."""
    if not isinstance(envelope, dict) or list(envelope) != ["payload", "payloadType", "signatures"]:
        raise ActInvalid("is no envelope")
    if envelope["payloadType"] != ACT_TYPE:
        raise ActInvalid("has a payload type that is not known to this version")
    payload = _decoded(envelope["payload"])
    signatures = envelope["signatures"]
    if not isinstance(signatures, list) or len(signatures) > MAX_SIGNERS:
        raise ActInvalid("has no list of signatures, or too many")
    signed = SignedAct(_act(payload), tuple(_signature(signature) for signature in signatures))
    keyids = [keyid for keyid, _ in signed.signatures]
    if keyids != sorted(set(keyids)):
        raise ActInvalid("has signatures out of order, or two of one key")
    if signed.act.payload() != payload:
        raise ActInvalid("is not written in its one form")
    return signed


def _act(payload: bytes) -> Act:
    try:
        fields = parse_object(payload, limit=MAX_ACT)
    except DocumentInvalid as error:
        raise ActInvalid(str(error)) from error
    if list(fields) != _MEMBERS:
        raise ActInvalid("does not have the members of an act, in their order")
    texts = (fields["origin"], fields["act"])
    optional = (fields["reason"], fields["expires"])
    if not all(isinstance(text, str) for text in texts) or not isinstance(fields["scope"], dict):
        raise ActInvalid("does not say what it decides about what")
    if not all(text is None or isinstance(text, str) for text in optional) or not is_digest(fields["answers"]):
        raise ActInvalid("does not say what it answers")
    return Act(**fields)


def _signature(value: object) -> tuple[str, bytes]:
    if not isinstance(value, dict) or list(value) != ["keyid", "sig"] or not is_digest(value["keyid"]):
        raise ActInvalid("has a signature of another form")
    return value["keyid"], _decoded(value["sig"])


def _decoded(text: object) -> bytes:
    if not isinstance(text, str):
        raise ActInvalid("has a member that is no text")
    try:
        data = binascii.a2b_base64(text.encode(), strict_mode=True)
    except ValueError as error:
        raise ActInvalid("has text that is not base64") from error
    if base64.b64encode(data).decode() != text:
        raise ActInvalid("has base64 that is not canonical")
    return data
