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
        """Write what ``state`` gives, durably and whole, if enough time has gone by. Raises `OSError`."""
        began = time.monotonic()
        if began < self._next:
            return
        written = io.BytesIO()
        torch.save(state(), written)
        body = written.getbuffer()
        write_durably(self._path, b"".join((self._identity, hashlib.sha256(body).digest(), body)))
        ended = time.monotonic()
        self._next = ended + max(PAUSE, SHARE * (ended - began))

    def load(self, device: str) -> dict[str, Any] | None:
        """The state that was kept last, on ``device``; None without one, and with a line said when it cannot be used."""
        try:
            whole = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            return _not_used(f"cannot be read ({error.strerror})")
        head, body = whole[:_HEAD], memoryview(whole)[_HEAD:]
        if head[32:] != hashlib.sha256(body).digest():
            return _not_used("is damaged")
        if head[:32] != self._identity:
            return _not_used("is of another plan, data, code or version of the libraries")
        try:
            state: dict[str, Any] = torch.load(io.BytesIO(body), map_location=device, weights_only=True)
        except (RuntimeError, UnpicklingError) as error:
            return _not_used(f"holds more than weights ({type(error).__name__})")
        return state


def _not_used(reason: str) -> None:
    say(f"the checkpoint of the training {reason}; it is not used, and the training begins at the first epoch")
