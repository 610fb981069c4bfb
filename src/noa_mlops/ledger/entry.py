"""Entries: what a line of the ledger says, and the one form in which it says it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

from noa_mlops.evidence import MAX_LINE, STATEMENT_TYPE, SignedLine, SigningKey, payload_of, sign_payload
from noa_mlops.ledger.state import LedgerState
from noa_mlops.records.documents import DocumentInvalid, is_digest, parse_checked, parse_compact, parse_object, sha256
from noa_mlops.records.names import name_problem

VERSION = 1
"""The version of the header's form."""

_REQUIRED = ("v", "type", "seq", "prev", "ts")
_ABOUT = ("lifecycle_id", "version", "status")
_OPENING = b'{"_type":"%b","noa_entry":' % STATEMENT_TYPE.encode()
_HEADERS = frozenset((*_REQUIRED, *some) for count in range(4) for some in combinations(_ABOUT, count))
"""The members that a header may have, each in its place."""
_MEMBERS = ["_type", "noa_entry", "predicateType", "predicate", "subject"]
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z", re.ASCII)


class EntryInvalid(ValueError):
    """A line that is no entry of the form this version knows; the message says why."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What an entry is to say; the ledger adds place, time and signature."""

    type: str
    predicate_type: str
    predicate: Mapping[str, Any]
    subject: Sequence[Mapping[str, Any]]
    lifecycle_id: str | None = None
    version: int | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """An entry read from its ``line`` (without newline); ``digest`` is the line's SHA-256 in hex."""

    seq: int
    type: str
    ts: str
    lifecycle_id: str | None
    version: int | None
    status: str | None
    predicate_type: str
    predicate: Mapping[str, Any]
    subject: Sequence[Mapping[str, Any]]
    line: bytes
    keyid: str
    prev: str
    digest: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the first subject."""
        digest: str = self.subject[0]["digest"]["sha256"]
        return digest


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    here = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return here.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def write_entry(draft: Draft, state: LedgerState, ts: str, key: SigningKey) -> LedgerEntry:
    """The signed entry that puts ``draft`` after ``state``, read back from its line as readers will read it.

    Raises `StatementInvalid` or `EntryInvalid` when no reader would accept the line.
    """
    header = _header(draft, state, ts)
    body = {"predicateType": draft.predicate_type, "predicate": draft.predicate, "subject": draft.subject}
    data = payload_of(body)
    read = _read_back(data, body)
    _check_body(read)
    line = sign_payload(b"%b%b,%b" % (_OPENING, header, data[1:]), key)
    return LedgerEntry(
        seq=state.size,
        type=draft.type,
        ts=ts,
        lifecycle_id=draft.lifecycle_id,
        version=draft.version,
        status=draft.status,
        predicate_type=read["predicateType"],
        predicate=read["predicate"],
        subject=read["subject"],
        line=line,
        keyid=key.public.keyid,
        prev=state.head,
        digest=sha256(line),
    )


def read_entry(line: bytes, signed: SignedLine) -> LedgerEntry:
    """The entry in a line, taken apart as ``signed``; its signature is not checked here. Raises `EntryInvalid`.

    Each entry has exactly one form: a line that says the same in other bytes is refused.
    """
    try:
        statement = parse_compact(signed.payload, limit=MAX_LINE)
    except DocumentInvalid as error:
        raise EntryInvalid(str(error)) from error
    return _entry(statement, line, signed.keyid)


def read_sealed(line: bytes, signed: SignedLine) -> LedgerEntry:
    """Like `read_entry`, but the form is not asked: only for lines that a checked checkpoint vouches for."""
    try:
        statement = parse_checked(signed.payload, limit=MAX_LINE)
    except DocumentInvalid as error:
        raise EntryInvalid(str(error)) from error
    return _entry(statement, line, signed.keyid)


def _header(draft: Draft, state: LedgerState, ts: str) -> bytes:
    """The header that puts ``draft`` after ``state``. Raises `EntryInvalid` or `StatementInvalid` when none can."""
    place = {"v": VERSION, "type": draft.type, "seq": state.size, "prev": state.head, "ts": ts}
    about = zip(_ABOUT, (draft.lifecycle_id, draft.version, draft.status), strict=True)
    header = place | {name: value for name, value in about if value is not None}
    _check_place(header)
    _check_address(header)
    return payload_of(header)


def _read_back(data: bytes, body: Mapping[str, Any]) -> dict[str, Any]:
    """What a reader makes of ``data``, the body that was just written. Raises `EntryInvalid` when that is nothing.

    Its length is asked when it is signed. What comes back as it was written has no key twice, for those could not come back; else that is asked as well.
    """
    try:
        value: dict[str, Any] = parse_checked(data, limit=len(data))
        return value if value == body else parse_object(data, limit=len(data))
    except DocumentInvalid as error:
        raise EntryInvalid(str(error)) from error


def _entry(statement: Any, line: bytes, keyid: str) -> LedgerEntry:
    if not isinstance(statement, dict) or list(statement) != _MEMBERS or statement["_type"] != STATEMENT_TYPE:
        raise EntryInvalid("does not have the members of a statement, in their order")
    header = _checked_header(statement["noa_entry"])
    _check_body(statement)
    return LedgerEntry(
        seq=header["seq"],
        type=header["type"],
        ts=header["ts"],
        lifecycle_id=header.get("lifecycle_id"),
        version=header.get("version"),
        status=header.get("status"),
        predicate_type=statement["predicateType"],
        predicate=statement["predicate"],
        subject=statement["subject"],
        line=line,
        keyid=keyid,
        prev=header["prev"],
        digest=sha256(line),
    )


def _checked_header(header: object) -> Mapping[str, Any]:
    if not isinstance(header, dict) or "v" not in header:
        raise EntryInvalid("has no header")
    if type(header["v"]) is not int or header["v"] != VERSION:
        raise EntryInvalid(f"has the form {header['v']!r:.20}, which is not known to this version")
    if tuple(header) not in _HEADERS:
        raise EntryInvalid("has a header with missing, unknown or misplaced members")
    _check_place(header)
    _check_address(header)
    return header


def _check_place(header: Mapping[str, Any]) -> None:
    if not isinstance(header["type"], str):
        raise EntryInvalid("has a type that is no text")
    if type(header["seq"]) is not int or not 0 <= header["seq"] < 1 << 53:
        raise EntryInvalid("has a number that is no index")
    if not is_digest(header["prev"]):
        raise EntryInvalid("names no predecessor")
    if not isinstance(header["ts"], str) or not _TIME.fullmatch(header["ts"]):
        raise EntryInvalid("has a time that is not RFC 3339 in UTC")


def _check_address(header: Mapping[str, Any]) -> None:
    lifecycle_id, version = header.get("lifecycle_id", "none"), header.get("version", 1)
    if not isinstance(lifecycle_id, str) or name_problem(lifecycle_id) is not None:
        raise EntryInvalid("has a lifecycle that is no name")
    if type(version) is not int or not 1 <= version < 1 << 53:
        raise EntryInvalid("has a version that is no number from 1")
    if not isinstance(header.get("status", ""), str):
        raise EntryInvalid("has a status that is no text")


def _check_body(statement: Mapping[str, Any]) -> None:
    if not isinstance(statement["predicateType"], str) or not isinstance(statement["predicate"], dict):
        raise EntryInvalid("has no predicate")
    subjects = statement["subject"]
    if not isinstance(subjects, list) or not subjects or not all(map(_has_digest, subjects)):
        raise EntryInvalid("has a subject without a SHA-256 digest, or none")


def _has_digest(subject: object) -> bool:
    digests = subject.get("digest") if isinstance(subject, dict) else None
    return isinstance(digests, dict) and is_digest(digests.get("sha256"))
