"""Proofs that an entry stands in a log, as text that needs nothing but the log's key (c2sp.org/tlog-proof).

A proof names the place of an entry and the hashes that lead from it to the root; the checkpoint that signs the root
comes with it. Each proof has one form: text that says the same in other bytes is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from noa_mlops.evidence.keys import PublicKey
from noa_mlops.evidence.merkle import Frontier, check_inclusion, leaf_hash
from noa_mlops.evidence.note import MAX_NOTE, LogCheckpoint, parse_checkpoint

TLOG_PROOF = "c2sp.org/tlog-proof@v1"
"""The first line of a proof."""

MAX_PATH = 63
"""Most hashes in a path: a tree of 2^63 leaves."""

_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")


class ProofInvalid(ValueError):
    """Text that is no proof in its one form; the message says why."""


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The place of an entry, and the path from its leaf to the root, the leaf's sibling first."""

    index: int
    path: tuple[bytes, ...]

    def text(self) -> str:
        """The lines of a proof that say this: the index, then a hash a line."""
        return "".join(f"{line}\n" for line in (f"index {self.index}", *map(_encode, self.path)))

    def leads(self, entry: bytes, head: LogCheckpoint) -> bool:
        """Whether the path leads from ``entry`` to the root of ``head``."""
        return check_inclusion(self.path, self.index, head.size, leaf_hash(entry), head.root)


def read_inclusion(text: str) -> Inclusion:
    """What `Inclusion.text` wrote. Raises `ProofInvalid`."""
    first, *hashes = text.removesuffix("\n").split("\n")
    index = _INDEX.fullmatch(first)
    if index is None or not text.endswith("\n"):
        raise ProofInvalid("does not name the place of its entry")
    if len(hashes) > MAX_PATH:
        raise ProofInvalid(f"has a path of more than {MAX_PATH} hashes")
    return Inclusion(int(index[1]), tuple(map(_hash, hashes)))


def write_proof(inclusion: Inclusion, checkpoint: bytes) -> bytes:
    """The proof file of one entry, without extra data; ``checkpoint`` is the signed note, byte for byte."""
    return f"{TLOG_PROOF}\n{inclusion.text()}\n".encode() + checkpoint


def read_proof(data: bytes) -> tuple[Inclusion, bytes]:
    """Place and path of a proof file, and its checkpoint, not yet checked; extra data is passed over.

    Raises `ProofInvalid`.
    """
    head, found, checkpoint = data.partition(b"\n\n")
    if not found or len(data) > 2 * MAX_NOTE:
        raise ProofInvalid("has no checkpoint, or is too long")
    try:
        kind, _, rest = f"{head.decode('ascii')}\n".partition("\n")
    except UnicodeDecodeError as error:
        raise ProofInvalid("is not text in ASCII up to its checkpoint") from error
    if kind != TLOG_PROOF:
        raise ProofInvalid(f"does not begin with {TLOG_PROOF}")
    if rest.startswith("extra "):
        extra, _, rest = rest.partition("\n")
        _decode(extra.removeprefix("extra "))
    return read_inclusion(rest), checkpoint


def check_proof(data: bytes, entry: bytes, origin: str, keys: Iterable[PublicKey]) -> LogCheckpoint:
    """The head under which ``entry`` stands in the log ``origin``, as the proof file ``data`` shows.

    Raises `ProofInvalid`, or `NoteInvalid` when none of ``keys`` signed the checkpoint.
    """
    inclusion, checkpoint = read_proof(data)
    head = parse_checkpoint(checkpoint, origin, keys)
    if not inclusion.leads(entry, head):
        raise ProofInvalid("does not lead from the entry to the root that was signed")
    return head


def prove_all(indexes: Iterable[int], size: int, leaves: Iterable[bytes]) -> Mapping[int, Inclusion]:
    """The proofs of several entries from one pass over the hashes of the first ``size`` leaves.

    Holds a few hashes for each proof, never the leaves. Raises `IndexError` for an index beyond ``size``, or when there
    are fewer leaves.
    """
    ranges = {index: path_ranges(index, size) for index in indexes}
    roots = _roots({span for path in ranges.values() for span in path}, size, leaves)
    return {index: Inclusion(index, tuple(roots[span] for span in path)) for index, path in ranges.items()}


def path_ranges(index: int, size: int) -> tuple[range, ...]:
    """The leaves below each node of the path from leaf ``index``, the leaf's sibling first (RFC 6962 2.1.1)."""
    if not 0 <= index < size:
        raise IndexError(f"leaf {index} is not in a tree of {size}")
    start, end, path = 0, size, []
    while end - start > 1:
        split = start + (1 << (end - start - 1).bit_length() - 1)
        if index < split:
            path.append(range(split, end))
            end = split
        else:
            path.append(range(start, split))
            start = split
    return tuple(reversed(path))


def _roots(spans: Iterable[range], size: int, leaves: Iterable[bytes]) -> Mapping[range, bytes]:
    """The root over each span of leaves; one tree grows for each span that the pass is in."""
    waiting = sorted(spans, key=lambda span: span.start, reverse=True)
    growing: dict[range, Frontier] = {}
    roots: dict[range, bytes] = {}
    for position, leaf in _first(size, leaves):
        while waiting and waiting[-1].start == position:
            growing[waiting.pop()] = Frontier()
        for span in tuple(growing):
            growing[span] = growing[span].push(leaf)
            if position == span.stop - 1:
                roots[span] = growing.pop(span).root()
    return roots


def _first(size: int, leaves: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    position = -1
    for position, leaf in zip(range(size), leaves, strict=False):
        yield position, leaf
    if position != size - 1:
        raise IndexError(f"there are {position + 1} leaves, not {size}")


def _hash(text: str) -> bytes:
    value = _decode(text)
    if len(value) != hashlib.sha256().digest_size:
        raise ProofInvalid("has a hash that is no SHA-256")
    return value


def _encode(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _decode(text: str) -> bytes:
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProofInvalid("has text that is not base64") from error
    if _encode(value) != text:
        raise ProofInvalid("has base64 that is not canonical")
    return value
