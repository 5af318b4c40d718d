"""Applying what becomes of accounts and keys."""

from exchange.core.state import Key, State
from exchange.values.accounts.events import AccountOpened, AccountSettingsChanged, KeyAdded, KeyRevoked, UserTierChanged
from exchange.values.accounts.settings import DEFAULT_SETTINGS


def account_opened(state: State, event: AccountOpened) -> None:
    state.open_account(event.account, event.label)


def account_settings_changed(state: State, event: AccountSettingsChanged) -> None:
    # Changed back is never changed: an image leaves out what `is` the default.
    settings = DEFAULT_SETTINGS if event.settings == DEFAULT_SETTINGS else event.settings
    state.accounts[event.account].settings = settings


def key_added(state: State, event: KeyAdded) -> None:
    account = state.accounts[event.account]
    key = Key(account, event.key_id, event.public_key, event.scopes, event.label)
    state.keys[event.key_id] = account.keys[event.key_id] = key
    state.key_ids[event.public_key] = event.key_id
    account.user.keyed = True


def key_revoked(state: State, event: KeyRevoked) -> None:
    key = state.keys.pop(event.key_id)
    del key.account.keys[event.key_id]
    del state.key_ids[key.public_key]
    key.account.spent_keys += (key.public_key,)
    state.spent_keys[key.public_key] = None


def user_tier_changed(state: State, event: UserTierChanged) -> None:
    state.users[event.user].tier = event.tier
