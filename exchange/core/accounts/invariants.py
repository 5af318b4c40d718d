"""What holds of users, accounts and keys at every seq: what is held twice, for speed, says the same twice."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from exchange.core.state import State
from exchange.values.ids import user_of


def accounts_are_their_users(state: State) -> Iterator[str]:
    """Every sub-account is its user's, and no other's."""
    for account_id, account in state.accounts.items():
        if account.account_id != account_id or state.users.get(user_of(account_id)) is not account.user:
            yield f"account {account_id}: its user is not the venue's"
    owned = 0
    for user_id, user in state.users.items():
        owned += len(user.accounts)
        if user.user_id != user_id or user_id > state.last_user:
            yield f"user {user_id}: ids are given in order, and the last one is {state.last_user}"
        if any(state.accounts.get(account.account_id) is not account for account in user.accounts):
            yield f"user {user_id}: its sub-accounts are not the venue's"
        if any(before.account_id >= after.account_id for before, after in pairwise(user.accounts)):
            yield f"user {user_id}: its sub-accounts do not stand by id"
    if owned != len(state.accounts):
        yield f"users own {owned} accounts, {len(state.accounts)} are open"


def keys_are_their_accounts(state: State) -> Iterator[str]:
    """Every API key is found by its id and its text, with its account."""
    owned = 0
    for account in state.accounts.values():
        owned += len(account.keys)
        for key_id, key in account.keys.items():
            if key.account is not account or key.key_id != key_id or state.keys.get(key_id) is not key:
                yield f"key {key_id}: its account and the venue do not agree"
        if account.keys and not account.user.keyed:
            yield f"account {account.account_id}: it has a key, and its user never had one"
        if any(before >= after for before, after in pairwise(account.keys)):
            yield f"account {account.account_id}: its keys do not stand by id"
    if owned != len(state.keys):
        yield f"accounts own {owned} keys, {len(state.keys)} are in force"
    if state.key_ids != {key.public_key: key_id for key_id, key in state.keys.items()}:
        yield "the API keys and their index do not agree"


def switches_are_due(state: State) -> Iterator[str]:
    """What the accounts have switched on is what becomes due."""
    switches = sorted((a.cancel_all_after_us, a.account_id) for a in state.accounts.values() if a.cancel_all_after_us)
    if switches != list(state.deadlines):
        yield "the dead-man's switches and the list of deadlines do not agree"
    for account_id, session in state.orphaned:
        account = state.accounts.get(account_id)
        if account is None or session not in account.armed_sessions:
            yield f"account {account_id}: a session of the last process is not armed"


INVARIANTS: Final = (accounts_are_their_users, keys_are_their_accounts, switches_are_due)
