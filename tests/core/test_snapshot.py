"""Snapshots hold all there is: what changes in the state changes its digest, and is there again after loading."""

from collections.abc import Callable, Iterator
from enum import Enum
from operator import attrgetter
from typing import Any, Final

import msgspec
import pytest

from exchange.core import State
from exchange.core.digest import digest
from exchange.core.images import Table
from exchange.core.invariants import violations
from exchange.core.money.sources import Source
from exchange.core.orders.book import Order
from exchange.core.snapshot import SUBJECTS, SnapshotError, dump, load, user_line
from exchange.core.state import Account, Balance, Key, Market, User, Window
from exchange.values.accounts.commands import UpdateAccount
from exchange.values.accounts.settings import AccountSettings, SettingsChange
from exchange.values.enums import Pause, Side
from exchange.values.ids import AccountId, AdminId, ProposalId
from exchange.values.listings.specs import AssetSpec, Limits
from exchange.values.orders.commands import SetCancelAllAfter, SetCancelOnDisconnect
from exchange.values.people.admins import AdminSpec
from exchange.values.people.commands import RevokeAdmin
from exchange.values.people.events import CommandProposed
from exchange.values.windows.certificate import Certificate, CertificateId, CertificateKind, Gate, VenueKey
from exchange.values.windows.events import GatesFailed
from exchange.values.windows.plan import WindowId, WindowPlan
from tests.checks.test_images import TABLES
from tests.venue import ADMIN, FILTERS, Venue, public_key

PLAN: Final = WindowPlan(1, 2, 3, "test")
CERTIFICATE: Final = Certificate(
    CertificateKind.OPENING, "test venue", "build", (), WindowId(0), 1, 2, "00", 1, 0, "00", (), "key"
)


def busy() -> State:
    """One of everything that is restored by hand: orders on both sides, ended ids, keys, switches, sub-accounts."""
    venue = Venue().open()
    ann, bob = (venue.account({"SOL": 10**12, "USDC": 10**12}) for _ in range(2))
    sub = venue.account({"SOL": 10**10}, ann, 7)
    venue.expect(venue.market(ann, Side.BID, 2, client_id=3))
    venue.expect(venue.limit(ann, Side.BID, 9_000, 5, client_id=1))
    venue.expect(venue.limit(ann, Side.ASK, 10_000, 5, client_id=2))
    venue.expect(venue.limit(sub, Side.ASK, 10_000, 5))
    venue.expect(venue.market(bob, Side.BID, 2, client_id=3))
    venue.expect(SetCancelAllAfter(ann, venue.key(ann), 1_000_000))
    venue.expect(SetCancelOnDisconnect(ann, venue.key(ann), "session", True))
    state = venue.state
    spec = msgspec.structs.replace(state.markets["SOL_USDC"].spec, symbol="USDC_SOL", base="USDC", quote="SOL")
    market = state.markets["USDC_SOL"] = Market(spec, FILTERS, 1)
    market.mode_reason = "test"
    state.windows[WindowId(1)] = Window(WindowId(1), PLAN)
    return state


def objects(state: State) -> dict[type, Any]:
    """One of each kind that has a table, with the most in it."""
    account = next(account for account in state.accounts.values() if len(account.orders) == 2)
    order = next(iter(account.orders.values()))
    held: dict[type, Any] = {
        User: account.user,
        Account: account,
        Order: order,
        Balance: order.pays,
        Market: order.market,
    }
    return {
        **held,
        Key: next(iter(account.keys.values())),
        Window: state.windows[WindowId(1)],
        Source: state.sources[""],
    }


def _open_another(user: User) -> None:
    """As `State.open_account`, behind the others."""
    user.accounts.append(Account(AccountId(user.accounts[-1].account_id + 1), user))


def _other_market(order: Order) -> None:
    order.market = Market(order.market.spec, FILTERS, 1)
    order.market.symbol = "USDC_SOL"


#: How what is no number, text, flag or member of an enum is changed, by its name in the image.
CHANGES: Final[dict[str, Callable[[Any], object]]] = {
    # of the state
    "rules": lambda s: s.rules.update({"a rule": None}),
    "losses": lambda s: setattr(s, "losses", ((2, 5, 6),)),
    "assets": lambda s: s.assets.update({"BTC": AssetSpec("BTC", 8)}),
    "markets": lambda s: s.markets.pop("USDC_SOL"),
    "fee_tiers": lambda s: setattr(s, "fee_tiers", s.fee_tiers[:1]),
    "limits": lambda s: setattr(s, "limits", Limits(7)),
    "pauses": lambda s: s.pauses.update({(Pause.DEPOSITS, ""): "test"}),
    "resume_mode": lambda s: setattr(s, "resume_mode", s.venue_mode),
    "admins": lambda s: s.admins.update({AdminId(7): AdminSpec("new", public_key(7), ())}),
    "added_by": lambda s: s.added_by.update({ADMIN: (AdminId(7),)}),
    "unheard": lambda s: s.unheard.update({ADMIN: None}),
    "proposals": lambda s: s.proposals.update(
        {ProposalId(9): CommandProposed(ProposalId(9), RevokeAdmin(ADMIN, ADMIN, "test"), 5)}
    ),
    "spent_admin_keys": lambda s: s.spent_admin_keys.update({public_key(9): None}),
    "orphaned": lambda s: s.orphaned.update({(AccountId(1), "session"): None}),
    "sources": lambda s: s.sources.update({"a bank": Source("a bank")}),
    "references": lambda s: s.references.update({"a reference": 7}),
    "venue_keys": lambda s: setattr(s, "venue_keys", (*s.venue_keys, VenueKey(public_key(9), 7))),
    "windows": lambda s: s.windows.clear(),
    "certificates": lambda s: s.certificates.update({CertificateId(7): CERTIFICATE}),
    "issued": lambda s: s.issued.update({CertificateId(7): WindowId(1)}),
    "approvals": lambda s: s.approvals.update({CertificateId(7): {ADMIN: None}}),
    "waivers": lambda s: s.waivers.update({(WindowId(0), Gate.CHAIN): {ADMIN: None}}),
    "failed_gates": lambda s: setattr(s, "failed_gates", GatesFailed(WindowId(0), (), "test", "")),
    # of a user and what it holds
    "accounts": _open_another,
    "balances": lambda a: a.balances.update({"BTC": Balance(7)}),
    "orders": lambda a: a.orders.popitem(),
    "keys": lambda a: a.keys.clear(),
    "settings": lambda a: setattr(a, "settings", AccountSettings(auto_lend=True)),
    "armed_sessions": lambda a: a.armed_sessions.clear(),
    "ended_client_ids": lambda a: a.ended_client_ids.clear(),
    "spent_keys": lambda a: setattr(a, "spent_keys", (public_key(9),)),
    "scopes": lambda k: setattr(k, "scopes", ()),
    "market": _other_market,
    # of a market and a window
    "spec": lambda m: setattr(m, "spec", msgspec.structs.replace(m.spec, tick_e9=7)),
    "filters": lambda m: setattr(m, "filters", msgspec.structs.replace(m.filters, max_lots=7)),
    "plan": lambda w: setattr(w, "plan", msgspec.structs.replace(w.plan, markets=("SOL_USDC",))),
    "waiting": lambda w: setattr(w, "waiting", ("SOL_USDC",)),
}
#: What an object is found by: another one is another object.
IDENTITY: Final = {(User, "user_id"), (Account, "account_id"), (Source, "source")}


def fields() -> Iterator[tuple[type, str]]:
    for table in SUBJECTS.values():
        yield from ((State, name) for name in table.image.__struct_fields__)
    for kind, table in TABLES.items():
        yield from ((kind, name) for name in table.image.__struct_fields__ if (kind, name) not in IDENTITY)


def table_of(kind: type, name: str) -> Table[Any]:
    if kind is not State:
        return TABLES[kind]
    return next(table for table in SUBJECTS.values() if name in table.image.__struct_fields__)


def change(held: object, source: str, name: str) -> None:
    """Another value than it has."""
    owner, _, attribute = source.rpartition(".")
    holder = attrgetter(owner)(held) if owner else held
    value = getattr(holder, attribute)
    if name in CHANGES and not isinstance(value, int):
        CHANGES[name](held)
    elif isinstance(value, bool):
        setattr(holder, attribute, not value)
    elif isinstance(value, Enum):
        setattr(holder, attribute, next(other for other in type(value) if other is not value))
    elif isinstance(value, int):
        setattr(holder, attribute, value + 7)
    else:
        assert isinstance(value, str), f"say in CHANGES how {name} is changed"
        setattr(holder, attribute, f"{value}!")


@pytest.mark.parametrize(("kind", "name"), list(fields()), ids=lambda value: getattr(value, "__name__", value))
def test_a_change_of_any_field_is_seen_and_restored(kind: type, name: str) -> None:
    state = busy()
    before = digest(state)
    held = state if kind is State else objects(state)[kind]
    change(held, table_of(kind, name).sources.get(name, name), name)
    assert digest(state) != before
    restored = load(dump(state))
    assert dump(restored) == dump(state)
    assert digest(restored) == digest(state)


def test_a_setting_that_is_changed_back_was_never_changed() -> None:
    venue = Venue()
    account = venue.account({})
    user = venue.state.accounts[account].user
    before = user_line(user)
    for auto_lend in (True, False):
        assert venue.do(UpdateAccount(account, venue.key(account), SettingsChange(auto_lend=auto_lend)))
        assert (user_line(user) == before) is not auto_lend


def test_what_is_restored_is_whole() -> None:
    state = busy()
    assert violations(load(dump(state))) == violations(state) == []


def test_a_snapshot_of_a_newer_build_is_refused() -> None:
    """It may hold what this build would forget."""
    venue, *users = dump(busy()).splitlines()
    for newer in (
        venue.replace(b'{"format":1', b'{"format":1,"lending":{"rate":5}'),
        venue.replace(b'"money":{', b'"money":{"later":5,'),
        venue.replace(b'{"format":1', b'{"format":2'),
    ):
        assert newer != venue
        with pytest.raises(SnapshotError, match=r"lending|later|format 2"):
            load(b"\n".join((newer, *users)))
