"""`ModelCheckpoint`s: the state of a training in ``checkpoint/``, from which it goes on after it was killed.

The file begins with the identity of the training (plan, data, code, libraries) and the digest of what follows, so that a
foreign or damaged one is noticed before it is read. It is read by ``torch.load`` with ``weights_only``: tensors and plain
data, never code.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from noa_mlops.files import write_durably
from noa_mlops.trainers.launch import say

FILE = "training.pt"
"""The name of the file, in the folder of checkpoints."""

PAUSE = 1.0
"""Seconds that are trained at least between two checkpoints."""

SHARE = 20
"""And so many times as long as the last one took to write, so that they cost a twentieth at most."""

_HEAD = 2 * 32


class ModelCheckpoints:
    """The checkpoints of one training; ``identity`` are the 32 bytes that it is known by."""

    def __init__(self, folder: Path, identity: bytes) -> None:
        self._path = folder / FILE
        self._identity = identity
        self._next = time.monotonic() + PAUSE

    def keep(self, state: Callable[[], dict[str, Any]]) -> None:
        """Write what ``state`` gives, durably and whole, if enough time has gone by; a training goes on where it cannot be."""
        began = time.monotonic()
        if began < self._next:
            return
        written = io.BytesIO(bytes(_HEAD))
        written.seek(_HEAD)
        torch.save(state(), written)
        with written.getbuffer() as whole:
            whole[:_HEAD] = self._identity + hashlib.sha256(whole[_HEAD:]).digest()
        try:
            write_durably(self._path, written.getvalue())
        except OSError as error:
            say(f"no checkpoint of the training could be written: {error.strerror}")
        ended = time.monotonic()
        self._next = ended + max(PAUSE, SHARE * (ended - began))

    def load(self, device: str) -> dict[str, Any] | None:
        """The state that was kept last, on ``device``; None without one, and with a line said when it cannot be used."""
        if not self._path.exists():
            return None
        try:
            return self._read(device)
        except _Unusable as reason:
            say(f"the checkpoint of the training {reason}; it is not used, and the training begins at the first epoch")
            return None

    def _read(self, device: str) -> dict[str, Any]:
        try:
            whole = self._path.read_bytes()
        except OSError as error:
            raise _Unusable(f"cannot be read ({error.strerror})") from error
        head, body = whole[:_HEAD], memoryview(whole)[_HEAD:]
        if head[32:] != hashlib.sha256(body).digest():
            raise _Unusable("is damaged")
        if head[:32] != self._identity:
            raise _Unusable("is of another plan, data, code or version of the libraries")
        try:
            state: dict[str, Any] = torch.load(io.BytesIO(body), map_location=device, weights_only=True)
        except (RuntimeError, UnpicklingError) as error:
            raise _Unusable(f"holds more than weights ({type(error).__name__})") from error
        return state


class _Unusable(Exception):
    """A checkpoint that is there and is not used; the message says why, to follow its name."""
