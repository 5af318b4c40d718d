"""What becomes of admins and proposals."""

from exchange.values.base import Event
from exchange.values.commands import TwoPeopleCommand
from exchange.values.enums import (
    ProposalEnd,
    Role,
)
from exchange.values.ids import AdminId, ProposalId
from exchange.values.people.admins import AdminSpec


class AdminAdded(Event, frozen=True):
    """`by` are those who agreed on it: none at the founding."""

    admin: AdminId
    added: AdminSpec
    by: tuple[AdminId, ...] = ()


class AdminChanged(Event, frozen=True):
    admin: AdminId
    roles: tuple[Role, ...]


class AdminRevoked(Event, frozen=True):
    admin: AdminId


class CommandProposed(Event, frozen=True):
    """One person has asked for `command`; it waits until `expires_us` for a second one who asks for the same."""

    proposal: ProposalId
    command: TwoPeopleCommand
    expires_us: int


class ProposalEnded(Event, frozen=True):
    proposal: ProposalId
    how: ProposalEnd


Events = AdminAdded | AdminChanged | AdminRevoked | CommandProposed | ProposalEnded
