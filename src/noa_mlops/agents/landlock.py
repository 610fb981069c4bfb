"""Landlock: which files and ports a process and all its descendants may still reach.

Source: landlock(7) and ``include/uapi/linux/landlock.h``. A right that the running kernel does not know is
left out, so each kernel gives what it can; the ABI number says how much that was.
"""

from __future__ import annotations

import os
import stat
import struct

from noa_mlops.agents.kernel import Kernel

_CREATE, _ADD, _RESTRICT = 444, 445, 446

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE = 1 << 4, 1 << 5
_MAKE_DIR, _MAKE_REG, _MAKE_SYM = 1 << 7, 1 << 8, 1 << 12
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15

_OF_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_NETWORK = 0b11
_SCOPES = 0b11

LIST = _READ_DIR
"""May list a folder and the folders below it, and open nothing."""

READ = _EXECUTE | _READ_FILE | _READ_DIR
"""May read and run."""

DEVICE = _READ_FILE | _WRITE_FILE | _IOCTL_DEV
"""May read and write a device file."""

WRITE = READ | _WRITE_FILE | _TRUNCATE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _MAKE_SYM | _REFER
"""May do anything with files, folders and links; not make devices, pipes or sockets."""


def abi(kernel: Kernel) -> int:
    """The version of Landlock that this kernel offers; 0 for none."""
    try:
        return kernel.syscall(_CREATE, None, 0, 1)
    except OSError:
        return 0


def restrict(kernel: Kernel, version: int, grants: list[tuple[int, str]]) -> None:
    """Leave this process, for ever, only the granted paths, no TCP (ABI 4) and signals to its own kind (ABI 6).

    ``grants`` pairs one of `LIST`, `READ`, `DEVICE`, `WRITE` with a path; a path that does not exist grants nothing.
    Raises `OSError`.
    """
    handled = _OF_ABI[min(version, max(_OF_ABI))]
    ruleset = kernel.syscall(_CREATE, *_attributes(version, handled), 0)
    try:
        for rights, path in grants:
            _allow(kernel, ruleset, rights & handled, path)
        kernel.syscall(_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def _attributes(version: int, handled: int) -> tuple[bytes, int]:
    values = [handled]
    if version >= 4:
        values.append(_NETWORK)
    if version >= 6:
        values.append(_SCOPES)
    data = struct.pack(f"={len(values)}Q", *values)
    return data, len(data)


def _allow(kernel: Kernel, ruleset: int, rights: int, path: str) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _OF_FILES
        if rights:
            kernel.syscall(_ADD, ruleset, 1, struct.pack("=Qi", rights, descriptor), 0)
    finally:
        os.close(descriptor)
