"""A digest of the state: equal in two processes exactly if they hold the same.

Taken over the snapshot's canonical lines in `PARTITIONS` parts, so that a live process can give
one part at a time: a pause bounded by one part's users.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from exchange.core.snapshot import user_line, venue_line
from exchange.core.state import State
from exchange.values.ids import UserId

#: The last part is the venue's own line; users are spread over the others by id.
PARTITIONS: Final = 64


def partition_digest(state: State, partition: int) -> str:
    """BLAKE2b-256 (hex) over the lines of one part, 0 to PARTITIONS - 1."""
    hashed = blake2b(digest_size=32)
    if partition == PARTITIONS - 1:
        hashed.update(venue_line(state))
        return hashed.hexdigest()
    # Ids are dense, so this looks at no other part's users.
    for user_id in range(partition, state.last_user + 1, PARTITIONS - 1):
        user = state.users.get(UserId(user_id))
        if user is not None:
            hashed.update(user_line(user))
            hashed.update(b"\n")
    return hashed.hexdigest()


def join(parts: Sequence[str]) -> str:
    """The digest of the whole from the partition digests, in order, of one seq."""
    return blake2b("".join(parts).encode(), digest_size=32).hexdigest()


def digest(state: State) -> str:
    """BLAKE2b-256 (hex) over the digests of all parts, in order."""
    parts = [blake2b(digest_size=32) for _ in range(PARTITIONS)]
    for user_id, user in sorted(state.users.items()):
        part = parts[user_id % (PARTITIONS - 1)]
        part.update(user_line(user))
        part.update(b"\n")
    parts[-1].update(venue_line(state))
    return join([part.hexdigest() for part in parts])
