"""Signals that end a run. The first asks it to stop at the next safe place; the second ends the process at once.

Ending at once is safe too, as a power cut is: the ledger says what happened, and the same command goes on from there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from noa_mlops.cli import output
from noa_mlops.lifecycle import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Terminated(Interrupted):
    """Like `Interrupted`, by the signal that asks a process to end."""

    exit_code = 143


@contextlib.contextmanager
def interruptible() -> Iterator[threading.Event]:
    """An event that the first signal sets, for the run in the block. Raises `Terminated` or `Interrupted` after it.

    A signal that whoever started this process has it ignore stays ignored.
    """
    cancel, received = threading.Event(), list[int]()

    def take(number: int, frame: FrameType | None) -> None:
        if received:
            os._exit(128 + number)
        received.append(number)
        cancel.set()
        output.note(f"{signal.Signals(number).name}: stopping; once more to stop at once")

    heeded = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, take) for number in heeded}
    try:
        yield cancel
    except Interrupted as error:
        raise Terminated(str(error)) if received == [signal.SIGTERM] else error from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
