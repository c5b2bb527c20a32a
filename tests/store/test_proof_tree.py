"""Trees and their proofs: the published vectors of RFC 6962 libraries, all small trees, and mutations of them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jiqun.store.proof import leaf_hash, node_hash, root, verify_consistency, verify_inclusion
from jiqun.store.tree import consistency_ranges, extend, fold, inclusion_ranges, nodes_of

MOST = 64
LEAVES = [leaf_hash(bytes([number])) for number in range(MOST)]


@pytest.fixture(scope="module")
def vectors(shared_data: Path) -> Path:
    return shared_data / "published" / "rfc6962"


def decoded(value: str | None) -> bytes:
    return base64.b64decode(value or "")


def cases(vectors: Path, name: str) -> list[dict[str, Any]]:
    found = json.loads((vectors / f"{name}.json").read_text())
    assert {case["wantErr"] for case in found} == {True, False}
    return found


def test_published_inclusion_vectors(vectors):
    for case in cases(vectors, "inclusion"):
        proof = [decoded(item) for item in case["proof"] or ()]
        leaf, expected = decoded(case["leafHash"]), decoded(case["root"])
        found = verify_inclusion(case["leafIdx"], case["treeSize"], leaf, proof, expected)
        assert found != case["wantErr"], case["name"]


def test_published_consistency_vectors(vectors):
    for case in cases(vectors, "consistency"):
        proof = [decoded(item) for item in case["proof"] or ()]
        found = verify_consistency(case["size1"], case["size2"], proof, decoded(case["root1"]), decoded(case["root2"]))
        assert found != case["wantErr"], case["name"]


def test_published_subtree_inclusion_vectors(vectors):
    """A subtree is a tree of its own: its leaf `leafIdx` is number `leafIdx - start` of `end - start`."""
    for case in cases(vectors, "subtreeinclusion"):
        proof = [decoded(item) for item in case["proof"] or ()]
        start, end = case["start"], case["end"]
        aligned = start % (1 << max(end - start - 1, 0).bit_length()) == 0  # else it is not a subtree of the draft
        found = aligned and verify_inclusion(
            case["leafIdx"] - start, end - start, decoded(case["leafHash"]), proof, decoded(case["root"])
        )
        assert found != case["wantErr"], case["name"]


def test_published_subtree_consistency_vectors_of_subtrees_that_begin_at_the_first_leaf(vectors):
    for case in cases(vectors, "subtreeconsistency"):
        if case["start"] == 0 and case["end"] > 0:  # else it is not a proof of RFC 9162
            proof = [decoded(item) for item in case["proof"] or ()]
            roots = decoded(case["root1"]), decoded(case["root2"])
            assert verify_consistency(case["end"], case["size"], proof, *roots) != case["wantErr"], case["name"]


def test_hashes_of_a_wrong_length_are_refused():
    for wrong in (b"", LEAVES[0][:31], LEAVES[0] + b"x"):
        assert not verify_inclusion(0, 1, wrong, [], wrong)
        assert not verify_inclusion(0, 2, LEAVES[0], [wrong], node_hash(LEAVES[0], wrong))
        assert not verify_consistency(1, 2, [wrong], LEAVES[0], node_hash(LEAVES[0], wrong))
        assert not verify_consistency(1, 2, [LEAVES[1]], wrong, node_hash(wrong, LEAVES[1]))


def test_published_tree_of_eight_leaves(vectors):
    tree = json.loads((vectors / "tree8.json").read_text())
    leaves = [leaf_hash(bytes.fromhex(leaf)) for leaf in tree["leaf_inputs_hex"]]
    for size, expected in tree["roots_hex_by_tree_size"].items():
        assert root(leaves[: int(size)]).hex() == expected
    hasher = tree["hasher"]
    assert root([]).hex() == hasher["empty_root"]
    assert leaf_hash(b"").hex() == hasher["leaf_hash_of_empty"]
    assert leaf_hash(b"L123456").hex() == hasher["leaf_hash_of_ascii_L123456"]


def by_definition(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1, word for word."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(by_definition(leaves[:k]), by_definition(leaves[k:]))


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 9162, 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*path(m, leaves[:k]), by_definition(leaves[k:])]
    return [*path(m - k, leaves[k:]), by_definition(leaves[:k])]


def subproof(m: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 9162, 2.1.4.1."""
    if m == len(leaves):
        return [] if whole else [by_definition(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*subproof(m, leaves[:k], whole), by_definition(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), by_definition(leaves[:k])]


def hashes(ranges: list[tuple[int, int]]) -> list[bytes]:
    return [fold([root(LEAVES[p << level : (p + 1) << level]) for level, p in nodes_of(*one)]) for one in ranges]


INCLUSION = {(m, n): hashes(inclusion_ranges(m, n)) for n in range(1, MOST + 1) for m in range(n)}
CONSISTENCY = {(m, n): hashes(consistency_ranges(m, n)) for n in range(1, MOST + 1) for m in range(1, n + 1)}
ROOTS = [root(LEAVES[:size]) for size in range(MOST + 1)]


def test_all_trees_and_proofs_up_to_64_leaves_are_those_of_the_definition():
    for size in range(1, MOST + 1):
        assert ROOTS[size] == by_definition(LEAVES[:size]) == hashes([(0, size)])[0]
    for (m, n), proof in INCLUSION.items():
        assert proof == path(m, LEAVES[:n])
        assert verify_inclusion(m, n, LEAVES[m], proof, ROOTS[n])
    for (m, n), proof in CONSISTENCY.items():
        assert proof == subproof(m, LEAVES[:n], True)
        assert verify_consistency(m, n, proof, ROOTS[m], ROOTS[n])


def test_a_proof_is_good_for_its_own_leaf_and_size_alone():
    sizes = (1, 2, 3, 5, 7, 8, 13, 16)
    for n in sizes:
        for m in range(n):
            for other in range(17):
                assert verify_inclusion(other, n, LEAVES[m], INCLUSION[m, n], ROOTS[n]) == (other == m)
            for leaf in range(n):
                assert verify_inclusion(m, n, LEAVES[leaf], INCLUSION[m, n], ROOTS[n]) == (leaf == m)
        for m in range(1, n + 1):
            for other in range(18):
                if other != m:
                    assert not verify_consistency(other, n, CONSISTENCY[m, n], ROOTS[other], ROOTS[n])
                if other != n:
                    assert not verify_consistency(m, other, CONSISTENCY[m, n], ROOTS[m], ROOTS[other])


def test_size_zero_negative_and_enormous_sizes_are_refused():
    empty = root([])
    assert not verify_consistency(0, 0, [], empty, empty)
    assert not verify_consistency(0, 5, [], empty, ROOTS[5])
    assert not verify_consistency(-1, 5, [], empty, ROOTS[5])
    assert not verify_inclusion(0, 0, LEAVES[0], [], empty)
    assert not verify_inclusion(-1, 1, LEAVES[0], [], LEAVES[0])
    assert not verify_inclusion(1 << 70, (1 << 70) + 1, LEAVES[0], [], LEAVES[0])


@given(st.data())
def test_any_mutation_of_a_proof_is_rejected(data):
    kind = data.draw(st.sampled_from(["inclusion", "consistency"]))
    m, n = data.draw(st.sampled_from(sorted(INCLUSION if kind == "inclusion" else CONSISTENCY)))
    proof = list((INCLUSION if kind == "inclusion" else CONSISTENCY)[m, n])
    values = [LEAVES[m] if kind == "inclusion" else ROOTS[m], ROOTS[n], *proof]
    place = data.draw(st.integers(0, len(values) - 1))
    change = data.draw(st.sampled_from(["flip", "cut", "lengthen", "drop", "repeat", "insert"]))
    if change == "flip":
        bit = data.draw(st.integers(0, 255))
        mutated = bytearray(values[place])
        mutated[bit // 8] ^= 1 << bit % 8
        values[place] = bytes(mutated)
    elif change == "cut":
        values[place] = values[place][: data.draw(st.integers(0, 31))]
    elif change == "lengthen":
        values[place] += data.draw(st.binary(min_size=1, max_size=33))
    elif change == "drop" and place >= 2:
        del values[place]
    elif change == "repeat":
        values.append(values[place])
    else:
        values.insert(max(place, 2), data.draw(st.binary(min_size=32, max_size=32)))
    of, tree_root, *steps = values
    if kind == "inclusion":
        assert not verify_inclusion(m, n, of, steps, tree_root)
    else:
        assert not verify_consistency(m, n, steps, of, tree_root)


@given(st.lists(st.integers(0, 40), max_size=6))
def test_however_it_is_cut_into_batches_the_tree_has_the_same_nodes(batches):
    leaves = [leaf_hash(number.to_bytes(2)) for number in range(sum(batches))]
    nodes: dict[tuple[int, int], bytes] = {}
    size = 0
    for batch in batches:
        added = leaves[size : size + batch]
        nodes |= {(0, size + number): leaf for number, leaf in enumerate(added)}
        peaks = {node: nodes[node] for node in nodes_of(0, size)}
        nodes |= {(level, position): found for level, position, found in extend(peaks, size, added)}
        size += batch
    expected = {
        (level, position): root(leaves[position << level : (position + 1) << level])
        for level in range(size.bit_length())
        for position in range(size >> level)
    }
    assert nodes == expected
