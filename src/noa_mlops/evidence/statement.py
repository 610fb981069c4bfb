"""Statements signed in place: one line is an in-toto Statement whose last member is its signature.

The signed payload is the line up to ``,"signatures":`` and a closing brace, byte for byte; so what people
read with ``jq`` is what was signed, and the DSSE envelope for outside tools follows from the line. The
signature member has one length and one form. It is cut off at that fixed place from the end, so no text
inside a statement can pass for it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from noa_mlops.evidence.dsse import PAYLOAD_TYPE, pae
from noa_mlops.evidence.keys import PublicKey, SigningKey
from noa_mlops.records.documents import compact

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
MAX_LINE = 65_535
"""Longest line in bytes, without its newline: the cap of an entry in c2sp.org/tlog-tiles."""

_TAIL = re.compile(rb',"signatures":\[\{"keyid":"([0-9a-f]{64})","sig":"([A-Za-z0-9+/]{85}[AQgw]==)"\}\]\}')
_TAIL_LENGTH = len(',"signatures":[{"keyid":"","sig":""}]}') + 64 + 88


class StatementInvalid(ValueError):
    """A line that is no statement signed in place; the message says why."""


class SignedLine(NamedTuple):
    """A line taken apart: the exact bytes that were signed, whose key is said to have done it, the signature."""

    payload: bytes
    keyid: str
    signature: bytes


def sign_statement(statement: Mapping[str, Any], key: SigningKey) -> bytes:
    """The line, without newline, of a statement whose members stand in the order given; ``key`` is Ed25519.

    Raises `StatementInvalid` when the line is over `MAX_LINE` or the statement is no finite JSON.
    """
    return sign_payload(payload_of(statement), key)


def payload_of(part: Mapping[str, Any]) -> bytes:
    """The bytes of a statement that are signed, or of a part of it. Raises `StatementInvalid` when it is no finite JSON."""
    try:
        return compact(part)
    except (ValueError, TypeError, RecursionError) as error:
        raise StatementInvalid(f"cannot be written as JSON: {error}") from error


def sign_payload(payload: bytes, key: SigningKey) -> bytes:
    """The line of a statement given as its `payload_of`. Raises `StatementInvalid` when it is over `MAX_LINE`."""
    if len(payload) - 1 + _TAIL_LENGTH > MAX_LINE:
        raise StatementInvalid(f"would be a line of more than {MAX_LINE} bytes")
    signature = base64.b64encode(key.sign(pae(PAYLOAD_TYPE, payload)))
    tail = b',"signatures":[{"keyid":"%b","sig":"%b"}]}' % (key.public.keyid.encode(), signature)
    return payload[:-1] + tail


def split_line(line: bytes) -> SignedLine:
    """Take a line apart. Raises `StatementInvalid` unless it ends in exactly one signature in its one form."""
    if len(line) > MAX_LINE:
        raise StatementInvalid(f"is longer than {MAX_LINE} bytes")
    tail = _TAIL.fullmatch(line, max(0, len(line) - _TAIL_LENGTH))
    if tail is None:
        raise StatementInvalid("does not end in one signature")
    return SignedLine(line[: tail.start()] + b"}", tail[1].decode(), base64.b64decode(tail[2]))


def verify_line(line: bytes, key: PublicKey) -> bool:
    """Whether ``line`` is a statement signed by ``key``; the key that the line names is not asked."""
    try:
        signed = split_line(line)
    except StatementInvalid:
        return False
    return signed_by(signed, key)


def signed_by(signed: SignedLine, key: PublicKey) -> bool:
    """Whether ``key`` made the signature, whatever key id the line gives."""
    return key.verifies(signed.signature, pae(PAYLOAD_TYPE, signed.payload))


def envelope(line: bytes) -> dict[str, Any]:
    """The DSSE envelope of a line, for tools that know nothing of this log. Raises `StatementInvalid`."""
    signed = split_line(line)
    return {
        "payload": base64.b64encode(signed.payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": signed.keyid, "sig": base64.b64encode(signed.signature).decode()}],
    }
