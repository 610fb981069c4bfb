"""Which data are there to be scanned: what the schedule names, written to its end, and not scanned before.

All of it follows from the files and the ledger, so whoever asks after a crash gets the same answer, and a window that
has its entry is not scanned again. A window is a path and its content: a file that changed is a new one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from noa_mlops.datasets import DatasetReader, Sources
from noa_mlops.errors import DatasetInvalid, LifecycleError
from noa_mlops.files import hash_stream
from noa_mlops.ledger import LedgerEntry, LedgerReader, identity_of
from noa_mlops.records.settings import WILDCARDS, Scheduled

Stamp: TypeAlias = tuple[tuple[str, int, int, int], ...]
"""Files with their size, inode and time of last change in ns; one that cannot be looked at has -1 for each."""


class Sight:
    """The data files of a project, each hashed once for as long as nobody touches it."""

    def __init__(self, project: Path, data_roots: Sequence[Path]) -> None:
        self._sources = Sources(project, tuple(data_roots))
        self._reader = DatasetReader(project, data_roots)
        self._digests: dict[str, tuple[Stamp, str]] = {}

    def named(self, data: str) -> tuple[str, ...]:
        """The datasets that ``data`` names: itself, or every file whose name fits, in the order of their names.

        Names that begin with a dot are left out: writers use them for what is not complete. Raises `DatasetInvalid`.
        """
        if WILDCARDS.isdisjoint(data):
            return (data,)
        folder, wanted = PurePosixPath(data).parent, _pattern(PurePosixPath(data).name)
        root, inside = self._sources.place(str(folder / "_"))
        try:
            found = sorted(name for name in os.listdir(root / PurePosixPath(inside).parent) if wanted.fullmatch(name))
        except FileNotFoundError:
            return ()  # nothing has arrived yet
        except OSError as error:
            raise DatasetInvalid(f"{folder} cannot be listed ({error.strerror})") from error
        return tuple(str(folder / name) for name in found if not name.startswith("."))

    def stamp(self, *paths: str) -> Stamp:
        """How the files of these datasets look from outside. Raises as `DatasetReader.files`."""
        return tuple(self._look(file) for path in paths for file in self._reader.files(path))

    def unchanged(self, identity: Mapping[str, Any]) -> bool:
        """Whether the files of a dataset are those that its recorded identity names."""
        wanted = {file["path"]: file["sha256"] for file in identity["files"]}
        if "definition" in identity:
            wanted[identity["path"]] = identity["definition"]
        return all(self._digest(path) == digest for path, digest in wanted.items())

    def _look(self, file: str) -> tuple[str, int, int, int]:
        root, inside = self._sources.place(file)
        try:
            status = os.stat(root / inside, follow_symlinks=False)
        except OSError:
            return file, -1, -1, -1
        return file, status.st_size, status.st_ino, status.st_ctime_ns

    def _digest(self, file: str) -> str | None:
        stamp = (self._look(file),)
        if (known := self._digests.get(file)) is not None and known[0] == stamp:
            return known[1]
        try:
            with self._sources.open(file) as stream:
                digest = hash_stream(stream)
        except (LifecycleError, OSError):
            return None
        self._digests[file] = (stamp, digest)
        return digest


def is_settled(stamp: Stamp, moment: int, settle: float) -> bool:
    """Whether nobody has touched any of these files for ``settle`` seconds; ``moment`` is now, in ns.

    The kernel keeps the time of the last change, also of one that sets other times, so nothing has to be remembered.
    """
    return all(changed + settle * 1e9 <= moment for _, _, _, changed in stamp)


@dataclass(frozen=True, slots=True)
class Scanned:
    """A scan that is recorded: its entry, when, and the digest of the identity of its data."""

    seq: int
    ts: str
    identity: str


class Past:
    """The scans that a ledger tells of, read on from where it was read to."""

    def __init__(self, ledger: LedgerReader) -> None:
        self._ledger = ledger
        self._next = 0
        self._newest: dict[tuple[str, str], Scanned] = {}
        self._last: dict[str, str] = {}
        self._known: dict[tuple[str, str], tuple[int, Stamp]] = {}

    def read_on(self) -> None:
        """Take in what was recorded since, sealed or not. Raises `LedgerTampered`."""
        ledger, entries = self._ledger, self._ledger.known_entries(min(self._next, self._ledger.state.size))
        for entry in chain((entry for entry, _ in entries), ledger.pending):
            if entry.seq >= self._next:
                self._next = entry.seq + 1
                self._take(entry)

    def last(self, lifecycle_id: str) -> str | None:
        """When a lifecycle was scanned last; None when it never was."""
        return self._last.get(lifecycle_id)

    def is_scanned(self, lifecycle_id: str, path: str, sight: Sight) -> bool:
        """Whether the data at ``path``, as they are now, were what was scanned there last, whichever champion was in force."""
        scan = self._newest.get((lifecycle_id, path))
        if scan is None:
            return False
        if scan.identity in self._ledger.state.redacted:
            return True  # nobody can tell any more
        try:
            stamp = sight.stamp(path)
        except LifecycleError:
            return False  # whoever scans it says why
        if self._known.get((lifecycle_id, path)) == (scan.seq, stamp):
            return True
        same = sight.unchanged(identity_of(self._ledger, scan.identity))
        if same:
            self._known[lifecycle_id, path] = (scan.seq, stamp)
        return same

    def _take(self, entry: LedgerEntry) -> None:
        if entry.type != "DriftScanned" or entry.predicate.get("beside") is not None:
            return  # what was shown beside a version is no window that arrived
        if entry.lifecycle_id is not None:
            data = entry.predicate["dataset"]
            self._newest[entry.lifecycle_id, data["path"]] = Scanned(entry.seq, entry.ts, data["identity"])
            self._last[entry.lifecycle_id] = entry.ts


def unscanned(sight: Sight, past: Past, lifecycle_id: str, task: Scheduled) -> Iterator[str]:
    """The windows of a schedule that were not scanned yet as they are now."""
    for path in sight.named(task.data):
        if not past.is_scanned(lifecycle_id, path, sight):
            yield path


def _pattern(name: str) -> re.Pattern[str]:
    """A file's name with ``*`` and ``?`` as a regular expression; nothing else in it is special."""
    parts = (".*" if part == "*" else "." if part == "?" else re.escape(part) for part in re.split(r"([*?])", name))
    return re.compile("".join(parts), re.DOTALL)
