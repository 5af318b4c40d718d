"""The whole state as bytes, and back.

Canonical and versioned: the same state gives the same bytes in every process and build, whatever the layout in memory.
One line of JSON for the venue, a part for each subject that was ever used; then one per user by id, with their
sub-accounts, and open orders with their account. The queue of a price level needs no mention: it is its orders by
rising id (`core.orders.book`).
"""

from typing import Any, Final

import msgspec

from exchange.core.accounts import image as accounts
from exchange.core.images import Table
from exchange.core.listings.image import LISTINGS
from exchange.core.modes.image import MODES
from exchange.core.money.image import MONEY
from exchange.core.orders import image as orders
from exchange.core.people import image as people
from exchange.core.process.image import PROCESS
from exchange.core.state import State, User
from exchange.core.windows import image as windows

FORMAT: Final = 1
#: What each subject holds for the whole venue; the names stand in the line.
SUBJECTS: Final[dict[str, Table[Any]]] = {
    "process": PROCESS,
    "listings": LISTINGS,
    "modes": MODES,
    "people": people.PEOPLE,
    "accounts": accounts.ACCOUNTS,
    "orders": orders.ORDERS,
    "money": MONEY,
    "windows": windows.WINDOWS,
}


class SnapshotError(ValueError):
    """Bytes that are not a snapshot this build reads."""


# Balances by asset: the order in which they were opened says nothing.
_encode = msgspec.json.Encoder(order="deterministic").encode
_NEVER_USED: Final = b"{}"
_decode_venue = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_subject: Final = {name: msgspec.json.Decoder(table.image).decode for name, table in SUBJECTS.items()}
_decode_user = msgspec.json.Decoder(accounts.UserImage).decode


def venue_line(state: State) -> bytes:
    """Everything that belongs to no user."""
    parts = {"format": msgspec.Raw(_encode(FORMAT))}
    for name, table in SUBJECTS.items():
        part = _encode(table.write(state))
        if part != _NEVER_USED:
            parts[name] = msgspec.Raw(part)
    return msgspec.json.encode(parts)


def user_line(user: User) -> bytes:
    """One user with their sub-accounts: balances, keys and open orders."""
    return _encode(accounts.USER.write(user))


def dump(state: State) -> bytes:
    """The snapshot; each line ends in a newline."""
    lines = [venue_line(state)]
    lines.extend(user_line(user) for _, user in sorted(state.users.items()))
    lines.append(b"")
    return b"\n".join(lines)


def load(data: bytes) -> State:
    """The state a snapshot holds.

    Raises:
        SnapshotError: not a snapshot, or of a format or with a field this build does not read.
    """
    lines = data.splitlines()
    state = State()
    try:
        _restore_venue(state, lines[0])
        accounts.restore_users(state, [_decode_user(line) for line in lines[1:]])
    except (IndexError, msgspec.MsgspecError) as error:
        raise SnapshotError(f"not a snapshot: {error}") from error
    except KeyError as error:
        raise SnapshotError(f"the snapshot names {error}, which it does not hold") from error
    return state


def _restore_venue(state: State, line: bytes) -> None:
    parts = _decode_venue(line)
    written = msgspec.json.decode(parts.pop("format"))
    if written != FORMAT:
        raise SnapshotError(f"snapshot format {written}, this build reads {FORMAT}")
    if unknown := parts.keys() - SUBJECTS.keys():
        raise SnapshotError(f"the snapshot holds {', '.join(sorted(unknown))}, which this build does not know")
    for name, table in SUBJECTS.items():
        if name in parts:
            table.restore(_decode_subject[name](parts[name]), state)
    state.find_under_way()
