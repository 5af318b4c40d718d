"""Accounts and keys, as they are shown."""

from exchange.values.accounts.settings import AccountSettings
from exchange.values.base import View
from exchange.values.enums import (
    Scope,
)
from exchange.values.ids import AccountId, KeyId, UserId
from exchange.values.listings.specs import FeeTier


class KeyView(View, frozen=True):
    """An API key that is in force."""

    key_id: KeyId
    account: AccountId
    public_key: str
    scopes: tuple[Scope, ...]
    label: str = ""


class AccountView(View, frozen=True):
    account: AccountId
    user: UserId
    settings: AccountSettings
    fee_tier: FeeTier
    open_orders: int
    cancel_all_after_us: int = 0
