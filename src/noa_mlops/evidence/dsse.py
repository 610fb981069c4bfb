"""What a DSSE signature signs (DSSE v1.0.2, protocol.md)."""

from __future__ import annotations

PAYLOAD_TYPE = "application/vnd.in-toto+json"
"""The payload type of every statement here."""


def pae(payload_type: str, body: bytes) -> bytes:
    """The pre-authentication encoding: type and body, each with its length in bytes."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)
