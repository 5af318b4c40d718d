"""Deciding on accounts, keys, admins and money. Nothing here changes state."""

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64

from exchange.core import refuse
from exchange.core.state import State
from exchange.rules.limits import MAX_KEYS_PER_ACCOUNT, MAX_SUBACCOUNT, MAX_TEXT
from exchange.rules.modes import permits
from exchange.values.commands import (
    AddAdmin,
    AddKey,
    AdminSpec,
    CreditDeposit,
    OpenAccount,
    RevokeAdmin,
    RevokeKey,
    UpdateAccount,
)
from exchange.values.enums import Action, Pause, Role, Scope
from exchange.values.events import (
    AccountOpened,
    AccountSettingsChanged,
    AdminAdded,
    AdminProposed,
    AdminRevoked,
    AnyEvent,
    KeyAdded,
    KeyRevoked,
    Leg,
    Posted,
)
from exchange.values.ids import CUSTODY, AdminId, KeyId, UserId, account_id, id_at, user_of
from exchange.values.numbers import E9, MAX_ATOMS
from exchange.values.refusals import Refusal


def ed25519_key(text: str) -> bool:
    """Whether this is the base64 of 32 bytes, in the one spelling that is canonical: a key has one name."""
    try:
        key = a2b_base64(text, strict_mode=True)
    except (Base64Error, ValueError):
        return False
    return len(key) == 32 and b2a_base64(key, newline=False).decode() == text


def good_admin(spec: AdminSpec) -> bool:
    """Whether an admin has a name, a role and a public key."""
    return bool(spec.name) and len(spec.name) <= MAX_TEXT and bool(spec.roles) and ed25519_key(spec.public_key)


def open_account(state: State, time_us: int, command: OpenAccount) -> list[AnyEvent]:
    refusal = refuse.admin(state, command.admin, Role.SUPPORT)
    if refusal is not None:
        return refuse.refused(refusal)
    if (Pause.NEW_ACCOUNTS, "") in state.pauses:
        return refuse.precondition("New accounts are paused")
    user = UserId(state.seq + 1) if command.user is None else command.user
    if command.user is not None and (not user or user not in state.users):
        return refuse.invalid("Unknown user")
    if not 0 <= command.subaccount <= MAX_SUBACCOUNT or len(command.label) > MAX_TEXT:
        return refuse.invalid(f"A sub-account is 0 to {MAX_SUBACCOUNT}, a label at most {MAX_TEXT} characters")
    account = account_id(user, command.subaccount)
    if account in state.accounts:
        return refuse.precondition("The account is open already")
    return [AccountOpened(account, command.label)]


def update_account(state: State, time_us: int, command: UpdateAccount) -> list[AnyEvent]:
    account = refuse.trader(state, command.account, command.key_id, Scope.TRADE)
    if isinstance(account, Refusal):
        return refuse.refused(account)
    settings = command.change.applied_to(account.settings)
    if not E9 <= settings.leverage_limit_e9 <= 100 * E9:
        return refuse.invalid("`leverageLimit` must be 1 to 100")
    return [AccountSettingsChanged(command.account, settings)]


def add_key(state: State, time_us: int, command: AddKey) -> list[AnyEvent]:
    refusal = refuse.admin(state, command.admin, Role.SUPPORT)
    if refusal is not None:
        return refuse.refused(refusal)
    account = state.accounts.get(command.account)
    if account is None or not user_of(command.account):
        return refuse.invalid("Unknown account")
    if not ed25519_key(command.public_key):
        return refuse.invalid("A public key is the base64 of 32 bytes")
    if command.public_key in state.key_ids:
        return refuse.precondition("The public key is in use")
    if not command.scopes or len(set(command.scopes)) != len(command.scopes) or len(command.label) > MAX_TEXT:
        return refuse.invalid("Scopes are needed, each once")
    if len(account.keys) >= MAX_KEYS_PER_ACCOUNT:
        return refuse.precondition(f"An account has at most {MAX_KEYS_PER_ACCOUNT} keys")
    key_id = KeyId(id_at(state.seq + 1))
    return [KeyAdded(key_id, command.account, command.public_key, command.scopes, command.label)]


def revoke_key(state: State, time_us: int, command: RevokeKey) -> list[AnyEvent]:
    refusal = refuse.admin(state, command.admin, Role.SUPPORT) or refuse.reason(command.reason)
    if refusal is not None:
        return refuse.refused(refusal)
    if command.key_id not in state.keys:
        return refuse.refused(refuse.NOT_FOUND)
    return [KeyRevoked(command.key_id)]


def add_admin(state: State, time_us: int, command: AddAdmin) -> list[AnyEvent]:
    refusal = refuse.admin(state, command.admin, Role.APPROVER) or refuse.reason(command.reason)
    if refusal is not None:
        return refuse.refused(refusal)
    if not good_admin(command.added):
        return refuse.invalid("A name, a public key and a role are needed")
    if command.added.public_key in state.admin_ids:
        return refuse.precondition("The public key is in use")
    # Else one approver could make a second of their own, and be two people. The first two are the founders' affair.
    if Role.APPROVER in command.added.roles and len(_approvers(state)) >= 2:
        proposed_by = state.proposals.get(command.added)
        if proposed_by not in _approvers(state):
            return [AdminProposed(command.admin, command.added)]
        if proposed_by == command.admin:
            return refuse.precondition("You have proposed this admin: another approver must agree")
    return [AdminAdded(AdminId(id_at(state.seq + 1)), command.added)]


def _approvers(state: State) -> list[AdminId]:
    return [admin for admin, spec in state.admins.items() if Role.APPROVER in spec.roles]


def revoke_admin(state: State, time_us: int, command: RevokeAdmin) -> list[AnyEvent]:
    refusal = refuse.admin(state, command.admin, Role.APPROVER) or refuse.reason(command.reason)
    if refusal is not None:
        return refuse.refused(refusal)
    if command.revoked not in state.admins:
        return refuse.refused(refuse.NOT_FOUND)
    if len(state.admins) == 1:
        return refuse.precondition("The last admin can't be revoked")
    approvers = _approvers(state)
    if len(approvers) == 2 and command.revoked in approvers:
        return refuse.precondition("Two approvers must stay: add another one first")
    return [AdminRevoked(command.revoked)]


def credit_deposit(state: State, time_us: int, command: CreditDeposit) -> list[AnyEvent]:
    refusal = refuse.admin(state, command.admin, Role.TREASURER)
    if refusal is not None:
        return refuse.refused(refusal)
    if command.asset not in state.assets:
        return refuse.unknown_asset()
    if command.account not in state.accounts or not user_of(command.account):
        return refuse.invalid("Unknown account")
    if not permits(state.venue_mode, state.paused(command.asset), Action.DEPOSIT):
        return refuse.precondition(f"Deposits of {command.asset} are paused")
    if not 0 < len(command.reference) <= MAX_TEXT:
        return refuse.invalid("A reference is needed")
    if command.reference in state.references:
        return refuse.precondition("A deposit with this reference has been credited")
    custody = state.accounts[CUSTODY].balances.get(command.asset)
    held = -custody.available_atoms if custody is not None else 0
    if command.atoms <= 0 or held + command.atoms > MAX_ATOMS:
        return refuse.invalid("The amount must be above zero, and all holdings of an asset below 2^62 atoms")
    legs = (
        Leg(command.account, command.asset, command.atoms),
        Leg(CUSTODY, command.asset, -command.atoms),
    )
    return [Posted("deposit", legs, command.reference)]
