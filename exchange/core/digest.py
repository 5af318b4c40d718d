"""A digest of the state: equal in two processes exactly if they hold the same.

Taken over the snapshot's canonical lines in `PARTITIONS` parts, so that a live process can give
one part at a time: a pause bounded by one part's accounts.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from exchange.core.snapshot import account_line, venue_line
from exchange.core.state import State

#: The last part is the venue's own line; accounts are spread over the others by id.
PARTITIONS: Final = 64


def partition_digest(state: State, partition: int) -> str:
    """BLAKE2b-256 (hex) over the lines of one part, 0 to PARTITIONS - 1."""
    hashed = blake2b(digest_size=32)
    if partition == PARTITIONS - 1:
        hashed.update(venue_line(state))
        return hashed.hexdigest()
    for account_id in sorted(held for held in state.accounts if held % (PARTITIONS - 1) == partition):
        hashed.update(account_line(state.accounts[account_id]))
        hashed.update(b"\n")
    return hashed.hexdigest()


def join(parts: Sequence[str]) -> str:
    """The digest of the whole from the partition digests, in order, of one seq."""
    return blake2b("".join(parts).encode(), digest_size=32).hexdigest()


def digest(state: State) -> str:
    """BLAKE2b-256 (hex) over the digests of all parts, in order."""
    parts = [blake2b(digest_size=32) for _ in range(PARTITIONS)]
    for account_id, account in sorted(state.accounts.items()):
        part = parts[account_id % (PARTITIONS - 1)]
        part.update(account_line(account))
        part.update(b"\n")
    parts[-1].update(venue_line(state))
    return join([part.hexdigest() for part in parts])
