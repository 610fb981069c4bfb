"""A process of its own that checks signatures, and holds nothing but public keys and the lines it was given.

It is started as a program by `noa_mlops.audit.signatures`. On its standard input come batches: the lengths of a key and
of lines, the public key as PEM, the lines, each with its newline. For each batch it answers how many lines are signed by
that key before the first one that is not. It ends when its input does.
"""

from __future__ import annotations

import signal
import struct
import sys
from typing import BinaryIO

from noa_mlops.evidence import load_public, verify_line

HEAD = struct.Struct("<II")
"""Lengths in bytes of a batch's key and of its lines."""

ANSWER = struct.Struct("<I")
"""How many lines of a batch are signed as they must be, before the first one that is not."""


def serve(batches: BinaryIO, answers: BinaryIO) -> None:
    """Answer every batch until there are no more."""
    while len(head := batches.read(HEAD.size)) == HEAD.size:
        key_length, length = HEAD.unpack(head)
        pem, lines = batches.read(key_length), batches.read(length)
        answers.write(ANSWER.pack(count_signed(pem.decode(), lines)))
        answers.flush()


def count_signed(pem: str, lines: bytes) -> int:
    """How many of ``lines``, from the first one on, the key signed."""
    key, count = load_public(pem), 0
    for line in lines.split(b"\n")[:-1]:
        if not verify_line(line, key):
            break
        count += 1
    return count


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it is interrupted too, and closes its input
    serve(sys.stdin.buffer, sys.stdout.buffer)
