"""Trees against the published vectors, and against each other."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.ledger import tree

VECTORS = Path(__file__).parents[1] / "vectors"
KNOWN = json.loads((VECTORS / "known_answers.json").read_text("utf-8"))
PROBES = json.loads((VECTORS / "merkle_probes.json").read_text("utf-8"))
LEAVES = [tree.leaf_hash(bytes([number])) for number in range(70)]


def plain(coded: list[str] | None) -> list[bytes]:
    return [b64decode(each) for each in coded or []]


def test_there_are_98_probes_of_each_kind() -> None:
    assert (len(PROBES["inclusion"]), len(PROBES["consistency"])) == (98, 98)


@pytest.mark.parametrize("probe", PROBES["inclusion"], ids=lambda probe: probe["name"])
def test_an_inclusion_proof_is_accepted_or_refused_as_published(probe: dict[str, Any]) -> None:
    leaf, root = b64decode(probe["leafHash"] or ""), b64decode(probe["root"] or "")
    try:
        tree.verify_inclusion(leaf, probe["leafIdx"], probe["treeSize"], plain(probe["proof"]), root)
        refused = False
    except tree.BadProof:
        refused = True
    assert refused == probe["wantErr"]


@pytest.mark.parametrize("probe", PROBES["consistency"], ids=lambda probe: probe["name"])
def test_a_consistency_proof_is_accepted_or_refused_as_published(probe: dict[str, Any]) -> None:
    roots = b64decode(probe["root1"] or ""), b64decode(probe["root2"] or "")
    try:
        tree.verify_consistency(probe["size1"], probe["size2"], plain(probe["proof"]), *roots)
        refused = False
    except tree.BadProof:
        refused = True
    assert refused == probe["wantErr"]


def test_hashes_are_those_of_rfc_6962() -> None:
    known = KNOWN["rfc6962_hasher"]
    assert tree.EMPTY_ROOT.hex() == tree.Frontier().root().hex() == tree.root_of([]).hex() == known["empty_root"]
    assert tree.leaf_hash(b"").hex() == known["leaf_empty"]
    assert tree.leaf_hash(b"L123456").hex() == known["leaf_L123456"]
    assert tree.node_hash(b"N123", b"N456").hex() == known["node_N123_N456"]


def test_the_reference_tree_has_its_published_roots_at_every_size() -> None:
    reference = KNOWN["ct_reference_tree"]
    frontier = tree.Frontier()
    for entry, root in zip(reference["leaves_hex"], reference["roots_hex_by_size_from_1"], strict=True):
        frontier.append(tree.leaf_hash(bytes.fromhex(entry)))
        assert frontier.root().hex() == root


def test_every_leaf_and_every_earlier_size_can_be_proved_up_to_70_leaves() -> None:
    for size in range(1, len(LEAVES) + 1):
        leaves, root = LEAVES[:size], tree.root_of(LEAVES[:size])
        for index in range(size):
            tree.verify_inclusion(leaves[index], index, size, tree.inclusion_proof(leaves, index), root)
            earlier = tree.root_of(leaves[: index + 1])
            tree.verify_consistency(index + 1, size, tree.consistency_proof(leaves, index + 1), earlier, root)


@pytest.mark.parametrize("size", [3, 6, 7, 13])
def test_a_consistency_proof_for_another_second_size_is_refused(size: int) -> None:
    leaves = LEAVES[:size]
    proof = tree.consistency_proof(leaves, 2)
    for claimed in range(3, 40):
        if len(tree.consistency_proof(LEAVES[:claimed], 2)) != len(proof) or tree.root_of(LEAVES[:claimed]) != tree.root_of(leaves):
            with pytest.raises(tree.BadProof):
                tree.verify_consistency(2, claimed, proof, tree.root_of(leaves[:2]), tree.root_of(LEAVES[:claimed]))


def test_there_is_no_proof_of_what_is_not_there() -> None:
    with pytest.raises(ValueError, match="no leaf 3"):
        tree.inclusion_proof(LEAVES[:3], 3)
    for first in (0, 4):
        with pytest.raises(ValueError, match="no earlier tree"):
            tree.consistency_proof(LEAVES[:3], first)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 300), max_size=5))
def test_a_frontier_that_is_stored_between_batches_leads_to_the_same_root(batches: list[int]) -> None:
    entries = [number.to_bytes(4, "big") for number in range(sum(batches))]
    frontier, done = tree.Frontier(), 0
    for batch in batches:
        frontier = tree.Frontier.from_bytes(frontier.to_bytes())
        frontier.extend(tree.leaf_hashes(entries[done : done + batch]))
        done += batch
    assert frontier.size == len(entries)
    assert frontier.root() == tree.root_of(tree.leaf_hashes(entries))


def test_a_copy_of_a_frontier_can_be_tried_without_changing_it() -> None:
    frontier = tree.Frontier()
    frontier.extend(LEAVES[:5])
    tried = frontier.copy()
    tried.append(LEAVES[5])
    assert (frontier.size, frontier.root()) == (5, tree.root_of(LEAVES[:5]))
    assert (tried.size, tried.root()) == (6, tree.root_of(LEAVES[:6]))


@pytest.mark.parametrize("stored", [b"", b"\0" * 7, b"\0" * 7 + b"\1", b"\0" * 8 + b"x" * 32, b"\0" * 7 + b"\3" + b"x" * 63])
def test_bytes_that_are_no_frontier_are_refused(stored: bytes) -> None:
    with pytest.raises(ValueError, match="frontier"):
        tree.Frontier.from_bytes(stored)
