"""The tree over statements."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.maintenance.evidence.merkle import climb, leaf, node, path, root

LEAVES = st.lists(st.binary(min_size=1, max_size=8), min_size=1, max_size=40, unique=True)


@given(LEAVES)
def test_every_path_leads_to_the_root(statements: list[bytes]) -> None:
    leaves = [leaf(b"salt", statement) for statement in statements]
    for index, start in enumerate(leaves):
        assert climb(start, path(leaves, index)) == root(leaves)


@given(LEAVES, st.data())
def test_another_leaf_does_not_get_there(statements: list[bytes], data: st.DataObject) -> None:
    leaves = [leaf(b"salt", statement) for statement in statements]
    index = data.draw(st.integers(0, len(leaves) - 1))
    assert climb(leaf(b"salt", b"not in there"), path(leaves, index)) != root(leaves)


def test_a_node_is_no_leaf_and_the_salt_counts() -> None:
    left, right = leaf(b"", b"a"), leaf(b"", b"b")
    assert leaf(b"", left + right) != node(left, right)
    assert leaf(b"1", b"a") != leaf(b"2", b"a")
    assert node(left, right) != node(right, left)


def test_the_edges() -> None:
    assert root([]) == bytes(32)
    assert root([b"x" * 32]) == b"x" * 32
    assert path([b"x" * 32], 0) == ()
    for index in (-1, 1):
        with pytest.raises(IndexError):
            path([b"x" * 32], index)
