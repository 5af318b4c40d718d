"""Admins, and proposals that wait for a second one."""

from typing import ClassVar

from exchange.values.base import Command
from exchange.values.enums import (
    Role,
)
from exchange.values.ids import AdminId, ProposalId
from exchange.values.people.admins import AdminSpec


class AddAdmin(Command, frozen=True):
    """Add an admin; a second approver asks for the same."""

    NAME: ClassVar[str] = "admins"

    admin: AdminId
    added: AdminSpec
    reason: str


class ChangeAdmin(Command, frozen=True):
    """Replace an admin's roles; a second approver asks for the same. Key and name stay."""

    NAME: ClassVar[str] = "admins/change"

    admin: AdminId
    changed: AdminId
    roles: tuple[Role, ...]
    reason: str


class RevokeAdmin(Command, frozen=True):
    """Take an admin's rights away; one of the last two approvers goes only if both ask for it."""

    NAME: ClassVar[str] = "admins/revoke"

    admin: AdminId
    revoked: AdminId
    reason: str


class WithdrawProposal(Command, frozen=True):
    """End a proposal before anybody confirms it: whoever made it may, and every approver."""

    NAME: ClassVar[str] = "proposals/withdraw"

    admin: AdminId
    proposal: ProposalId
    reason: str


AdminCommand = AddAdmin | ChangeAdmin | RevokeAdmin | WithdrawProposal
#: Those that can wait for a second person (their rows say when).
TwoPeopleCommand = AddAdmin | ChangeAdmin | RevokeAdmin
