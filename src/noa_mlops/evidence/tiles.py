"""A log as static files that any client of tiled logs can read (c2sp.org/tlog-tiles).

The hashes of the tree lie in tiles of 256: ``tile/0`` holds the hashes of the leaves, each level above the roots of
the full tiles below it. ``tile/entries`` holds the entries themselves. A full file never changes; the last of each
level is partial and carries its width in its name, so no name ever stands for two contents.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from noa_mlops.evidence.merkle import leaf_hash, root_of
from noa_mlops.evidence.statement import MAX_LINE

WIDTH: Final = 256
"""Hashes in a full tile, and entries in a full bundle."""


def tile_path(level: int, number: int, width: int = WIDTH) -> str:
    """Where the tile ``number`` of a level lies, as a relative path; ``width`` is how many hashes it holds."""
    return f"tile/{level}/{_place(number, width)}"


def bundle_path(number: int, width: int = WIDTH) -> str:
    """Where the bundle ``number`` of entries lies, as a relative path; ``width`` is how many entries it holds."""
    return f"tile/entries/{_place(number, width)}"


def tile_files(entries: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Path and content of every tile and bundle of a log, full ones as soon as they are full.

    At most one unfinished bundle and one unfinished tile of each level are held in memory. Raises `ValueError` for
    an entry over `MAX_LINE` bytes.
    """
    bundle: list[bytes] = []
    levels: list[_Level] = []
    bundles = 0
    for entry in entries:
        bundle.append(_framed(entry))
        yield from _put(levels, 0, leaf_hash(entry))
        if len(bundle) == WIDTH:
            yield bundle_path(bundles), b"".join(bundle)
            bundles, bundle = bundles + 1, []
    if bundle:
        yield bundle_path(bundles, len(bundle)), b"".join(bundle)
    yield from (level.rest() for level in levels if level.hashes)


class _Level:
    """One level of tiles while it grows: the hashes of its last tile, and how many full tiles came before."""

    def __init__(self, level: int) -> None:
        self._level = level
        self.full = 0
        self.hashes: list[bytes] = []

    def rest(self) -> tuple[str, bytes]:
        """The last tile, partial."""
        return tile_path(self._level, self.full, len(self.hashes)), b"".join(self.hashes)


def _put(levels: list[_Level], level: int, value: bytes) -> Iterator[tuple[str, bytes]]:
    """Add a hash to a level; a tile that it fills is given out, and its root added to the level above."""
    if level == len(levels):
        levels.append(_Level(level))
    here = levels[level]
    here.hashes.append(value)
    if len(here.hashes) == WIDTH:
        yield tile_path(level, here.full), b"".join(here.hashes)
        yield from _put(levels, level + 1, root_of(here.hashes))
        here.full += 1
        here.hashes = []


def _framed(entry: bytes) -> bytes:
    if len(entry) > MAX_LINE:
        raise ValueError(f"an entry of {len(entry)} bytes is over the limit of {MAX_LINE}")
    return len(entry).to_bytes(2, "big") + entry


def _place(number: int, width: int) -> str:
    """A number as groups of three digits, each but the last marked by an x; a partial tile also by its width."""
    digits = f"{number % 1000:03}"
    while number := number // 1000:
        digits = f"x{number % 1000:03}/{digits}"
    return digits if width == WIDTH else f"{digits}.p/{width}"
