"""``ml_artifacts.log``: the mirror of the ledger that CI reads, with a signed head of its own.

One line per deciding or measuring entry. Every writing command catches the mirror up, and signs its head anew. What
a crash tore off the end is written again; a line that was edited is never overwritten in silence.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from noa_mlops.errors import LifecycleError
from noa_mlops.evidence import (
    Frontier,
    LogCheckpoint,
    NoteInvalid,
    PublicKey,
    SigningKey,
    leaf_hash,
    parse_checkpoint,
    sign_checkpoint,
)
from noa_mlops.files import abreast, replacing, sync_directory, write_durably
from noa_mlops.records.events import LedgerLine
from noa_mlops.registry.comparison import Comparison
from noa_mlops.registry.lines import MAX_LINE, MIRRORED, position, project
from noa_mlops.registry.writing import check_regular, check_writable, writing


class MirrorTampered(LifecycleError):
    """The mirror holds a line that does not follow from the ledger."""

    exit_code = 4
    hint = "Compare with a copy you trust; 'noa doctor --repair' rebuilds the mirror from the ledger."


EntrySource = Callable[[int], Iterable[LedgerLine]]
"""The ledger's entries from an index on, the newest included at the time of the call."""


@dataclass(frozen=True, slots=True)
class _Known:
    """How far the mirror is right: the next ledger index, its bytes, the tree over its lines, how many are signed."""

    seq: int = 0
    size: int = 0
    frontier: Frontier = field(default_factory=Frontier)
    signed: int = 0

    def with_line(self, entry: LedgerLine, line: bytes) -> _Known:
        """One mirror line more, that of ``entry``; ``line`` is without its newline."""
        return _Known(entry.seq + 1, self.size + len(line) + 1, self.frontier.push(leaf_hash(line)), self.signed)


class Mirror:
    """The registry log at ``path`` and its signed head at ``checkpoint``. Threads may share one.

    A head that another one of the ``known`` keys signed vouches for nothing: every line is held against the ledger, and
    a new head is signed.
    """

    def __init__(self, path: Path, checkpoint: Path, *, origin: str, known: Sequence[PublicKey] = ()) -> None:
        self.path = path
        self._checkpoint = checkpoint
        self._origin = f"{origin}/registry"
        self._keys = known
        self._known = _Known()

    def check_writable(self) -> None:
        """Raise `RegistryConflict` unless this process could append: asked before anything runs."""
        for place in (self.path, self._checkpoint):
            check_writable(place)

    def catch_up(self, entries: EntrySource, key: SigningKey) -> int:
        """Append what the ledger has and the mirror has not; the number of lines appended.

        ``entries`` is asked while other writers are kept out, so it must give at least what they have mirrored.
        Raises `MirrorTampered` when a line that is there does not follow from the ledger, `RegistryConflict`
        when the file cannot be written.
        """
        with writing(self.path), _opened(self.path) as log:
            if os.fstat(log).st_size != self._known.size:
                self._known = self._look(log, entries, key.public)
            before = self._known.frontier.size
            known = self._append(log, entries)
            if known.signed != known.frontier.size or not self._checkpoint.exists():
                self._publish(log, self._head_over(known.frontier, key))
            self._known = _Known(known.seq, known.size, known.frontier, known.frontier.size)
        return known.frontier.size - before

    def rebuild(self, entries: EntrySource, key: SigningKey) -> int:
        """Write the whole mirror anew from the ledger; the number of lines. Raises `RegistryConflict`."""
        with writing(self.path):
            lines = [project(entry) for entry in entries(0) if entry.type in MIRRORED]
            write_durably(self.path, b"".join(line + b"\n" for line in lines))
            frontier = Frontier()
            for line in lines:
                frontier = frontier.push(leaf_hash(line))
            write_durably(self._checkpoint, self._head_over(frontier, key))
            self._known = _Known()
        return len(lines)

    def compare(self) -> Comparison:
        """Begin to hold the mirror against the ledger; nothing is changed."""
        return Comparison(self.path, self._checkpoint, self._origin)

    def _append(self, log: int, entries: EntrySource) -> _Known:
        """Add the lines that are missing, in one write; they become durable with the head that covers them."""
        known, batch = self._known, bytearray()
        for entry in entries(known.seq):
            if entry.type in MIRRORED:
                line = project(entry)
                batch += line + b"\n"
                known = known.with_line(entry, line)
            else:
                known = replace(known, seq=entry.seq + 1)
        if batch:
            _write_all(log, bytes(batch))
        return known

    def _look(self, log: int, entries: EntrySource, key: PublicKey) -> _Known:
        """How far the file is right: what its head covers is told by hashing, the rest by the ledger."""
        os.lseek(log, 0, os.SEEK_SET)
        with os.fdopen(os.dup(log), "rb") as stream:
            known = self._covered(stream, entries, key)
            known = self._follow(stream, known, entries)
        if os.fstat(log).st_size != known.size:
            os.ftruncate(log, known.size)
        return known

    def _covered(self, stream: BinaryIO, entries: EntrySource, key: PublicKey) -> _Known:
        """The lines that the signed head vouches for; none when there is no head."""
        head = self._head(key)
        if head is None or os.fstat(stream.fileno()).st_size == 0:
            return _Known()
        size, frontier, line = 0, Frontier(), b""
        while frontier.size < head.size and (line := stream.readline(MAX_LINE)).endswith(b"\n"):
            size, frontier = size + len(line), frontier.push(leaf_hash(line[:-1]))
        seq = position(line)
        if seq is None or head != LogCheckpoint(self._origin, frontier.size, frontier.root()):
            raise self._tampered(entries, key)
        last = next(iter(entries(seq)), None)
        if last is None or project(last) + b"\n" != line:
            raise self._tampered(entries, key)
        return _Known(seq + 1, size, frontier, head.size)

    def _follow(self, stream: BinaryIO, known: _Known, entries: EntrySource) -> _Known:
        """The lines that nobody signed yet, up to where a crash tore the file; held against the ledger."""
        wanted = (entry for entry in entries(known.seq) if entry.type in MIRRORED)
        while found := stream.readline(MAX_LINE):
            entry = next(wanted, None)
            if entry is not None and found == project(entry) + b"\n":
                known = known.with_line(entry, found[:-1])
            elif _is_torn(found):
                break
            else:
                number, why = known.frontier.size + 1, "has no entry in" if entry is None else "does not follow from"
                raise MirrorTampered(f"{self.path} line {number} {why} the ledger")
        return known

    def _head(self, key: PublicKey) -> LogCheckpoint | None:
        check_regular(self._checkpoint)
        try:
            note = self._checkpoint.read_bytes()
        except FileNotFoundError:
            return None
        try:
            return parse_checkpoint(note, self._origin, [key])
        except NoteInvalid as error:
            if self._signed_by_another(note):
                return None
            raise MirrorTampered(f"{self._checkpoint} {error}") from error

    def _signed_by_another(self, note: bytes) -> bool:
        try:
            parse_checkpoint(note, self._origin, self._keys)
        except NoteInvalid:
            return False
        return True

    def _tampered(self, entries: EntrySource, key: PublicKey) -> MirrorTampered:
        """What is wrong with a file that is not what its head says."""
        comparison = self.compare()
        for entry in entries(0):
            comparison.take(entry)
        path, reason = next(comparison.findings([key]), (self.path, "is not what its signed head covers"))
        return MirrorTampered(f"{path} {reason}")

    def _head_over(self, frontier: Frontier, key: SigningKey) -> bytes:
        return sign_checkpoint(LogCheckpoint(origin=self._origin, size=frontier.size, root=frontier.root()), key)

    def _publish(self, log: int, head: bytes) -> None:
        """Make the lines and their new head durable side by side; only then the head takes its place."""
        with contextlib.ExitStack() as stack:
            head_beside = partial(stack.enter_context, replacing(self._checkpoint, head))
            work: tuple[Callable[[], object], ...] = (head_beside, lambda: os.fdatasync(log))
            for _ in abreast(lambda one: one(), work):
                pass


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    """The log, made durably when it is missing."""
    new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        if new:
            sync_directory(path.parent)
        yield descriptor
    finally:
        os.close(descriptor)


def _is_torn(line: bytes) -> bool:
    """Whether a crash can have left these bytes: an end without newline, or a block that never reached the disk."""
    return not line.endswith(b"\n") or b"\0" in line


def _write_all(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    if written != len(data):
        raise OSError(28, "No space left on device")
