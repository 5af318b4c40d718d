"""Users with their sub-accounts, balances and keys as they are written down.

There are hundreds of thousands of some of them, so names that stand in each are short.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from exchange.core.images import KEYS, Form, Image, Table, tabled
from exchange.core.orders.image import ORDER, EndedImage, OrderImage, ended_images, restore_ended, restore_orders
from exchange.core.state import Account, Balance, Key, State
from exchange.values.accounts.settings import DEFAULT_SETTINGS, AccountSettings
from exchange.values.enums import Scope
from exchange.values.ids import AccountId, KeyId, UserId


class BalanceImage(Image, frozen=True, rename={"available_atoms": "a", "locked_atoms": "l"}):
    """In the order of `Balance`'s parameters."""

    available_atoms: int = 0
    locked_atoms: int = 0


class KeyImage(Image, frozen=True, rename={"key_id": "id", "public_key": "key"}):
    """In the order of `Key`'s parameters behind its account."""

    key_id: KeyId
    public_key: str
    scopes: tuple[Scope, ...]
    label: str = ""


class AccountImage(Image, frozen=True, rename={"account_id": "id"}):
    """`balances` stand by asset, orders and keys by id, `ended_client_ids` in the order the orders ended in."""

    account_id: AccountId
    label: str = ""
    balances: dict[str, BalanceImage] = msgspec.field(default_factory=dict)
    orders: tuple[OrderImage, ...] = ()
    keys: tuple[KeyImage, ...] = ()
    settings: AccountSettings = DEFAULT_SETTINGS
    cancel_all_after_us: int = 0
    armed_sessions: tuple[str, ...] = ()
    ended_client_ids: tuple[EndedImage, ...] = ()
    spent_keys: tuple[str, ...] = ()


class UserImage(Image, frozen=True, rename={"user_id": "id"}):
    """`accounts` stand by id."""

    user_id: UserId
    accounts: tuple[AccountImage, ...]
    tier: int = 0
    keyed: bool = False


class AccountsImage(Image, frozen=True):
    """What belongs to no single user. `orphaned` are (account, session) in the order in which their work is due."""

    last_user: int = 0
    orphaned: tuple[tuple[AccountId, str], ...] = ()


def _balances(held: Mapping[str, Balance]) -> dict[str, BalanceImage]:
    """In any order: whoever encodes them sorts."""
    write = BALANCE.write
    return {asset: write(balance) for asset, balance in held.items()}


BALANCE: Final = Table(BalanceImage)
KEY: Final = Table(KeyImage, derived=frozenset({"account"}))
ACCOUNT: Final = Table(
    AccountImage,
    {
        "balances": Form(_balances),
        # Ids rise with time, so both stand by id.
        "orders": Form(tabled(ORDER)),
        "keys": Form(tabled(KEY)),
        # They become orphaned in this order.
        "armed_sessions": KEYS,
        "ended_client_ids": Form(ended_images),
    },
    derived=frozenset({"user", "open_orders", "client_ids"}),
)
USER: Final = Table(UserImage, {"accounts": Form(lambda held: tuple(map(ACCOUNT.write, held)))})
ACCOUNTS: Final = Table(AccountsImage, {"orphaned": KEYS})
#: What the state finds by these, it also holds by users and their accounts.
DERIVED: Final = frozenset({"users", "accounts", "keys", "key_ids", "spent_keys", "deadlines"})


def restore_users(state: State, images: Iterable[UserImage]) -> None:
    """Users, their sub-accounts with what those hold, and then all orders.

    Raises:
        KeyError: something belongs to a market that isn't listed.
    """
    state.spent_keys.update(state.spent_admin_keys)
    orders: list[tuple[OrderImage, Account]] = []
    ended: list[tuple[EndedImage, Account]] = []
    for image in images:
        for each in image.accounts:
            account = _restore_account(state, each)
            for order in each.orders:
                orders.append((order, account))
            for end in each.ended_client_ids:
                ended.append((end, account))
        USER.restore(image, state.users[image.user_id])
    restore_orders(state, orders)
    restore_ended(state, ended)


def _restore_account(state: State, image: AccountImage) -> Account:
    account = state.accounts.get(image.account_id)
    if account is None:
        account = state.open_account(image.account_id, image.label)
    ACCOUNT.restore(image, account)
    for asset, held in image.balances.items():
        account.balances[asset] = Balance(*msgspec.structs.astuple(held))
    for key_image in image.keys:
        key = Key(account, *msgspec.structs.astuple(key_image))
        state.keys[key.key_id] = account.keys[key.key_id] = key
        state.key_ids[key.public_key] = key.key_id
    if account.spent_keys:
        state.spent_keys.update(dict.fromkeys(account.spent_keys))
    if account.cancel_all_after_us:
        state.deadlines.add((account.cancel_all_after_us, account.account_id))
    return account
