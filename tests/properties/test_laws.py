"""Laws of the core, over random flows."""

import os
import subprocess
import sys
from collections import defaultdict

import pytest
from hypothesis import given, settings

from exchange.core import State, decide
from exchange.core import machine as dispatch
from exchange.core.digest import PARTITIONS, digest, join, partition_digest
from exchange.core.invariants import violations
from exchange.core.ledger import postings
from exchange.core.snapshot import dump, load
from exchange.values.commands import AnyCommand
from exchange.values.enums import Bucket, OrderStatus
from exchange.values.events import AnyEvent
from exchange.values.ids import AccountId, user_of
from exchange.values.orders.commands import PlaceOrder
from exchange.values.orders.events import OrderDone, Traded
from exchange.values.process.events import Refused
from exchange.values.record import Record, decode, encode
from tests.probes import accounts_changed
from tests.properties.flow import FLOWS, ORDER_FLOWS, Choice, command, open_venue, random_choices
from tests.properties.twin import Twin
from tests.venue import SOL_USDC, Venue, refold

Held = dict[tuple[AccountId, str, Bucket], int]


def play(choices: list[Choice]) -> Venue:
    venue, accounts = open_venue()
    for choice in choices:
        venue.do(command(venue, accounts, choice))
    return venue


def held(state: State) -> Held:
    found: Held = {}
    for account in state.accounts.values():
        for asset, balance in account.balances.items():
            found[(account.account_id, asset, Bucket.AVAILABLE)] = balance.available_atoms
            found[(account.account_id, asset, Bucket.LOCKED)] = balance.locked_atoms
    return found


@given(FLOWS)
def test_invariants_hold_at_every_seq(choices: list[Choice]) -> None:
    """Conservation, reserves, no crossed book, queues in order: after every single record."""
    venue, accounts = open_venue()
    for choice in choices:
        venue.do(command(venue, accounts, choice))
        venue.check()


@given(FLOWS)
def test_decide_only_reads(choices: list[Choice]) -> None:
    venue, accounts = open_venue()
    for choice in choices:
        wanted = command(venue, accounts, choice)
        before = digest(venue.state)
        decide(venue.state, venue.time_us + 1_000, wanted)
        assert digest(venue.state) == before
        venue.do(wanted)


@given(FLOWS)
def test_a_refusal_changes_nothing_but_the_count_of_records(choices: list[Choice]) -> None:
    venue, accounts = open_venue()
    for choice in choices:
        wanted = command(venue, accounts, choice)
        before = dump(venue.state).splitlines()[1:]
        events = venue.do(wanted)
        if any(isinstance(event, Refused) for event in events):
            assert len(events) == 1
            assert dump(venue.state).splitlines()[1:] == before


@given(FLOWS)
def test_the_fold_of_the_bytes_is_the_live_state(choices: list[Choice]) -> None:
    venue = play(choices)
    reread = [decode(encode(record)) for record in venue.records]
    assert reread == venue.records
    assert digest(refold(reread)) == digest(venue.state)


@given(FLOWS, FLOWS)
def test_a_snapshot_goes_on_as_if_never_taken(before: list[Choice], after: list[Choice]) -> None:
    venue, accounts = open_venue()
    for choice in before:
        venue.do(command(venue, accounts, choice))
    image = dump(venue.state)
    restored = load(image)
    assert dump(restored) == image
    assert violations(restored) == []
    twin, twin.__dict__ = object.__new__(Venue), dict(venue.__dict__)
    twin.state, twin.records = restored, list(venue.records)
    for choice in after:
        wanted = command(venue, accounts, choice)
        twin.time_us = venue.time_us
        assert venue.do(wanted) == twin.do(wanted)
    assert digest(twin.state) == digest(venue.state)


@given(FLOWS)
def test_postings_say_what_evolve_does(choices: list[Choice]) -> None:
    """Per event and asset the legs sum to zero, and together they are the change of every balance."""
    venue, accounts = open_venue()
    for choice in choices:
        wanted = command(venue, accounts, choice)
        before = held(venue.state)
        events = decide(venue.state, venue.time_us + 1_000, wanted)
        moved: Held = defaultdict(int)
        for event in events:
            per_asset: dict[str, int] = defaultdict(int)
            for _, leg in postings(venue.state, event):
                moved[(leg.account, leg.asset, leg.bucket)] += leg.atoms
                per_asset[leg.asset] += leg.atoms
            assert not any(per_asset.values()), event
        assert venue.do(wanted) == events
        after = held(venue.state)
        assert {k: v for k, v in moved.items() if v} == {
            k: after.get(k, 0) - before.get(k, 0) for k in before | after if after.get(k, 0) != before.get(k, 0)
        }


@given(FLOWS)
def test_events_name_every_account_they_change(choices: list[Choice]) -> None:
    venue, accounts = open_venue()
    for choice in choices:
        changed, named = accounts_changed(venue, command(venue, accounts, choice))
        assert changed <= named


@given(ORDER_FLOWS)
def test_matching_agrees_with_the_slow_obvious_twin(choices: list[Choice]) -> None:
    """Price-time priority, self-trade prevention, fees and what rests, against one list and one dict."""
    venue, accounts = open_venue()
    spec = venue.state.markets["SOL_USDC"].spec
    twin = Twin(spec.base_atoms_per_lot, spec.quote_atoms_per_tick_lot)
    rates = {}
    for account in accounts:
        tier = venue.state.fee_tiers[venue.state.accounts[account].user.tier]
        rates[int(account)] = (tier.spot_maker_ppm, tier.spot_taker_ppm)
    for (account, asset, _), atoms in held(venue.state).items():
        twin._add(account, asset, atoms)
    for choice in choices:
        wanted = command(venue, accounts, choice)
        events = venue.do(wanted)
        if isinstance(wanted, PlaceOrder):
            _place_on_twin(twin, wanted, events, venue.records[-1], rates)
        for event in events:
            if isinstance(event, OrderDone) and event.status is OrderStatus.CANCELLED:
                twin.orders = [order for order in twin.orders if order.order_id != event.order_id]
        assert {(o.order_id, o.price, o.lots) for o in twin.orders} == {
            (o.order_id, o.price_ticks, o.left_lots) for o in venue.state.orders.values()
        }
    totals: dict[tuple[int, str], int] = defaultdict(int)
    for (account, asset, _), atoms in held(venue.state).items():
        totals[(account, asset)] += atoms
    assert {k: v for k, v in twin.holdings.items() if v} == {k: v for k, v in totals.items() if v}


def _place_on_twin(
    twin: Twin, wanted: PlaceOrder, events: list[AnyEvent], record: Record, rates: dict[int, tuple[int, int]]
) -> None:
    if any(isinstance(event, Refused) for event in events):
        return
    fills, ended, _ = twin.place(wanted, record.seq * 10, user_of(wanted.account), rates)
    traded = [(e.maker_order_id, e.price_ticks, e.lots) for e in events if isinstance(e, Traded)]
    assert traded == fills
    assert [e.order_id for e in events if isinstance(e, OrderDone) and e.resting] == ended


@given(ORDER_FLOWS)
def test_counters_are_contiguous(choices: list[Choice]) -> None:
    venue = play(choices)
    trades = [event.trade_id for record in venue.records for event in record.events if isinstance(event, Traded)]
    assert trades == list(range(1, len(trades) + 1))
    assert [record.seq for record in venue.records] == list(range(1, len(venue.records) + 1))


@given(FLOWS)
def test_partition_digests_tell_any_difference(choices: list[Choice]) -> None:
    venue = play(choices)
    parts = [partition_digest(venue.state, part) for part in range(PARTITIONS)]
    assert join(parts) == digest(venue.state)
    other = load(dump(venue.state))
    assert [partition_digest(other, part) for part in range(PARTITIONS)] == parts
    account = next(a for a in other.accounts.values() if a.balances)
    next(iter(account.balances.values())).available_atoms += 1
    assert sum(partition_digest(other, p) != parts[p] for p in range(PARTITIONS)) == 1
    assert digest(other) != digest(venue.state)


@pytest.mark.interpreted
@settings(max_examples=20)
@given(FLOWS)
def test_an_exception_anywhere_in_decide_leaves_everything_as_it_was(choices: list[Choice]) -> None:
    """A fault thrown at the n-th line that deciding executes, for growing n, until it gets through."""
    venue, accounts = open_venue()
    for choice in choices[:-1]:
        venue.do(command(venue, accounts, choice))
    wanted = command(venue, accounts, choices[-1])
    before = dump(venue.state)
    for fuse in range(0, 400, 13):
        burnt = _decide_with_fuse(venue, wanted, fuse)
        assert dump(venue.state) == before
        if not burnt:
            break
    venue.do(wanted)
    venue.check()


class Fuse(Exception):
    pass


def _decide_with_fuse(venue: Venue, wanted: AnyCommand, fuse: int) -> bool:
    left = fuse

    def trace(frame: object, event: str, arg: object) -> object:
        nonlocal left
        if event == "line":
            if left == 0:
                raise Fuse
            left -= 1
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        dispatch.decide(venue.state, venue.time_us + 1_000, wanted)
    except Fuse:
        return True
    finally:
        sys.settrace(previous)
    return False


_HASH_SEED_SCRIPT = """
from exchange.core.digest import digest
from tests.properties.flow import command, open_venue, random_choices
venue, accounts = open_venue()
for choice in random_choices(7, 1500):
    venue.do(command(venue, accounts, choice))
print(digest(venue.state))
"""


def test_the_same_commands_give_the_same_digest_under_two_hash_seeds() -> None:
    seen = set()
    for seed in ("0", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", _HASH_SEED_SCRIPT], env=environment, capture_output=True, text=True, check=True
        )
        seen.add(done.stdout)
    assert len(seen) == 1


def test_a_long_flow_keeps_every_law() -> None:
    venue, accounts = open_venue()
    for choice in random_choices(11, 4_000):
        venue.do(command(venue, accounts, choice))
    venue.check()
    assert venue.state.markets[SOL_USDC.symbol].trade_id > 200
    assert digest(refold(venue.records)) == digest(venue.state)


@pytest.mark.parametrize(("seq", "time_us"), [(3, 10**18), (1, 10**18), (2, 1)])
def test_the_fold_takes_only_the_next_record(seq: int, time_us: int) -> None:
    venue = Venue()
    record = venue.records[0]
    with pytest.raises(dispatch.OutOfOrder):
        dispatch.fold(venue.state, Record(seq, time_us, record.command, []))
