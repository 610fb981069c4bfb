"""The hash tree over a log's lines (RFC 6962 section 2.1, RFC 9162 section 2.1).

`Frontier` grows a tree leaf by leaf in constant memory. Each ``prove_`` has its ``check_``; who checks needs
the proof and two roots, never the log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""

_BLOCK = 256
"""Leaves that are hashed together; a power of two."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf; its prefix keeps a leaf from passing as a node."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a tree: the roots of its perfect subtrees, the largest first.

    ``size`` leaves need as many hashes as ``size`` has one-bits, so at most 64.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def push(self, leaf: bytes) -> Frontier:
        """The tree with one more leaf, given as its `leaf_hash`."""
        kept, count = len(self.hashes), self.size
        while count & 1:
            kept, count = kept - 1, count >> 1
            leaf = node_hash(self.hashes[kept], leaf)
        return Frontier(self.size + 1, (*self.hashes[:kept], leaf))

    def extend(self, leaves: Iterable[bytes]) -> Frontier:
        """The tree with more leaves, given as their `leaf_hash`; faster than to push each."""
        frontier, remaining = self, iter(leaves)
        while block := list(islice(remaining, _BLOCK - frontier.size % _BLOCK)):
            if len(block) == _BLOCK:
                frontier = frontier._with_block(block)
            else:
                for leaf in block:
                    frontier = frontier.push(leaf)
        return frontier

    def root(self) -> bytes:
        """The root of the tree."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root

    def _with_block(self, leaves: Sequence[bytes]) -> Frontier:
        """With a whole block after whole blocks: level by level, all pairs of a level at once."""
        nodes = leaves
        while len(nodes) > 1:
            pairs = iter(nodes)
            nodes = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
        blocks = Frontier(self.size // _BLOCK, self.hashes).push(nodes[0])
        return Frontier(self.size + _BLOCK, blocks.hashes)


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes."""
    return Frontier().extend(leaves).root()


def prove_inclusion(index: int, leaves: Sequence[bytes]) -> tuple[bytes, ...]:
    """The path from leaf ``index`` to the root over ``leaves``, the leaf's sibling first (RFC 6962 2.1.1)."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"leaf {index} is not in a tree of {len(leaves)}")
    if len(leaves) == 1:
        return ()
    split = _split(len(leaves))
    left, right = leaves[:split], leaves[split:]
    if index < split:
        return (*prove_inclusion(index, left), root_of(right))
    return (*prove_inclusion(index - split, right), root_of(left))


def check_inclusion(proof: Sequence[bytes], index: int, size: int, leaf: bytes, root: bytes) -> bool:
    """Whether ``proof`` leads from ``leaf`` at ``index`` to the ``root`` of ``size`` leaves (RFC 9162 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    position, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            found = node_hash(sibling, found)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and found == root


def prove_consistency(size: int, leaves: Sequence[bytes]) -> tuple[bytes, ...]:
    """That the tree of the first ``size`` leaves is a prefix of the tree over all ``leaves`` (RFC 6962 2.1.2)."""
    if not 0 < size <= len(leaves):
        raise IndexError(f"a tree of {size} is not within one of {len(leaves)}")
    return _subproof(size, leaves, whole=True)


def check_consistency(proof: Sequence[bytes], old: tuple[int, bytes], new: tuple[int, bytes]) -> bool:
    """Whether ``proof`` shows the tree ``old`` to be a prefix of ``new``, each given as size and root (RFC 9162 2.1.4.2)."""
    (old_size, old_root), (new_size, new_root) = old, new
    if not 0 < old_size <= new_size:
        return False
    if old_size == new_size:
        return not proof and old_root == new_root
    path = list(proof) if old_size & (old_size - 1) else [old_root, *proof]
    if not path:
        return False
    return _walk(path, old_size - 1, new_size - 1) == (old_root, new_root)


def _walk(path: Sequence[bytes], position: int, last: int) -> tuple[bytes, bytes] | None:
    """Both roots that a consistency path leads to, None when it has the wrong length."""
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return None
        if position & 1 or position == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        position, last = position >> 1, last >> 1
    return (old, new) if last == 0 else None


def _subproof(size: int, leaves: Sequence[bytes], *, whole: bool) -> tuple[bytes, ...]:
    if size == len(leaves):
        return () if whole else (root_of(leaves),)
    split = _split(len(leaves))
    left, right = leaves[:split], leaves[split:]
    if size <= split:
        return (*_subproof(size, left, whole=whole), root_of(right))
    return (*_subproof(size - split, right, whole=False), root_of(left))


def _split(count: int) -> int:
    """The largest power of two below ``count``."""
    return 1 << (count - 1).bit_length() - 1
