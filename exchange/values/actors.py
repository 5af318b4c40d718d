"""Who a record is of: what an audit trail and an account's history name beside every change."""

from typing import Final

from exchange.values.commands import AnyCommand
from exchange.values.ids import AccountId, AdminId
from exchange.values.process.commands import AcceptLoss

VENUE_ITSELF: Final = "venue"
#: What an account is told of others: that it was one of them.
SOMEBODY_ELSE: Final = "another account"


def senders(command: AnyCommand) -> tuple[AdminId, ...]:
    """The admins who signed for a command."""
    if isinstance(command, AcceptLoss):
        return (command.first_admin, command.second_admin)
    admin = getattr(command, "admin", None)
    return () if admin is None else (admin,)


def actor(command: AnyCommand) -> str:
    """Who sent a command: "key 31", "admin 12", "admins 12 and 13", or "venue" for its own."""
    if isinstance(command, AcceptLoss):
        return f"admins {command.first_admin} and {command.second_admin}"
    admin = getattr(command, "admin", None)
    if admin is not None:
        return f"admin {admin}"
    key_id = getattr(command, "key_id", None)
    return VENUE_ITSELF if key_id is None else f"key {key_id}"


def account_of(command: AnyCommand) -> AccountId | None:
    """The account whose key sent a command; None: an admin or the venue did."""
    return getattr(command, "account", None) if getattr(command, "key_id", None) is not None else None


class Origin:
    """What a record came of, as each account may know it: of another trader it learns nothing."""

    __slots__ = ("_account", "_actor", "command")

    def __init__(self, command: AnyCommand) -> None:
        self.command = type(command).__name__
        self._actor = actor(command)
        self._account = account_of(command)

    def towards(self, account: AccountId) -> str:
        """The actor, in words an account may read."""
        return self._actor if self._account is None or self._account == account else SOMEBODY_ELSE
