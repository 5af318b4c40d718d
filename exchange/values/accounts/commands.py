"""Accounts, their keys, settings and tiers."""

from typing import ClassVar

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
    """Put a user on a fee tier."""

    NAME: ClassVar[str] = "user-tier"

    admin: AdminId
    user: UserId
    tier: int
    reason: str


class OpenAccount(Command, frozen=True):
    """Open a new user's first account, or a sub-account of `user`. Users are numbered in the order they come."""

    NAME: ClassVar[str] = "accounts"

    admin: AdminId
    user: UserId | None = None
    subaccount: SubaccountId = SubaccountId(0)
    label: str = ""


class AddKey(Command, frozen=True):
    """Give an account an API key; one that is not a new user's empty one takes a reason, and an approver too.

    `public_key` is base64 of 32 bytes, Ed25519.
    """

    NAME: ClassVar[str] = "keys"

    admin: AdminId
    account: AccountId
    public_key: str
    scopes: tuple[Scope, ...]
    label: str = ""
    reason: str = ""


class RevokeKey(Command, frozen=True):
    """Take an API key out of force."""

    NAME: ClassVar[str] = "keys/revoke"

    admin: AdminId
    key_id: KeyId
    reason: str


TraderCommand = UpdateAccount
AdminCommand = SetUserTier | OpenAccount | AddKey | RevokeKey
#: Those that can wait for a second person (their rows say when).
TwoPeopleCommand = AddKey
