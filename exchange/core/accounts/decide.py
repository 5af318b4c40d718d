"""Deciding on accounts, keys, settings and tiers. Nothing here changes state."""

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64

from exchange.core import refuse
from exchange.core.people.agreement import reserved
from exchange.core.state import Account, State
from exchange.rules.limits import MAX_KEYS_PER_ACCOUNT, MAX_REVOKED_KEYS
from exchange.values.accounts.commands import AddKey, OpenAccount, RevokeKey, SetUserTier, UpdateAccount
from exchange.values.accounts.events import AccountOpened, AccountSettingsChanged, KeyAdded, KeyRevoked, UserTierChanged
from exchange.values.enums import Pause
from exchange.values.events import AnyEvent
from exchange.values.ids import MAX_SUBACCOUNT, MAX_USER, KeyId, UserId, account_id, id_at, user_of
from exchange.values.numbers import E9
from exchange.values.text import MAX_TEXT


def ed25519_key(text: str) -> bool:
    """Whether this is the base64 of 32 bytes, in the one spelling that is canonical: a key has one name."""
    try:
        key = a2b_base64(text, strict_mode=True)
    except (Base64Error, ValueError):
        return False
    return len(key) == 32 and b2a_base64(key, newline=False).decode() == text


def open_account(state: State, time_us: int, command: OpenAccount) -> list[AnyEvent]:
    if (Pause.NEW_ACCOUNTS, "") in state.pauses:
        return refuse.precondition("New accounts are paused")
    user = UserId(state.last_user + 1) if command.user is None else command.user
    if user > MAX_USER:
        return refuse.precondition("There are no ids left for users")
    if command.user is not None and (not user or user not in state.users):
        return refuse.invalid("Unknown user")
    if not 0 <= command.subaccount <= MAX_SUBACCOUNT or len(command.label) > MAX_TEXT:
        return refuse.invalid(f"A sub-account is 0 to {MAX_SUBACCOUNT}, a label at most {MAX_TEXT} characters")
    account = account_id(user, command.subaccount)
    if account in state.accounts:
        return refuse.precondition("The account is open already")
    return [AccountOpened(account, command.label)]


def update_account(state: State, time_us: int, command: UpdateAccount, account: Account) -> list[AnyEvent]:
    settings = command.change.applied_to(account.settings)
    if not E9 <= settings.leverage_limit_e9 <= 100 * E9:
        return refuse.invalid("`leverageLimit` must be 1 to 100")
    return [AccountSettingsChanged(command.account, settings)]


def first_key(state: State, command: AddKey) -> bool:
    """A new user's, of an empty account: with any other a stranger could be let into an account that is somebody's."""
    account = state.accounts.get(command.account)
    return account is not None and not account.user.keyed and not account.balances


def add_key(state: State, time_us: int, command: AddKey) -> list[AnyEvent]:
    account = state.accounts.get(command.account)
    if account is None or not user_of(command.account):
        return refuse.invalid("Unknown account")
    if not ed25519_key(command.public_key):
        return refuse.invalid("A public key is the base64 of 32 bytes")
    refusal = refuse.used_key(state, command.public_key) or reserved(state, time_us, command.public_key)
    if refusal is not None:
        return refuse.refused(refusal)
    if not command.scopes or len(set(command.scopes)) != len(command.scopes) or len(command.label) > MAX_TEXT:
        return refuse.invalid("Scopes are needed, each once")
    if len(account.keys) >= MAX_KEYS_PER_ACCOUNT:
        return refuse.precondition(f"An account has at most {MAX_KEYS_PER_ACCOUNT} keys")
    if len(account.keys) + len(account.spent_keys) >= MAX_REVOKED_KEYS:
        return refuse.precondition(f"An account can have had at most {MAX_REVOKED_KEYS} keys: open another one")
    key_id = KeyId(id_at(state.seq + 1))
    return [KeyAdded(key_id, command.account, command.public_key, command.scopes, command.label)]


def revoke_key(state: State, time_us: int, command: RevokeKey) -> list[AnyEvent]:
    if command.key_id not in state.keys:
        return refuse.refused(refuse.NOT_FOUND)
    return [KeyRevoked(command.key_id)]


def set_user_tier(state: State, time_us: int, command: SetUserTier) -> list[AnyEvent]:
    if command.user not in state.users or not command.user:
        return refuse.invalid("Unknown user")
    if not 0 <= command.tier < len(state.fee_tiers):
        return refuse.invalid("Unknown tier")
    return [UserTierChanged(command.user, command.tier)]
