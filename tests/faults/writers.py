"""Ways to replace a file, as steps of `tools.faultline`: what the tool must tell apart."""

from __future__ import annotations

import os
from pathlib import Path

OLD, NEW = b"old" * 700, b"new" * 700


def _file() -> Path:
    return Path(os.environ["FL_DIR"]) / "file"


def prepare() -> int:
    """A file with old bytes."""
    _file().write_bytes(OLD)
    return 0


def carelessly() -> int:
    """Over the old bytes."""
    _file().write_bytes(NEW)
    return _say_done()


def without_sync() -> int:
    """Beside them and renamed, nothing synced: kills do not hurt this one, power cuts do."""
    beside = _file().with_name("beside")
    beside.write_bytes(NEW)
    beside.rename(_file())
    return _say_done()


def durably() -> int:
    """Beside them, synced, renamed, the folder synced."""
    beside = _file().with_name("beside")
    with beside.open("wb") as stream:
        stream.write(NEW)
        stream.flush()
        os.fsync(stream.fileno())
    beside.rename(_file())
    folder = os.open(_file().parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    return _say_done()


def leaving_a_process() -> int:
    """Durably, yet something of it stays behind when it fails before its end."""
    child = os.fork()
    if child == 0:
        os.read(os.pipe()[0], 1)
    status = durably()
    os.kill(child, 9)
    return status


def _say_done() -> int:
    os.write(1, b"done\n")
    return 0


def holds() -> int:
    """The file is the old or the new one, and the new one where that was said."""
    content = _file().read_bytes()
    said = Path(os.environ["FL_ACK"]).read_bytes() == b"done\n"
    return 0 if content == NEW or (content == OLD and not said) else 1


def idly() -> int:
    """Touch nothing."""
    return 0
