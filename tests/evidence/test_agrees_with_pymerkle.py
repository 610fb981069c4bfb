"""The hash tree, held against pymerkle: an implementation of the same RFC that nobody here wrote."""

from __future__ import annotations

import pytest
from pymerkle import InmemoryTree

from noa_mlops.evidence import leaf_hash, prove_inclusion, root_of

ENTRIES = [b"entry %d" % number for number in range(40)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


@pytest.fixture(scope="module")
def tree():
    tree = InmemoryTree()
    for entry in ENTRIES:
        tree.append_entry(entry)
    return tree


@pytest.mark.parametrize("size", range(1, len(ENTRIES) + 1))
def test_gives_the_same_roots_and_paths(tree, size):
    assert tree.get_root(size) == root_of(LEAVES[:size])
    for index in range(size):
        theirs = tree.prove_inclusion(index + 1, size)
        assert tuple(theirs.path[1:]) == prove_inclusion(index, LEAVES[:size])
