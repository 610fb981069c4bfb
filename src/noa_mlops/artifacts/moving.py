"""Taking a model out of a workspace by renaming it, and giving it back when it could not be promoted.

A folder moves in one step, so after a crash a model is in one of two places, whole. What arrived is compared with what
was hashed by the identities that the kernel gives; where they differ it goes back, to be copied and hashed instead.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from noa_mlops.files import Identity

_OWN = stat.S_IRWXU
_READ_ONLY_FOLDER = 0o555


def move(source: Path, target: Path) -> bool:
    """Rename ``source`` to the new path ``target``; False when that is on another device, and nothing happened."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno == errno.EXDEV:
            return False
        raise
    return True


def move_unchanged(source: Path, target: Path, identities: Mapping[str, Identity]) -> bool:
    """Move the folder ``source`` if it holds exactly the files of ``identities``, which nobody touched since.

    False when it does not, or cannot be moved; then it is where it was. Its folders are read-only when it was moved.
    """
    if not move(source, target):
        return False
    if not target.is_symlink() and target.is_dir() and dict(_below(target, "")) == identities:
        return True
    give_back(target.parent, {target.name: source})
    return False


def give_back(folder: Path, places: Mapping[str, Path]) -> None:
    """Move what was taken into ``folder`` back to where it was; ``places`` says where, by name in the folder.

    What is still, or again, in its place stays there, and what was not taken is no error. Raises `OSError`.
    """
    if folder.is_symlink() or not folder.is_dir():
        return
    for name, place in places.items():
        taken = folder / name
        if not os.path.lexists(taken) or os.path.lexists(place):
            continue
        folder.chmod(_OWN)
        if taken.is_dir() and not taken.is_symlink():
            taken.chmod(_OWN)
        move(taken, place)


def _below(folder: Path, prefix: str) -> Iterator[tuple[str, Identity]]:
    with os.scandir(folder) as entries:
        listed = list(entries)
    for entry in listed:
        if entry.is_dir(follow_symlinks=False):
            yield from _below(folder / entry.name, f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}", Identity.of(entry.stat(follow_symlinks=False))
    folder.chmod(_READ_ONLY_FOLDER)
