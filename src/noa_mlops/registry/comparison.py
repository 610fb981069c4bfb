"""Does the mirror still say what the ledger says? Asked line by line, so neither has to fit into memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from noa_mlops.errors import LifecycleError
from noa_mlops.evidence import (
    Frontier,
    LogCheckpoint,
    NoteInvalid,
    PublicKey,
    claimed_size,
    leaf_hash,
    parse_checkpoint,
)
from noa_mlops.files import open_beneath, read_capped
from noa_mlops.records.events import LedgerLine
from noa_mlops.registry.lines import MAX_LINE, MIRRORED, project
from noa_mlops.registry.writing import standing_still

MOST_NAMED = 20
"""Lines that are named one by one; of a mirror with more of them the rest is only counted."""

MAX_HEAD = 1 << 16
"""Longest signed head that is read, in bytes."""


class Comparison:
    """Holds the mirror at ``path`` against ledger lines given one after the other; `findings` ends it.

    Log and head are those of one moment, that of its making; what is appended later is not looked at.
    """

    def __init__(self, path: Path, checkpoint: Path, origin: str) -> None:
        self._path = path
        self._checkpoint = checkpoint
        self._origin = origin
        self._frontier = Frontier()
        self._expected = 0
        self._lacking: int | None = None
        self._wrong: list[str] = []
        self._prefix: tuple[int, bytes] | None = None
        self._log: BinaryIO | None = None
        self._left = 0
        self._note: bytes | str = b""
        with standing_still(path):
            self._open()

    def _open(self) -> None:
        try:
            self._log = open_beneath(self._path.parent, self._path.name)
            self._left = os.fstat(self._log.fileno()).st_size
        except (OSError, LifecycleError) as error:
            self._wrong.append(f"cannot be read ({error})")
        try:
            with open_beneath(self._checkpoint.parent, self._checkpoint.name) as stream:
                self._note = read_capped(stream, MAX_HEAD) or b""
        except (OSError, LifecycleError) as error:
            self._note = str(error)

    def take(self, entry: LedgerLine) -> None:
        """Hold the next line of the mirror against the next entry of the ledger."""
        if entry.type not in MIRRORED or self._log is None:
            return
        self._expected += 1
        found = self._next()
        if not found and self._lacking is None:
            self._lacking = entry.seq
        elif found and found != project(entry) + b"\n":
            self._wrong.append(f"line {self._frontier.size} does not follow from ledger entry {entry.seq}")

    def findings(self, keys: Iterable[PublicKey], sealed: int | None = None) -> Iterator[tuple[Path, str]]:
        """Each file that does not hold and why; the head must be signed by one of ``keys``.

        Lines of entries from index ``sealed`` on may be lacking: their run is still on its way. None: no line may.
        """
        if self._log is not None:
            with self._log:
                while self._next():
                    pass
            lacks = self._lacking is not None and (sealed is None or self._lacking < sealed)
            if lacks or self._frontier.size > self._expected:
                self._wrong.append(f"has {self._frontier.size} lines; the ledger accounts for {self._expected}")
        yield from ((self._path, reason) for reason in self._wrong[:MOST_NAMED])
        if len(self._wrong) > MOST_NAMED:
            yield self._path, f"differs in {len(self._wrong) - MOST_NAMED} more ways"
        if self._log is not None and (reason := self._head_problem(keys)):
            yield self._checkpoint, reason

    def _next(self) -> bytes:
        """The next line with its newline, counted into the tree; empty at the end."""
        line = b"" if self._log is None else self._log.readline(min(MAX_LINE, self._left))
        if line:
            self._left -= len(line)
            self._frontier = self._frontier.push(leaf_hash(line.removesuffix(b"\n")))
            if isinstance(self._note, bytes) and self._frontier.size == claimed_size(self._note):
                self._prefix = self._frontier.size, self._frontier.root()
        return line

    def _head_problem(self, keys: Iterable[PublicKey]) -> str | None:
        """Why the signed head is not over these lines; those that a killed command added without signing may follow it.

        They were held against the ledger as all others were.
        """
        if isinstance(self._note, str):
            return f"cannot be used: {self._note}"
        try:
            head = parse_checkpoint(self._note, self._origin, keys)
        except NoteInvalid as error:
            return f"cannot be used: {error}"
        if self._prefix is None or head != LogCheckpoint(self._origin, *self._prefix):
            return f"is over {head.size} other lines than those that are there"
        return None
