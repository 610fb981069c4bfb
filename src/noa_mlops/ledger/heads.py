"""``checkpoints.log``: every signed head of the ledger, one after the other.

A record is a signed note and one empty line more. A checkpoint's text has no empty line, so records can be told
apart in one way only: four lines of text, an empty line, signature lines, an empty line. What follows the last
whole record was torn by a crash and is never trusted.

The fourth line names the entry that holds the policy in force. So a head says which change of policy is the last one
even to those who see only some of the lines, and every reader of all the lines holds it to that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from noa_mlops.errors import LedgerTampered
from noa_mlops.evidence import (
    LogCheckpoint,
    NoteInvalid,
    PublicKey,
    SigningKey,
    parse_checkpoint,
    read_checkpoint,
    sign_checkpoint,
)
from noa_mlops.ledger.state import LedgerState

_RECORD = re.compile(rb"(?<![^\n])[^\n]+\n[0-9]+\n[A-Za-z0-9+/=]+\n(?:policy [0-9]+\n)?\n(?:\xe2\x80\x94 [^\n]+\n)+\n")
_WINDOW = 1 << 12
"""Bytes looked at first, from the end; enough for several records."""


@dataclass(frozen=True, slots=True)
class NewestRecord:
    """The newest whole record, not yet checked, None when there is none; and where it ends in the file."""

    note: bytes | None
    end: int


def newest_record(read: Callable[[int, int], bytes], length: int) -> NewestRecord:
    """The newest whole record in a log of ``length`` bytes; ``read`` takes size and offset."""
    for window in (_WINDOW, length):
        start = max(0, length - window)
        records = list(_RECORD.finditer(read(length - start, start)))
        if records:
            return NewestRecord(records[-1][0][:-1], start + records[-1].end())
    return NewestRecord(None, 0)


def checked_head(note: bytes, origin: str, keys: Sequence[PublicKey]) -> LogCheckpoint:
    """The checkpoint in a note. Raises `LedgerTampered` unless one of ``keys`` signed it for ``origin``."""
    try:
        return parse_checkpoint(note, origin, keys)
    except NoteInvalid as error:
        raise LedgerTampered(f"checkpoints.log: a checkpoint {error}") from error


def claimed_size(note: bytes, origin: str) -> int:
    """How many entries a note says it is over, whoever signed it. Raises `LedgerTampered` for one of another log."""
    try:
        return read_checkpoint(note.split(b"\n\n", 1)[0].decode() + "\n", origin).size
    except (NoteInvalid, UnicodeDecodeError) as error:
        raise LedgerTampered(f"checkpoints.log: a checkpoint {error}") from error


def split_records(data: bytes) -> list[bytes]:
    """The signed notes in ``data``, which must be whole records and nothing else. Raises `LedgerTampered`."""
    notes, end = [], 0
    for record in _RECORD.finditer(data):
        if record.start() != end:
            break
        notes.append(record[0][:-1])
        end = record.end()
    if end != len(data):
        raise LedgerTampered(f"checkpoints.log: byte {end} begins no whole record")
    return notes


def policy_problem(state: LedgerState, head: LogCheckpoint) -> str | None:
    """Why a head over entries of ``state`` names another policy than the one in force after them."""
    place = state.place_at(head.size)
    if place is None or head.policy == place.entry:
        return None
    named = "no policy" if head.policy is None else f"the policy of entry {head.policy}"
    return f"names {named}, but that of entry {place.entry} was in force"


def head_record(checkpoint: LogCheckpoint, key: SigningKey) -> bytes:
    """The record of a checkpoint."""
    return sign_checkpoint(checkpoint, key) + b"\n"
