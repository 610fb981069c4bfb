"""The folder of one agent: what it is given, where it writes, and who owns it at the moment.

A workspace is owned through a lock on the folder itself, which the kernel lets go when its owner dies. So a
run that was interrupted can be claimed again, and a live one cannot.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from noa_mlops.agents.processes import end_marked
from noa_mlops.agents.removal import remove
from noa_mlops.errors import LedgerConflict, TrainingFailed
from noa_mlops.files import make_directories, open_beneath
from noa_mlops.records.documents import canonical
from noa_mlops.records.layout import Layout

OUT, TMP, CHECKPOINT, DATA, CODE = "out", "tmp", "checkpoint", "data", "code"
PAYLOAD, PROGRESS = "payload.json", "progress.jsonl"
JOURNAL = "controller.log"
"""What its supervisor writes, and locks as long as it lives."""

_RELEASED = -1
_PATIENCE, _PAUSE = 60.0, 0.005
_WIPED = (OUT, TMP, DATA, CODE)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Workspace:
    """A workspace that this process owns until `release`."""

    __slots__ = ("_folder", "agent_id", "path")

    def __init__(self, path: Path, agent_id: str, folder: int) -> None:
        self.path = path
        self.agent_id = agent_id
        self._folder = folder

    @classmethod
    def claim(cls, layout: Layout, agent_id: str) -> Workspace | None:
        """Own the workspace of ``agent_id``, made when it is missing; None when a living owner has it.

        Raises `LedgerConflict` when something else than a folder of our own lies there.
        """
        path = layout.workspace(agent_id)
        make_directories(path.parent)
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
        try:
            folder = os.open(path, _FOLDER)
        except OSError as error:
            raise LedgerConflict(
                f"{path} is not a folder that can be used ({error.strerror})", hint="Move it away and run again."
            ) from error
        workspace = cls(path, agent_id, folder)
        try:
            if _lock(folder) or _lock_again(folder):
                os.fchmod(folder, 0o700)
                workspace._outlive()
                return workspace
        except BaseException:
            workspace.release()
            raise
        workspace.release()
        return None

    @property
    def out(self) -> Path:
        """What the agent leaves: the model, or the predictions."""
        return self.path / OUT

    @property
    def tmp(self) -> Path:
        """Scratch space; also the agent's HOME."""
        return self.path / TMP

    @property
    def checkpoint(self) -> Path:
        """Resumable state, kept from one attempt to the next."""
        return self.path / CHECKPOINT

    @property
    def data(self) -> Path:
        """The data the agent is given."""
        return self.path / DATA

    @property
    def code(self) -> Path:
        """The code the agent is given."""
        return self.path / CODE

    @property
    def payload(self) -> Path:
        """What the agent is asked to do."""
        return self.path / PAYLOAD

    @property
    def progress(self) -> Path:
        """What the agent says about itself while it runs."""
        return self.path / PROGRESS

    @property
    def writable(self) -> tuple[Path, ...]:
        """What the agent may change."""
        return (self.out, self.tmp, self.checkpoint, self.progress)

    def prepare(self) -> None:
        """Make it ready for an attempt: everything of the last one goes but ``checkpoint/``. Raises `OSError`."""
        self.check()
        for name in _WIPED:
            self.renew(name)
        if not _is(stat.S_ISDIR, self._folder, CHECKPOINT):
            self.renew(CHECKPOINT)
        remove(self._folder, PROGRESS)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(PROGRESS, flags, 0o600, dir_fd=self._folder))

    def renew(self, name: str) -> Path:
        """An empty folder of that name in it; whatever was there goes. Raises `OSError`."""
        remove(self._folder, name)
        os.mkdir(name, 0o700, dir_fd=self._folder)
        return self.path / name

    def clear(self) -> None:
        """Remove all that is in it: for a new agent, when one that nobody knows of has left something. Raises `OSError`."""
        for name in os.listdir(self._folder):
            remove(self._folder, name)

    def remove(self) -> None:
        """Remove it with all that is in it. Raises `OSError`."""
        self.clear()
        self.path.rmdir()

    @property
    def leading(self) -> tuple[Path, Path]:
        """The folders with the names that lead to what is in it: itself, and the one that it lies in."""
        return self.path, self.path.parent.resolve()  # an operator may have linked it to another disk

    def mark(self, name: str) -> None:
        """Make an empty file in it, wherever its path leads by now. Raises `OSError`."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(name, flags, 0o600, dir_fd=self._folder))

    def write_payload(self, document: Mapping[str, Any]) -> None:
        """Write what the agent is asked to do, a JSON object; not synced, as it is written again for each attempt.

        Keys are in the canonical order: a model must not depend on the order in which its plan was written.
        """
        remove(self._folder, PAYLOAD)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(PAYLOAD, flags, 0o600, dir_fd=self._folder), "wb") as stream:
            stream.write(canonical(document))

    def check(self) -> None:
        """Raise `TrainingFailed` when the path leads to another folder than the one that was claimed."""
        here, there = os.fstat(self._folder), os.lstat(self.path) if os.path.lexists(self.path) else None
        if there is None or (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino):
            raise TrainingFailed(f"the workspace {self.agent_id} was replaced while its agent ran", cause="replaced")

    def tail(self, most: int = 4096) -> str:
        """The end of what the agent printed: its errors, or its output when there are none; at most ``most`` bytes."""
        for name in ("stderr.log", "stdout.log"):
            with contextlib.suppress(OSError), open_beneath(self.path, name) as stream:
                stream.seek(max(0, stream.seek(0, os.SEEK_END) - most))
                if text := stream.read(most).decode("utf-8", "replace").strip():
                    return text
        return ""

    def release(self) -> None:
        """Give it up; another process may claim it. A second call does nothing."""
        folder, self._folder = self._folder, _RELEASED
        if folder != _RELEASED:
            os.close(folder)

    def _outlive(self) -> None:
        """Wait until the agent of a former owner, who may have died just now, is dead with all that it started."""
        try:
            journal = os.open(JOURNAL, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._folder)
        except OSError:
            return
        try:
            deadline = time.monotonic() + _PATIENCE
            while not _lock(journal):
                if time.monotonic() > deadline:
                    raise LedgerConflict(f"an agent of a former run still works in {self.path}")
                time.sleep(_PAUSE)
        finally:
            os.close(journal)
        end_marked(mark_of(self.path))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def mark_of(workspace: Path) -> bytes:
    """The variable that the environment of every process of an agent holds, unless the process changed it."""
    return b"TMPDIR=" + os.fsencode(workspace / TMP)


def is_owned(path: Path) -> bool:
    """Whether a living process owns the workspace at ``path``; asked of the kernel, nothing is kept."""
    try:
        folder = os.open(path, _FOLDER)
    except OSError:
        return False
    try:
        return not _lock(folder)
    finally:
        os.close(folder)


def _lock_again(folder: int) -> bool:
    """Try once more: the first time it may only have been asked about, by `is_owned`."""
    time.sleep(_PAUSE)
    return _lock(folder)


def _lock(folder: int) -> bool:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is(kind: Any, folder: int, name: str) -> bool:
    try:
        return bool(kind(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode))
    except FileNotFoundError:
        return False
