"""Who may: what a command's row asks of whoever sends it, checked before the command is decided. Only reads."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, get_args

import msgspec

from exchange.core import refuse
from exchange.core.people.agreement import Roles, asker, by_two
from exchange.core.rows import NAMED, Admin, BothAdmins, CommandRow, Itself, Trader, TwoAdmins
from exchange.core.state import State
from exchange.values.enums import Role, Scope
from exchange.values.events import AnyEvent
from exchange.values.record import carried_out
from exchange.values.refusals import Code, Refusal

Decide = Callable[[State, int, Any], list[AnyEvent]]

_UNKNOWN_ACCOUNT: Final = Refusal(Code.UNAUTHORIZED, "Unknown account")
_UNKNOWN_KEY: Final = Refusal(Code.UNAUTHORIZED, "Unknown or revoked API key")
_NO_SCOPE: Final = Refusal(Code.FORBIDDEN, "The API key may not do this")


def written(row: CommandRow) -> bool:
    """Whether it holds text that people write: none of it is taken that can't be seen whole, whoever sends it."""
    by_people = not isinstance(row.who, Itself) or row.who.written
    return by_people and any(
        _texts(field.type) for field in msgspec.structs.fields(row.kind) if field.name not in NAMED
    )


def _texts(kind: Any) -> bool:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return any(_texts(field.type) for field in msgspec.structs.fields(kind))
    return kind is str or any(_texts(each) for each in get_args(kind))


def checked(row: CommandRow, roles: Roles) -> Decide:
    """`row.decide` behind all that its row asks first. `roles`: of each command that takes two admins, the one's."""
    match row.who:
        case Trader(scope):
            # What a stranger wrote is not looked at before their key is.
            return _by_trader(scope, _read_first(row.decide) if written(row) else row.decide)
        case Admin(role, reason):
            decided = _by_admin(role, reason, row.decide)
        case TwoAdmins():
            decided = _by_two_admins(row.who, row.decide, roles)
        case BothAdmins(role):
            decided = _by_both_admins(role, row.decide)
        case Itself():
            decided = row.decide
    return _read_first(decided) if written(row) else decided


def _read_first(decide_it: Callable[..., list[AnyEvent]]) -> Callable[..., list[AnyEvent]]:
    """`decide_it`, but of what holds a text that can't be seen whole: nobody can judge it, so nobody may ask for it."""

    def decided(state: State, time_us: int, command: Any, *asking: Any) -> list[AnyEvent]:
        refusal = refuse.text(command)
        return decide_it(state, time_us, command, *asking) if refusal is None else refuse.refused(refusal)

    return decided


def _by_trader(scope: Scope, decide_it: Callable[..., list[AnyEvent]]) -> Decide:
    def decided(state: State, time_us: int, command: Any) -> list[AnyEvent]:
        key = state.keys.get(command.key_id)
        if key is None:
            return refuse.refused(_UNKNOWN_KEY)
        account = key.account
        if account.account_id != command.account:
            return refuse.refused(_UNKNOWN_ACCOUNT)
        if scope not in key.scopes:
            return refuse.refused(_NO_SCOPE)
        return decide_it(state, time_us, command, account)

    return decided


def _by_admin(role: Role | None, reason: str, decide_it: Decide) -> Decide:
    said = attrgetter(reason) if reason else None

    def decided(state: State, time_us: int, command: Any) -> list[AnyEvent]:
        refusal = refuse.admin(state, command.admin, role) or (said and refuse.reason(said(command)))
        return decide_it(state, time_us, command) if refusal is None else refuse.refused(refusal)

    return decided


def _by_two_admins(who: TwoAdmins, decide_it: Decide, roles: Roles) -> Decide:
    """What was decided is only proposed as long as a second one hasn't asked for the same."""

    def decided(state: State, time_us: int, command: Any) -> list[AnyEvent]:
        harmless = who.harmless is not None and who.harmless(state, command)
        if harmless:
            refusal = refuse.admin(state, command.admin, who.role)
            if refusal is None and not who.harmless_without_reason:
                refusal = refuse.reason(command.reason)
        else:
            refusal = asker(state, command, who.role)
        if refusal is not None:
            return refuse.refused(refusal)
        events = decide_it(state, time_us, command)
        if harmless or not carried_out(events):
            return events
        return by_two(state, time_us, command, events, roles)

    return decided


def _by_both_admins(role: Role, decide_it: Decide) -> Decide:
    def decided(state: State, time_us: int, command: Any) -> list[AnyEvent]:
        for admin in (command.first_admin, command.second_admin):
            refusal = refuse.admin(state, admin, role) or refuse.reason(command.reason)
            if refusal is not None:
                return refuse.refused(refusal)
        if command.first_admin == command.second_admin:
            return refuse.refused(refuse.NOT_TWO_PEOPLE)
        return decide_it(state, time_us, command)

    return decided
