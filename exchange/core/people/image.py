"""Admins and proposals as they are written down."""

from typing import Final

from exchange.core.images import SORTED_KEYS, SORTED_PAIRS, Image, Table, values
from exchange.values.ids import AdminId
from exchange.values.people.admins import AdminSpec
from exchange.values.people.events import CommandProposed


class PeopleImage(Image, frozen=True):
    """`admins` and `added_by` are pairs by admin; proposals in the order they were made in."""

    admins: tuple[tuple[AdminId, AdminSpec], ...] = ()
    added_by: tuple[tuple[AdminId, tuple[AdminId, ...]], ...] = ()
    unheard: tuple[AdminId, ...] = ()
    proposals: tuple[CommandProposed, ...] = ()
    spent_admin_keys: tuple[str, ...] = ()


PEOPLE: Final = Table(
    PeopleImage,
    {
        "admins": SORTED_PAIRS,
        "added_by": SORTED_PAIRS,
        "unheard": SORTED_KEYS,
        "proposals": values(lambda proposal: proposal.proposal),
        "spent_admin_keys": SORTED_KEYS,
    },
)
