"""Accounts, their keys, settings and tiers."""

from exchange.values.accounts.settings import SettingsChange
from exchange.values.base import Command
from exchange.values.enums import (
    Scope,
)
from exchange.values.ids import AccountId, AdminId, KeyId, SubaccountId, UserId


class UpdateAccount(Command, frozen=True):
    """Change some of a sub-account's settings: only what was asked, so that two clients never undo each other."""

    account: AccountId
    key_id: KeyId
    change: SettingsChange


class SetUserTier(Command, frozen=True):
    admin: AdminId
    user: UserId
    tier: int
    reason: str


class OpenAccount(Command, frozen=True):
    """Open a new user's first account (`user` None), or a further sub-account of a user.

    A new user's id is the seq of this command.
    """

    admin: AdminId
    user: UserId | None = None
    subaccount: SubaccountId = SubaccountId(0)
    label: str = ""


class AddKey(Command, frozen=True):
    """Give a sub-account an API key: base64 of a 32-byte Ed25519 public key.

    `reason` is needed where somebody could be harmed by it: the account is not a new user's empty one.
    """

    admin: AdminId
    account: AccountId
    public_key: str
    scopes: tuple[Scope, ...]
    label: str = ""
    reason: str = ""


class RevokeKey(Command, frozen=True):
    admin: AdminId
    key_id: KeyId
    reason: str


TraderCommand = UpdateAccount
AdminCommand = SetUserTier | OpenAccount | AddKey | RevokeKey
#: Those that can wait for a second person (their rows say when).
TwoPeopleCommand = AddKey
