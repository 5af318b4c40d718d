"""Admins and proposals, as they are shown."""

from exchange.values.base import View
from exchange.values.commands import TwoPeopleCommand
from exchange.values.enums import (
    Role,
)
from exchange.values.ids import AdminId, ProposalId


class AdminView(View, frozen=True):
    """An admin in force; `added_by` are those who agreed on adding them, none at the founding."""

    admin: AdminId
    name: str
    public_key: str
    roles: tuple[Role, ...]
    added_by: tuple[AdminId, ...] = ()


class ProposalView(View, frozen=True):
    """A command that waits until `expires_us` for a second person who asks for the same; it names who asked first."""

    proposal: ProposalId
    command: TwoPeopleCommand
    expires_us: int


class PeopleView(View, frozen=True):
    """Who runs the venue. `standing` says in words how many people it takes to act: "one person", or two."""

    standing: str
    approvers: int
    admins: tuple[AdminView, ...]
    proposals: tuple[ProposalView, ...]
