"""The hash tree, held against the vectors that RFC 6962 implementations share, and against a recursive one."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noa_mlops.evidence import (
    EMPTY_ROOT,
    Frontier,
    check_consistency,
    check_inclusion,
    leaf_hash,
    node_hash,
    prove_consistency,
    prove_inclusion,
    root_of,
)

ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""Roots over the first 1 to 8 entries: the test vectors of the certificate-transparency reference code."""

leaves = st.lists(st.binary(max_size=40).map(leaf_hash), min_size=1, max_size=70)


def recursive_root(hashes):
    """RFC 6962 section 2.1, word for word."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return hashlib.sha256(b"\x01" + recursive_root(hashes[:split]) + recursive_root(hashes[split:])).digest()


def test_an_empty_tree_has_the_root_of_nothing():
    assert Frontier().root() == EMPTY_ROOT == root_of([])
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("size", range(1, 9))
def test_gives_the_roots_that_the_reference_code_gives(size):
    assert root_of(leaf_hash(entry) for entry in ENTRIES[:size]).hex() == ROOTS[size - 1]


def test_a_leaf_can_not_pass_as_a_node():
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)


@given(leaves)
def test_grows_to_the_root_that_the_recursion_gives(hashes):
    assert root_of(hashes) == recursive_root(hashes)


@given(leaves)
def test_keeps_one_hash_for_each_one_bit_of_its_size(hashes):
    frontier = Frontier()
    for leaf in hashes:
        frontier = frontier.push(leaf)
    assert (frontier.size, len(frontier.hashes)) == (len(hashes), len(hashes).bit_count())


@given(leaves, st.data())
def test_a_proof_of_inclusion_leads_to_the_root_and_no_other_leaf_or_place_does(hashes, data):
    index = data.draw(st.integers(0, len(hashes) - 1))
    proof, root = prove_inclusion(index, hashes), root_of(hashes)
    assert check_inclusion(proof, index, len(hashes), hashes[index], root)
    assert not check_inclusion(proof, index, len(hashes), leaf_hash(b"another" * 8), root)
    assert not check_inclusion((*proof, root), index, len(hashes), hashes[index], root)
    assert not check_inclusion(proof[:-1], index, len(hashes), hashes[index], root) or not proof
    assert not check_inclusion(proof, len(hashes), len(hashes), hashes[index], root)


@given(leaves, st.data())
def test_a_proof_of_consistency_shows_a_prefix_and_nothing_else(hashes, data):
    old = data.draw(st.integers(1, len(hashes)))
    proof = prove_consistency(old, hashes)
    before, after = (old, root_of(hashes[:old])), (len(hashes), root_of(hashes))
    assert check_consistency(proof, before, after)
    assert not check_consistency(proof, (old, leaf_hash(b"another" * 8)), after)
    assert not check_consistency(proof, before, (len(hashes), leaf_hash(b"another" * 8)))
    assert not check_consistency((*proof, after[1]), before, after)


def test_the_proofs_of_rfc_6962_have_the_nodes_its_example_names():
    """RFC 6962 section 2.1.3: the tree of seven leaves d0 to d6."""
    d = [leaf_hash(bytes([number])) for number in range(7)]
    g, h, i, j = (node_hash(d[n], d[n + 1]) if n < 6 else d[6] for n in (0, 2, 4, 6))
    k, last = node_hash(g, h), node_hash(i, j)
    assert prove_inclusion(0, d) == (d[1], h, last)
    assert prove_inclusion(3, d) == (d[2], g, last)
    assert prove_inclusion(4, d) == (d[5], j, k)
    assert prove_inclusion(6, d) == (i, k)
    assert prove_consistency(3, d) == (d[2], d[3], g, last)
    assert prove_consistency(4, d) == (last,)
    assert prove_consistency(6, d) == (i, j, k)


@pytest.mark.parametrize("index", [-1, 3])
def test_refuses_to_prove_what_is_not_in_the_tree(index):
    with pytest.raises(IndexError, match=f"leaf {index}"):
        prove_inclusion(index, [leaf_hash(b"x")] * 3)
    with pytest.raises(IndexError):
        prove_consistency(4, [leaf_hash(b"x")] * 3)
