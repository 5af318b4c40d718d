"""Deciding on accounts, keys, admins and money. Nothing here changes state."""

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from typing import Final

from exchange.core import refuse
from exchange.core.agreement import (
    approvers_in_force,
    asker,
    by_two,
    by_two_if_there_are,
    one_person,
    people,
    reserved,
)
from exchange.core.state import State
from exchange.rules.limits import MAX_ADMINS, MAX_KEYS_PER_ACCOUNT, MAX_SUBACCOUNT, MAX_TEXT
from exchange.rules.modes import permits
from exchange.values.commands import (
    AddAdmin,
    AddKey,
    AdminSpec,
    ChangeAdmin,
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
    AdminChanged,
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

ONE_PERSON: Final = "This takes two approvers, and there is one: add the second one first"


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
    """A new user's first key is one person's to add; with any other, a stranger could be let into an account."""
    account = state.accounts.get(command.account)
    harmless = account is not None and not account.user.keyed and not account.changed_seq
    refusal = refuse.admin(state, command.admin, Role.SUPPORT) if harmless else asker(state, command)
    if refusal is not None:
        return refuse.refused(refusal)
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
    key_id = KeyId(id_at(state.seq + 1))
    added: list[AnyEvent] = [KeyAdded(key_id, command.account, command.public_key, command.scopes, command.label)]
    return added if harmless else by_two_if_there_are(state, time_us, command, added)


def revoke_key(state: State, time_us: int, command: RevokeKey) -> list[AnyEvent]:
    refusal = refuse.admin(state, command.admin, Role.SUPPORT) or refuse.reason(command.reason)
    if refusal is not None:
        return refuse.refused(refusal)
    if command.key_id not in state.keys:
        return refuse.refused(refuse.NOT_FOUND)
    return [KeyRevoked(command.key_id)]


def add_admin(state: State, time_us: int, command: AddAdmin) -> list[AnyEvent]:
    refusal = asker(state, command)
    if refusal is not None:
        return refuse.refused(refusal)
    if not good_admin(command.added):
        return refuse.invalid("A name, a public key and a role are needed")
    refusal = refuse.used_key(state, command.added.public_key)
    if refusal is not None:
        return refuse.refused(refusal)
    if len(state.admins) >= MAX_ADMINS:
        return refuse.precondition(f"There are at most {MAX_ADMINS} admins")
    admin = AdminId(id_at(state.seq + 1))
    if not one_person(state):
        agreed: list[AnyEvent] = [AdminAdded(admin, command.added, people(state, time_us, command))]
        return by_two(state, time_us, command, agreed)
    # The only way out of being one person; nothing comes into the venue by it that this one couldn't do before.
    own = state.admins[command.admin].roles
    if Role.APPROVER not in command.added.roles or any(role not in own for role in command.added.roles):
        return refuse.precondition(
            "While there is one approver, they add the second one and nobody else, with no role but their own"
        )
    return [AdminAdded(admin, command.added, (command.admin,))]


def change_admin(state: State, time_us: int, command: ChangeAdmin) -> list[AnyEvent]:
    refusal = asker(state, command)
    if refusal is not None:
        return refuse.refused(refusal)
    if command.changed not in state.admins:
        return refuse.refused(refuse.NOT_FOUND)
    if not command.roles:
        return refuse.invalid("A role is needed; all of them are taken away by revoking the admin")
    if one_person(state):
        return refuse.precondition(ONE_PERSON)
    return by_two(state, time_us, command, [AdminChanged(command.changed, command.roles)])


def revoke_admin(state: State, time_us: int, command: RevokeAdmin) -> list[AnyEvent]:
    """One approver may: it must be quick. But not where one approver would be left, who could then act alone.

    Unless the other is somebody they added alone and who has not been heard of since: a key that was mistyped, say.
    That leaves who was alone before.
    """
    refusal = asker(state, command)
    if refusal is not None:
        return refuse.refused(refusal)
    if command.revoked not in state.admins:
        return refuse.refused(refuse.NOT_FOUND)
    revoked: list[AnyEvent] = [AdminRevoked(command.revoked)]
    approvers = approvers_in_force(state)
    if command.revoked not in approvers or len(approvers) > 2:
        return revoked
    if command.revoked in state.unheard and state.added_by[command.revoked] == (command.admin,):
        return revoked
    if len(approvers) == 1:
        return refuse.precondition("The last approver can't be revoked")
    return by_two(state, time_us, command, revoked)


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
