"""Every command on the real core: one that is carried out, one that is refused, and nobody but whom its row names."""

from collections.abc import Iterator

import msgspec
import pytest

from exchange.core.machine import COMMANDS, EVENTS, decide
from exchange.core.rows import Admin, BothAdmins, CommandRow, Trader, TwoAdmins
from exchange.journal.show import Units
from exchange.maintenance.stories.words import say
from exchange.values.accounts.commands import AddKey
from exchange.values.accounts.events import KeyAdded
from exchange.values.commands import AnyCommand
from exchange.values.enums import Role, Scope
from exchange.values.events import AnyEvent
from exchange.values.ids import AdminId, KeyId
from exchange.values.orders.events import OrderPlaced
from exchange.values.people.admins import AdminSpec
from exchange.values.people.commands import AddAdmin
from exchange.values.people.events import AdminAdded, CommandProposed
from exchange.values.process.events import Faulted, Refused
from exchange.values.record import carried_out
from exchange.values.refusals import Code
from exchange.values.windows.events import CanaryOpened
from tests.core.windows.by_hand import second_approver
from tests.probes import Scene, accounts_changed
from tests.properties.flow import PROBES, open_venue
from tests.venue import ADMIN, public_key

BY_TRADERS = [row for row in COMMANDS.values() if isinstance(row.who, Trader)]
BY_ADMINS = [row for row in COMMANDS.values() if isinstance(row.who, Admin | TwoAdmins)]
BY_BOTH = [row for row in COMMANDS.values() if isinstance(row.who, BothAdmins)]


def scene() -> Scene:
    venue, accounts = open_venue()
    return Scene(venue, accounts, second_approver(venue))


def name(row: CommandRow) -> str:
    return row.kind.__name__


def test_every_command_has_a_probe() -> None:
    assert not [kind.__name__ for kind in COMMANDS if kind not in PROBES]


@pytest.mark.parametrize("kind", PROBES, ids=lambda kind: kind.__name__)
def test_a_probe_comes_out_as_it_says(kind: type) -> None:
    probe, made = PROBES[kind], scene()
    wanted = probe.accepted(made)
    assert type(wanted) is kind
    changed, named = accounts_changed(made.venue, wanted)
    assert changed <= named
    assert carried_out(made.venue.records[-1].events) or not made.venue.records[-1].events
    if probe.refused is None:
        assert probe.code is None
        return
    made = scene()
    wanted = probe.refused(made)
    assert type(wanted) is kind
    [refused] = made.venue.do(wanted)
    assert isinstance(refused, Refused), refused
    assert refused.code is probe.code


#: What no probe brings about: an order that no client's command brought, a bug of ours, a window with a canary (which
#: `tests/core/windows` has).
ELSEWHERE = {OrderPlaced, Faulted, CanaryOpened}


def test_every_event_comes_of_a_probe_and_is_told_in_a_line() -> None:
    told: dict[type, str] = {}
    for kind, row in COMMANDS.items():
        made, units = scene(), Units()
        wanted = PROBES[kind].accepted(made)
        events = made.venue.expect(wanted)
        if isinstance(row.who, TwoAdmins):
            events = events + made.venue.do(msgspec.structs.replace(wanted, admin=made.second))
        for record in made.venue.records:
            events = events + record.events
        units.learn_state(made.venue.state)
        told |= {type(event): say(event, units) for event in events}
    assert not [kind.__name__ for kind in EVENTS if kind not in told and kind not in ELSEWHERE]
    assert not [kind.__name__ for kind, line in told.items() if not line or line.count("\n")]


# --- who may -------------------------------------------------------------------------------------------


def refusal(made: Scene, wanted: AnyCommand) -> tuple[Code, str]:
    [refused] = decide(made.venue.state, made.venue.time_us, wanted)
    assert isinstance(refused, Refused), refused
    return refused.code, refused.message


def admin_with(made: Scene, roles: tuple[Role, ...]) -> AdminId:
    spec = AdminSpec("somebody", public_key(990), roles)
    [added] = made.venue.agree(AddAdmin(ADMIN, spec, "test"), made.second)
    assert isinstance(added, AdminAdded)
    return added.admin


def key_with(made: Scene, scopes: tuple[Scope, ...]) -> KeyId:
    [added] = made.venue.agree(AddKey(ADMIN, made.accounts[0], public_key(991), scopes, reason="test"), made.second)
    assert isinstance(added, KeyAdded)
    return added.key_id


@pytest.mark.parametrize("row", BY_TRADERS, ids=name)
def test_a_trader_needs_a_key_of_their_own_with_the_scope(row: CommandRow) -> None:
    assert isinstance(row.who, Trader)
    made = scene()
    wanted = PROBES[row.kind].accepted(made)
    others = tuple(scope for scope in Scope if scope is not row.who.scope)
    for key_id, answer in (
        (KeyId(1), (Code.UNAUTHORIZED, "Unknown or revoked API key")),
        (made.venue.key(made.accounts[1]), (Code.UNAUTHORIZED, "Unknown account")),
        (key_with(made, others), (Code.FORBIDDEN, "The API key may not do this")),
    ):
        assert refusal(made, msgspec.structs.replace(wanted, key_id=key_id)) == answer
    made.venue.expect(wanted)


@pytest.mark.parametrize("row", BY_ADMINS, ids=name)
def test_an_admin_needs_the_role(row: CommandRow) -> None:
    assert isinstance(row.who, Admin | TwoAdmins)
    made = scene()
    # An approver may ask for whatever takes two.
    enough = (row.who.role, Role.APPROVER) if isinstance(row.who, TwoAdmins) else (row.who.role,)
    without = admin_with(made, tuple(role for role in Role if role not in enough))
    wanted = PROBES[row.kind].accepted(made)
    unknown = msgspec.structs.replace(wanted, admin=AdminId(7))
    assert refusal(made, unknown) == (Code.UNAUTHORIZED, "Unknown or revoked admin")
    if row.who.role is not None:
        refused = refusal(made, msgspec.structs.replace(wanted, admin=without))
        assert refused == (Code.FORBIDDEN, f"This takes the role {row.who.role}")
    made.venue.expect(wanted)


@pytest.mark.parametrize("row", BY_ADMINS + BY_BOTH, ids=name)
def test_a_reason_is_asked_for_where_the_row_says_so(row: CommandRow) -> None:
    made = scene()
    wanted = PROBES[row.kind].accepted(made)
    for reason in ("", "  "):
        for field, unsaid in unexplained(wanted, reason):
            silent = isinstance(row.who, TwoAdmins) and row.who.harmless_without_reason
            assert field == (row.who.reason if isinstance(row.who, Admin) else "reason")
            if not silent:
                assert refusal(made, unsaid) == (
                    Code.INVALID_CLIENT_REQUEST,
                    "A reason of 1 to 500 characters is needed",
                )


def unexplained(wanted: AnyCommand, reason: str) -> Iterator[tuple[str, AnyCommand]]:
    """The command with its reason taken away, wherever it stands."""
    for field in wanted.__struct_fields__:
        inner = getattr(wanted, field)
        if field == "reason":
            yield field, msgspec.structs.replace(wanted, reason=reason)
        elif isinstance(inner, msgspec.Struct) and "reason" in inner.__struct_fields__:
            changed = msgspec.structs.replace(inner, reason=reason)
            yield f"{field}.reason", msgspec.structs.replace(wanted, **{field: changed})


@pytest.mark.parametrize(
    "row", [row for row in BY_ADMINS if isinstance(row.who, TwoAdmins) and row.who.harmless is None], ids=name
)
def test_what_takes_two_happens_when_the_second_one_asks(row: CommandRow) -> None:
    made = scene()
    wanted = PROBES[row.kind].accepted(made)
    assert changed_by(made.venue.do(wanted)) == [CommandProposed]
    assert refusal(made, wanted)[0] is Code.PRECONDITION_FAILED
    assert CommandProposed not in changed_by(made.venue.expect(msgspec.structs.replace(wanted, admin=made.second)))


def changed_by(events: list[AnyEvent]) -> list[type]:
    return [type(event) for event in events]


@pytest.mark.parametrize("row", BY_BOTH, ids=name)
def test_both_admins_must_hold_the_role_and_differ(row: CommandRow) -> None:
    assert isinstance(row.who, BothAdmins)
    made = scene()
    without = admin_with(made, tuple(role for role in Role if role is not row.who.role))
    wanted = PROBES[row.kind].accepted(made)
    for field in ("first_admin", "second_admin"):
        refused = refusal(made, msgspec.structs.replace(wanted, **{field: without}))
        assert refused == (Code.FORBIDDEN, f"This takes the role {row.who.role}")
    made.venue.expect(wanted)
