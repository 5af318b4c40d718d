"""Accounts and keys, as they are shown."""

from exchange.core.state import Account, Key, State
from exchange.values.accounts.views import AccountView, KeyView


def account_view(state: State, account: Account) -> AccountView:
    return AccountView(
        account.account_id,
        account.user.user_id,
        account.settings,
        state.fee_tiers[account.user.tier],
        len(account.orders),
        account.cancel_all_after_us and account.cancel_all_after_us + state.frozen_us,
    )


def key_view(key: Key) -> KeyView:
    return KeyView(key.key_id, key.account.account_id, key.public_key, key.scopes, key.label)
