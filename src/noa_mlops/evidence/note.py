"""Signed notes and the heads of logs (c2sp.org/signed-note, c2sp.org/tlog-checkpoint).

A note is text, an empty line, and signature lines. Keys that are not known are passed over; a known key whose
signature is wrong refuses the note, and so does the lack of any known key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from noa_mlops.evidence.keys import PublicKey, SigningKey

MAX_NOTE = 1 << 16
"""Longest note accepted, in bytes."""
MAX_SIGNATURES = 100
"""Most signature lines accepted."""

_ED25519 = b"\x01"
_SIGNATURE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/=]+)")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_POLICY = re.compile(r"policy (0|[1-9][0-9]{0,18})")


class NoteInvalid(ValueError):
    """Bytes that are no note signed by a known key; the message says why."""


@dataclass(frozen=True, slots=True)
class LogCheckpoint:
    """The head of a log: its origin, its size in entries, the root of its tree.

    ``policy`` is the index of the entry that holds the policy in force after these entries, None in a log that has none.
    It stands in an extension line, so that whoever sees only a part of the log learns which policy is the last one.
    """

    origin: str
    size: int
    root: bytes
    policy: int | None = None

    def text(self) -> str:
        """The text that is signed."""
        policy = "" if self.policy is None else f"policy {self.policy}\n"
        return f"{self.origin}\n{self.size}\n{_encode(self.root)}\n{policy}"


def sign_checkpoint(head: LogCheckpoint, key: SigningKey) -> bytes:
    """A note over ``head``, signed under its origin as the key's name."""
    return sign_note(head.text(), head.origin, key)


def parse_checkpoint(data: bytes, origin: str, keys: Iterable[PublicKey]) -> LogCheckpoint:
    """The head of the log ``origin``, signed by one of ``keys``. Raises `NoteInvalid`."""
    return read_checkpoint(open_note(data, origin, keys), origin)


def read_checkpoint(text: str, origin: str) -> LogCheckpoint:
    """The head that a note's text gives for the log ``origin``; no unknown extension line. Raises `NoteInvalid`."""
    lines = text.split("\n")
    policy = _POLICY.fullmatch(lines[3]) if len(lines) == 5 else None
    if len(lines) != (4 if policy is None else 5) or lines[0] != origin:
        raise NoteInvalid(f"is no checkpoint of {origin}")
    if not _SIZE.fullmatch(lines[1]):
        raise NoteInvalid("has a size that is no number")
    root = _decode(lines[2])
    if len(root) != hashlib.sha256().digest_size:
        raise NoteInvalid("has a root that is no SHA-256")
    return LogCheckpoint(origin, int(lines[1]), root, None if policy is None else int(policy[1]))


def sign_note(text: str, name: str, key: SigningKey) -> bytes:
    """A note over ``text``, which ends with a newline, signed by an Ed25519 key under ``name``.

    Raises `NoteInvalid` for text or a name that no reader would accept.
    """
    _check_text(text)
    if not re.fullmatch(r"[^\s+]+", name):
        raise NoteInvalid(f"cannot be signed under the name {name!r}")
    signature = _encode(_key_hash(name, key.public) + key.sign(text.encode()))
    return f"{text}\n— {name} {signature}\n".encode()


def open_note(data: bytes, name: str, keys: Iterable[PublicKey]) -> str:
    """The text of a note that at least one of ``keys`` signed under ``name``. Raises `NoteInvalid`."""
    text, signatures = _split(data)
    known = {_key_hash(name, key): key for key in keys}
    verified = False
    for signer, hash_and_signature in signatures:
        key = known.get(hash_and_signature[:4]) if signer == name else None
        if key is None:
            continue
        if not key.verifies(hash_and_signature[4:], text.encode()):
            raise NoteInvalid(f"has a wrong signature of {name}")
        verified = True
    if not verified:
        raise NoteInvalid(f"has no signature of {name} by a known key")
    return text


def _split(data: bytes) -> tuple[str, list[tuple[str, bytes]]]:
    if len(data) > MAX_NOTE:
        raise NoteInvalid(f"is longer than {MAX_NOTE} bytes")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NoteInvalid("is not UTF-8") from error
    end = whole.rfind("\n\n") + 1
    text, block = whole[:end], whole[end + 1 :]
    _check_text(text)
    lines = block.split("\n")
    if lines.pop():
        raise NoteInvalid("does not end with a newline")
    if len(lines) > MAX_SIGNATURES:
        raise NoteInvalid(f"has more than {MAX_SIGNATURES} signatures")
    return text, [_signature(line) for line in lines]


def _check_text(text: str) -> None:
    if not text.endswith("\n"):
        raise NoteInvalid("does not end its text with a newline")
    if any(character < " " and character != "\n" for character in text):
        raise NoteInvalid("has a control character")


def _signature(line: str) -> tuple[str, bytes]:
    found = _SIGNATURE.fullmatch(line)
    if found is None:
        raise NoteInvalid("has a signature line that cannot be read")
    value = _decode(found[2])
    if len(value) < 5:
        raise NoteInvalid("has a signature line that cannot be read")
    return found[1], value


def _key_hash(name: str, key: PublicKey) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + key.raw()).digest()[:4]


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteInvalid("has text that is not base64") from error
    if _encode(data) != text:
        raise NoteInvalid("has base64 that is not canonical")
    return data


def claimed_size(note: bytes) -> int | None:
    """How many entries a note says it is over, whoever signed it; None when it says nothing of the kind."""
    lines = note.split(b"\n", 2)
    return int(lines[1]) if len(lines) == 3 and lines[1].isdigit() and len(lines[1]) < 19 else None
