"""The signatures of many lines, checked beside the fold and told in the order of the lines.

A signature costs three times as much as all else that verifying asks of a line, and needs only the line and the key that
the policy names. So a long log is checked by processes of their own, one for each core, while the fold goes on. They are
given public keys only. What they have not confirmed does not hold: when one of them ends early, so does verifying.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from typing import Self, TypeAlias

from noa_mlops.audit.signature_worker import ANSWER, HEAD
from noa_mlops.errors import LifecycleError
from noa_mlops.evidence import verify_line
from noa_mlops.ledger import Unsigned

PAYS_FROM = 4 << 20
"""Bytes of a log below which starting processes takes longer than checking its signatures."""

MOST_WORKERS = 16
"""More could not be fed: one process folds."""

_PROGRAM = Path(__file__).with_name("signature_worker.py")
_BATCH = 48 << 10
"""Bytes of lines in a batch: one fits into a socket while another one is checked."""
_AHEAD = 2
"""Batches that each worker has been given and not answered."""

Checked: TypeAlias = Generator[tuple[Unsigned, bool], None, None]
"""Each line, and whether its key signed it."""


class ChecksLost(LifecycleError):
    """A process that checked signatures ended before it was done, so nothing is known of the lines it had."""

    hint = "Nothing was found wrong so far, and nothing was verified. Run the command again."


def check_signatures(lines: Iterable[Unsigned], length: int) -> Checked:
    """Check the signatures of a log of about ``length`` bytes, in the order of its ``lines``, which are read ahead.

    Raises `ChecksLost`. Close it when not all is asked for.
    """
    workers = min(len(os.sched_getaffinity(0)), MOST_WORKERS)
    return check_apart(lines, workers) if workers > 1 and length >= PAYS_FROM else check_here(lines)


def check_here(lines: Iterable[Unsigned]) -> Checked:
    """Check every signature in this process."""
    for line in lines:
        yield line, verify_line(line.entry.line, line.key)


def check_apart(lines: Iterable[Unsigned], workers: int) -> Checked:
    """Check the signatures by that many processes, each of which gets one batch after the other."""
    with ExitStack() as stack:
        turns = cycle([stack.enter_context(_Worker()) for _ in range(workers)])
        waiting: deque[tuple[_Worker, list[Unsigned]]] = deque()
        for worker, batch in zip(turns, _batches(lines), strict=False):
            worker.give(batch)
            waiting.append((worker, batch))
            if len(waiting) > _AHEAD * workers:
                yield from _answered(*waiting.popleft())
        while waiting:
            yield from _answered(*waiting.popleft())


def _answered(worker: _Worker, batch: list[Unsigned]) -> Checked:
    signed = worker.answer(len(batch))
    for number, line in enumerate(batch):
        yield line, number < signed


def _batches(lines: Iterable[Unsigned]) -> Iterator[list[Unsigned]]:
    """Lines that one key must have signed, as many as fit into a batch."""
    batch: list[Unsigned] = []
    length = 0
    for line in lines:
        length += len(line.entry.line) + 1
        if batch and (length > _BATCH or line.key is not batch[0].key):
            yield batch
            batch, length = [], len(line.entry.line) + 1
        batch.append(line)
    if batch:
        yield batch


class _Worker:
    """One process; it ends with the ``with`` block, done or not."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(_PROGRAM)],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
            )

    def give(self, batch: list[Unsigned]) -> None:
        """Hand a batch over; waits while the worker has more than it can take. Raises `ChecksLost`."""
        key, lines = batch[0].key.pem.encode(), b"".join([line.entry.line + b"\n" for line in batch])
        try:
            self._line.sendall(HEAD.pack(len(key), len(lines)) + key + lines)
        except ConnectionError as error:
            raise self._lost() from error

    def answer(self, most: int) -> int:
        """How many lines of the oldest batch not yet answered are signed as they must be. Raises `ChecksLost`."""
        try:
            data = self._line.recv(ANSWER.size, socket.MSG_WAITALL)
        except ConnectionError as error:
            raise self._lost() from error
        if len(data) != ANSWER.size:
            raise self._lost()
        count: int = ANSWER.unpack(data)[0]
        if count > most:
            raise ChecksLost(f"a process that checks signatures answered {count} for {most} lines")
        return count

    def _lost(self) -> ChecksLost:
        self._process.kill()
        return ChecksLost(f"a process that checks signatures ended early (status {self._process.wait()})")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()
        self._process.kill()
        self._process.wait()
