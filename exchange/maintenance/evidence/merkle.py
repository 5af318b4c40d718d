"""A Merkle tree over statements: one root for all, and for each a path that shows it is in there.

    leaf(salt, statement) = BLAKE2b-256(0x00 || salt || statement)
    node(left, right)     = BLAKE2b-256(0x01 || left || right)

The first byte keeps a node from being passed off as a leaf; the salt keeps anybody from guessing a
neighbour's statement from its hash. A level with an odd number of nodes hands its last one up as it is.
The root of no leaves is 32 zero bytes.
"""

from collections.abc import Sequence
from hashlib import blake2b

#: (sibling, whether it stands on the right), from the leaf upwards.
Path = tuple[tuple[bytes, bool], ...]


def leaf(salt: bytes, statement: bytes) -> bytes:
    return blake2b(b"\x00" + salt + statement, digest_size=32).digest()


def node(left: bytes, right: bytes) -> bytes:
    return blake2b(b"\x01" + left + right, digest_size=32).digest()


def _above(level: Sequence[bytes]) -> list[bytes]:
    pairs = [node(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
    return [*pairs, level[-1]] if len(level) % 2 else pairs


def root(leaves: Sequence[bytes]) -> bytes:
    level = leaves
    while len(level) > 1:
        level = _above(level)
    return level[0] if level else bytes(32)


def path(leaves: Sequence[bytes], index: int) -> Path:
    """What leads from leaf `index` to the root. Raises IndexError."""
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    steps: list[tuple[bytes, bool]] = []
    level = leaves
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            steps.append((level[sibling], sibling > index))
        level = _above(level)
        index //= 2
    return tuple(steps)


def climb(start: bytes, steps: Path) -> bytes:
    """The root that a leaf and its path lead to."""
    for sibling, on_the_right in steps:
        start = node(start, sibling) if on_the_right else node(sibling, start)
    return start
