"""A disk with a cache in front of it: what is on it for certain, and what a power cut may leave of the rest.

The model is the one that POSIX promises and that ext4 and XFS keep. Bytes are certain once their file is synced; names
are certain once their folder is synced; a rename is certain in both folders or in neither. Of all that is not
certain, any part may be there after a cut. `VARIANTS` are the parts that are tried.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

SECTOR = 512
"""Bytes that a disk writes whole or not at all."""


@dataclass(eq=False, slots=True)
class File:
    """A file: the bytes that programs see, those that are certain, and the writes between the two."""

    live: bytearray
    safe: bytes
    mode: int
    pending: list[tuple[int, bytes]] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Folder:
    """A folder: the names that programs see, and those that are certain."""

    mode: int
    live: dict[str, Node] = field(default_factory=dict)
    safe: dict[str, Node] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link."""

    target: str


Node: TypeAlias = File | Folder | Link
Change: TypeAlias = tuple[tuple[Folder, str, Node | None], ...]
"""Names that are set or (None) removed together."""

State: TypeAlias = Mapping[str, tuple[int, bytes | str | None]]
"""What is left after a cut: for each path its mode, and its bytes, the target of a link, or None for a folder."""


class Disk:
    """Everything below one folder, which is certain as it is when this is made."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._root = _read(folder)
        self._changes: list[Change] = []

    def find(self, path: str) -> Node | None:
        """What programs see at a path."""
        node: Node | None = self._root
        if path == self.folder:
            return node
        if not path.startswith(self.folder + "/"):
            return None
        for name in path[len(self.folder) + 1 :].split("/"):
            node = node.live.get(name) if isinstance(node, Folder) else None
        return node

    def set_names(self, *names: tuple[str, Node | None]) -> bool:
        """Set or remove names at once, uncertain until a folder of theirs is synced; whether all had a folder."""
        change: list[tuple[Folder, str, Node | None]] = []
        for path, node in names:
            folder = self.find(os.path.dirname(path))
            if not isinstance(folder, Folder):
                return False
            change.append((folder, os.path.basename(path), node))
        _apply(tuple(change), safe=False)
        self._changes.append(tuple(change))
        return True

    def sync(self, node: Node) -> None:
        """Make a file's bytes or a folder's names certain."""
        if isinstance(node, File):
            node.safe, node.pending = bytes(node.live), []
        elif isinstance(node, Folder):
            for change in [change for change in self._changes if any(folder is node for folder, _, _ in change)]:
                _apply(change, safe=True)
                self._changes.remove(change)

    def after_cut(self, variant: str) -> State:
        """The folder as a power cut at this moment may leave it; ``variant`` is one of `VARIANTS`."""
        names, data = VARIANTS[variant]
        state: dict[str, tuple[int, bytes | str | None]] = {}
        halfway = self._halfway() if names == "half" else {}
        self._collect(self._root, self.folder, names, halfway, data, state)
        return state

    def _collect(
        self,
        folder: Folder,
        path: str,
        names: str,
        halfway: Mapping[int, dict[str, Node]],
        data: Callable[[File], bytes],
        state: dict[str, tuple[int, bytes | str | None]],
    ) -> None:
        entries = folder.live if names == "live" else halfway.get(id(folder), folder.safe)
        for name, node in entries.items():
            place = f"{path}/{name}"
            match node:
                case File():
                    state[place] = (node.mode, data(node))
                case Link():
                    state[place] = (0, node.target)
                case Folder():
                    state[place] = (node.mode, None)
                    self._collect(node, place, names, halfway, data, state)

    def _halfway(self) -> dict[int, dict[str, Node]]:
        """The names of the folders that differ when the first half of the uncertain changes got through."""
        found: dict[int, dict[str, Node]] = {}
        for change in self._changes[: (len(self._changes) + 1) // 2]:
            for folder, name, node in change:
                names = found.setdefault(id(folder), dict(folder.safe))
                if node is None:
                    names.pop(name, None)
                else:
                    names[name] = node
        return found


def build(state: State, folder: str) -> None:
    """Make ``folder``, which is empty, be that state."""
    for path in sorted(state):
        mode, content = state[path]
        if content is None:
            os.mkdir(path, 0o700)
        elif isinstance(content, str):
            os.symlink(content, path)
        else:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(content)
            os.chmod(path, mode)
    for path in sorted(state, reverse=True):
        mode, content = state[path]
        if content is None:
            os.chmod(path, mode)
    os.chmod(folder, 0o755)


def _apply(change: Change, *, safe: bool) -> None:
    for folder, name, node in change:
        names = folder.safe if safe else folder.live
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


def _read(path: str) -> Folder:
    found = Folder(stat.S_IMODE(os.stat(path).st_mode))
    with os.scandir(path) as entries:
        for entry in entries:
            found.live[entry.name] = _node(entry)
    found.safe = dict(found.live)
    return found


def _node(entry: os.DirEntry[str]) -> Node:
    if entry.is_symlink():
        return Link(os.readlink(entry.path))
    if entry.is_dir():
        return _read(entry.path)
    with open(entry.path, "rb") as file:
        data = file.read()
    return File(bytearray(data), data, stat.S_IMODE(entry.stat().st_mode))


def _safe(file: File) -> bytes:
    return file.safe


def _live(file: File) -> bytes:
    return bytes(file.live)


def _torn(file: File) -> bytes:
    """Half of the last write is missing at the end."""
    if file.pending:
        offset, data = file.pending[-1]
        if offset + len(data) >= len(file.live):
            return bytes(file.live[: offset + len(data) // 2])
    return bytes(file.live)


def _zeros(file: File) -> bytes:
    """The new length came through, the bytes did not."""
    return file.safe + b"\0" * (len(file.live) - len(file.safe))


def _hole(file: File) -> bytes:
    """A sector in the middle of what is uncertain is lost, what follows it is there."""
    return _without(file, middle=True)


def _headless(file: File) -> bytes:
    """The first sector of what is uncertain is lost, what follows it is there."""
    return _without(file, middle=False)


def _without(file: File, *, middle: bool) -> bytes:
    if not file.pending:
        return bytes(file.live)
    start = min(offset for offset, _ in file.pending)
    end = min(max(offset + len(data) for offset, data in file.pending), len(file.live))
    first = (start + end) // 2 // SECTOR * SECTOR if middle else start // SECTOR * SECTOR
    lost = range(max(first, start), min(first + SECTOR, end))
    data = bytearray(file.live)
    old = file.safe[lost.start : lost.stop]
    data[lost.start : lost.stop] = old + b"\0" * (len(lost) - len(old))
    return bytes(data)


VARIANTS: Mapping[str, tuple[str, Callable[[File], bytes]]] = {
    "strict": ("safe", _safe),
    "names": ("live", _safe),
    "half": ("half", _safe),
    "data": ("safe", _live),
    "torn": ("live", _torn),
    "zeros": ("live", _zeros),
    "hole": ("live", _hole),
    "headless": ("live", _headless),
    "killed": ("live", _live),
}
"""For each variant which names come through (those that are certain, half of the others, or all), and which bytes."""
