"""Remove a folder that a stranger filled, however deep, linked or locked it is.

Nothing is followed and nothing recurses: a folder inside a folder is first moved up, so that each step works at most
two levels below a descriptor that is held open.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove(parent: int, name: str) -> None:
    """Remove ``name`` in the open folder ``parent``, whatever it is; an absent one is fine. Raises `OSError`."""
    with contextlib.suppress(FileNotFoundError):
        if not _is_folder(parent, name):
            os.unlink(name, dir_fd=parent)
            return
        os.chmod(name, 0o700, dir_fd=parent)
        descriptor = os.open(name, _FOLDER, dir_fd=parent)
        try:
            _empty(descriptor)
        finally:
            os.close(descriptor)
        os.rmdir(name, dir_fd=parent)


def _empty(top: int) -> None:
    while names := os.listdir(top):
        for name in names:
            if _is_folder(top, name):
                _dissolve(top, name)
            else:
                os.unlink(name, dir_fd=top)


def _dissolve(top: int, name: str) -> None:
    """Remove the folder ``name``; the folders in it move up into ``top``, under new names."""
    os.chmod(name, 0o700, dir_fd=top)
    descriptor = os.open(name, _FOLDER, dir_fd=top)
    try:
        for inner in os.listdir(descriptor):
            if _is_folder(descriptor, inner):
                os.chmod(inner, 0o700, dir_fd=descriptor)
                os.rename(inner, secrets.token_hex(16), src_dir_fd=descriptor, dst_dir_fd=top)
            else:
                os.unlink(inner, dir_fd=descriptor)
    finally:
        os.close(descriptor)
    os.rmdir(name, dir_fd=top)


def _is_folder(parent: int, name: str) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
