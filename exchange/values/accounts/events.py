"""What becomes of accounts and their keys."""

from exchange.values.accounts.settings import AccountSettings
from exchange.values.base import Event
from exchange.values.enums import (
    Scope,
)
from exchange.values.ids import AccountId, KeyId, UserId


class AccountOpened(Event, frozen=True):
    account: AccountId
    label: str = ""


class AccountSettingsChanged(Event, frozen=True):
    account: AccountId
    settings: AccountSettings


class KeyAdded(Event, frozen=True):
    key_id: KeyId
    account: AccountId
    public_key: str
    scopes: tuple[Scope, ...]
    label: str = ""


class KeyRevoked(Event, frozen=True):
    key_id: KeyId


class UserTierChanged(Event, frozen=True):
    user: UserId
    tier: int


Events = AccountOpened | AccountSettingsChanged | KeyAdded | KeyRevoked | UserTierChanged
