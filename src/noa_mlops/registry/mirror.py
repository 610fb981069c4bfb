"""``ml_artifacts.log``: the mirror of the ledger that CI reads, with a signed head of its own.

One line per deciding or measuring entry: fields people read, and the ledger line itself, from which they all
follow. Every writing command catches the mirror up. A line that was edited is never overwritten in silence.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noa_mlops.errors import LifecycleError, RegistryConflict
from noa_mlops.evidence import (
    Frontier,
    LogCheckpoint,
    NoteInvalid,
    PublicKey,
    SigningKey,
    leaf_hash,
    parse_checkpoint,
    root_of,
    sign_checkpoint,
)
from noa_mlops.files import sync_directory, write_durably
from noa_mlops.records.documents import compact, parse_object
from noa_mlops.records.events import DECISION, LedgerLine
from noa_mlops.registry.capabilities import describe, make_parent, ownership_hint

MIRRORED = frozenset(
    {
        "Genesis",
        "EvaluationLogged",
        "PromotionReady",
        "DriftScanned",
        "Investigated",
        "RolloutEnabled",
        "Overridden",
        "RolledBack",
        "Deployed",
        "Redacted",
        "PolicyChanged",
    }
)
"""Entry types that decide or measure."""

CAPABILITY = "ml.lifecycle.controller"
"""The capability in whose name every line is written."""

MAX_LINE = 1 << 18
"""Longest mirror line, in bytes: a ledger line of 65,535 escaped bytes and its readable fields."""


class MirrorTampered(LifecycleError):
    """The mirror holds a line that does not follow from the ledger."""

    exit_code = 4
    hint = "Compare with a copy you trust; 'noa doctor --repair' rebuilds the mirror from the ledger."


EntrySource = Callable[[int], Iterable[LedgerLine]]
"""The ledger's entries from an index on."""


def project(entry: LedgerLine) -> bytes:
    """The mirror line of a ledger entry, without its newline; the same entry always gives the same bytes."""
    statement = parse_object(entry.line, limit=MAX_LINE)
    header, predicate = statement["noa_entry"], statement["predicate"]
    decision = predicate.get(DECISION, {})
    fields: dict[str, Any] = {
        "capability": CAPABILITY,
        "type": header["type"],
        "artifact": _artifact(statement, decision),
        "metrics": decision.get("metrics", predicate.get("metrics")),
        "thresholds": decision.get("thresholds"),
        "decision": _decision(header, decision),
        "rollout": {"champion": entry.champion, "status": entry.status} if "lifecycle_id" in header else None,
        "timestamp": header["ts"],
        "line": entry.line.decode(),
    }
    return compact({name: value for name, value in fields.items() if value is not None})


def _artifact(statement: Mapping[str, Any], decision: Mapping[str, Any]) -> dict[str, Any] | None:
    header = statement["noa_entry"]
    if header.get("version") is None:
        return None
    fields = {
        "path": decision.get("artifact"),
        "checksum": statement["subject"][0]["digest"]["sha256"],
        "lifecycle_id": header["lifecycle_id"],
        "profile": decision.get("profile", statement["predicate"].get("profile")),
        "version": header["version"],
    }
    return {name: value for name, value in fields.items() if value is not None}


def _decision(header: Mapping[str, Any], decision: Mapping[str, Any]) -> dict[str, Any] | None:
    if "status" not in header:
        return None
    return {
        "status": header["status"],
        "verdict": decision.get("verdict"),
        "reasons": list(decision.get("reasons", ())),
    }


class Mirror:
    """The registry log at ``path`` and its signed head at ``checkpoint``."""

    def __init__(self, path: Path, checkpoint: Path, *, origin: str) -> None:
        self.path = path
        self._checkpoint = checkpoint
        self._origin = f"{origin}/registry"
        self._known = _Known(0, 0, Frontier())

    def check_writable(self) -> None:
        """Raise `RegistryConflict` unless this process could append: asked before anything runs."""
        make_parent(self.path)
        for place in (self.path, self._checkpoint):
            if place.exists() and not (place.is_file() and os.access(place, os.R_OK | os.W_OK)):
                raise RegistryConflict(f"{place} is not a writable file{describe(place)}", hint=ownership_hint(place))

    def catch_up(self, entries: EntrySource, key: SigningKey) -> int:
        """Append what the ledger has and the mirror has not; the number of lines appended.

        Raises `MirrorTampered` when a line that is there does not follow from the ledger, `RegistryConflict`
        when the file cannot be written.
        """
        try:
            with _locked(self.path) as descriptor:
                return self._append(descriptor, entries, key)
        except OSError as error:
            raise RegistryConflict(
                f"{self.path} cannot be written ({error.strerror}){describe(self.path)}", hint=ownership_hint(self.path)
            ) from error

    def rebuild(self, entries: EntrySource, key: SigningKey) -> int:
        """Write the whole mirror anew from the ledger; the number of lines."""
        lines = [project(entry) for entry in entries(0) if entry.type in MIRRORED]
        make_parent(self.path)
        write_durably(self.path, b"".join(line + b"\n" for line in lines))
        frontier = Frontier()
        for line in lines:
            frontier = frontier.push(leaf_hash(line))
        self._sign(frontier, key)
        return len(lines)

    def findings(self, lines: Iterable[LedgerLine], keys: Iterable[PublicKey]) -> Iterator[str]:
        """How the mirror differs from the ledger's ``lines``, a sentence each; its head must be signed by ``keys``."""
        expected = [project(line) for line in lines if line.type in MIRRORED]
        try:
            data, note = self.path.read_bytes(), self._checkpoint.read_bytes()
        except OSError as error:
            yield f"cannot be read ({error.strerror}: {error.filename})"
            return
        found = data.split(b"\n")
        if found.pop() != b"":
            yield "ends in a torn line"
        for number, (is_there, should_be) in enumerate(zip(found, expected, strict=False), start=1):
            if is_there != should_be:
                yield f"line {number} does not follow from the ledger"
        if len(found) != len(expected):
            yield f"has {len(found)} lines; the ledger accounts for {len(expected)}"
        yield from self._head_findings(note, found, keys)

    def _head_findings(self, note: bytes, lines: list[bytes], keys: Iterable[PublicKey]) -> Iterator[str]:
        try:
            head = parse_checkpoint(note, self._origin, keys)
        except NoteInvalid as error:
            yield f"has a head, {self._checkpoint}, that {error}"
            return
        if head.size != len(lines) or head.root != root_of([leaf_hash(line) for line in lines]):
            yield f"has a head, {self._checkpoint}, over {head.size} other lines"

    def _append(self, descriptor: int, entries: EntrySource, key: SigningKey) -> int:
        size = os.fstat(descriptor).st_size
        if size != self._known.size:
            self._known = self._compare(descriptor, entries)
        known, added, batch = self._known, 0, bytearray()
        frontier, seq = known.frontier, known.seq
        for entry in entries(known.seq):
            seq = entry.seq + 1
            if entry.type in MIRRORED:
                line = project(entry)
                batch += line + b"\n"
                frontier = frontier.push(leaf_hash(line))
                added += 1
        if batch:
            _write_all(descriptor, bytes(batch))
            os.fdatasync(descriptor)
        if batch or not self._checkpoint.exists():
            self._sign(frontier, key)
        self._known = _Known(seq, known.size + len(batch), frontier)
        return added

    def _compare(self, descriptor: int, entries: EntrySource) -> _Known:
        """Hold every line that is there against the ledger; a torn last line is cut off, as nobody was told of it."""
        os.lseek(descriptor, 0, os.SEEK_SET)
        size, seq, frontier = 0, 0, Frontier()
        with os.fdopen(os.dup(descriptor), "rb") as stream:
            lines = iter(stream)
            for entry in entries(0):
                if entry.type not in MIRRORED:
                    seq = entry.seq + 1
                    continue
                found = next(lines, None)
                expected = project(entry)
                if found is None or (not found.endswith(b"\n") and expected.startswith(found)):
                    os.ftruncate(descriptor, size)
                    return _Known(seq, size, frontier)
                if found != expected + b"\n":
                    raise MirrorTampered(
                        f"{self.path}: line {frontier.size + 1} does not follow from ledger entry {entry.seq}"
                    )
                size, seq, frontier = size + len(found), entry.seq + 1, frontier.push(leaf_hash(expected))
            if next(lines, None) is not None:
                raise MirrorTampered(f"{self.path}: line {frontier.size + 1} has no entry in the ledger")
        return _Known(seq, size, frontier)

    def _sign(self, frontier: Frontier, key: SigningKey) -> None:
        head = LogCheckpoint(origin=self._origin, size=frontier.size, root=frontier.root())
        write_durably(self._checkpoint, sign_checkpoint(head, key))


@dataclass(frozen=True, slots=True)
class _Known:
    """How far the mirror is known to be right: the next ledger index, the file's size, the tree over its lines."""

    seq: int
    size: int
    frontier: Frontier


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    make_parent(path)
    new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if new:
            sync_directory(path.parent)
        yield descriptor
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    if written != len(data):
        raise OSError(28, "No space left on device")
