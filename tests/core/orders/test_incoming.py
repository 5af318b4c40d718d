"""An order is the same to everybody, whoever brought it: a client, or the venue because a trigger fired, say.

A command that no build has places it, by the way that is there for triggers and liquidations. Whatever is answered,
pushed, kept as history, told as a story and stated of it is held against the same order placed by a client.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from exchange.core import State, fold
from exchange.core.orders.decide import accept
from exchange.core.snapshot import dump
from exchange.journal.show import show
from exchange.maintenance.evidence.history import Histories
from exchange.maintenance.evidence.history import dump as dump_histories
from exchange.maintenance.evidence.reading import Span, span
from exchange.maintenance.stories import explain, incident
from exchange.runtime.follower.read_models import FILE_NAME, ReadModels
from exchange.runtime.port import Channel, Page, Topic
from exchange.values.base import Command
from exchange.values.commands import AnyCommand
from exchange.values.enums import OrderType, SelfTradePrevention, Side, TimeInForce
from exchange.values.events import AnyEvent
from exchange.values.ids import AccountId, KeyId, OrderId, id_at
from exchange.values.orders.commands import PlaceOrder
from exchange.values.orders.events import OrderPlaced
from exchange.values.record import Record
from exchange.values.refusals import Refusal
from tests.gateway.live_venue import LiveVenue
from tests.maintenance.evidence.books import write_records
from tests.patched import teach
from tests.runtime.running import HandClock, Seen
from tests.venue import SOL_USDC

ALL = Page(limit=100, ascending=True)


class FireTrigger(Command, frozen=True):
    """The venue places this order for an account, without anybody's key."""

    order: OrderPlaced


def fire_trigger(state: State, time_us: int, command: FireTrigger) -> list[AnyEvent]:
    found = accept(state, time_us, state.accounts[command.order.account], command.order)
    assert not isinstance(found, Refusal), found
    return [command.order, *found]


@pytest.fixture(autouse=True)
def with_triggers(monkeypatch: pytest.MonkeyPatch) -> None:
    teach(monkeypatch, FireTrigger, fire_trigger)


def by_client(key: KeyId, order: OrderPlaced) -> AnyCommand:
    fields = {name: getattr(order, name) for name in OrderPlaced.__struct_fields__}
    return PlaceOrder(key_id=key, **fields)


def by_trigger(key: KeyId, order: OrderPlaced) -> AnyCommand:
    return FireTrigger(order)  # type: ignore[return-value]


Bring = Callable[[KeyId, OrderPlaced], AnyCommand]


class Shown:
    """Everything that can be seen of one order, on a book with two others' and one of its own account's user."""

    def __init__(self, data_dir: Path, bring: Bring, **terms: Any) -> None:
        self.order: OrderId
        self.live: dict[str, Any] = {}
        self.account: AccountId
        self._place(bring, terms)
        write_records(data_dir, self.all)
        self.data_dir = data_dir

    def _place(self, bring: Bring, terms: dict[str, Any]) -> None:
        venue = LiveVenue(HandClock())
        ann, bob, eve = venue.trader(), venue.trader(), venue.trader()
        self.account = eve.account
        for trader, price, lots in ((ann, 10_000, 5), (bob, 10_010, 7), (eve, 10_020, 1)):
            venue.commit(
                PlaceOrder(trader.account, trader.key_id, SOL_USDC.symbol, Side.ASK, price_ticks=price, lots=lots)
            )
        pushed = Seen()
        for trader in (ann, eve):
            venue.exchange.watch(Topic(Channel.ORDER_UPDATE, account=trader.account), pushed.add)
            venue.exchange.watch(Topic(Channel.BALANCE_UPDATE, account=trader.account), pushed.add)
        order = OrderPlaced(self.account, SOL_USDC.symbol, Side.BID, **terms)
        outcome = venue.committer.commit(bring(eve.key_id, order))
        venue._outbox.release(venue.core.state.seq)
        self.order = OrderId(id_at(outcome.seq))
        self.all: list[Record] = [*venue.core.records, *venue.records()]
        self.live = {
            "answer": outcome.orders,
            "streams": list(pushed),
            "state": dump(venue.core.state),
            "seqs that history answers wait for": venue.streams.account_seqs,
            "orders counted": venue.committer._metrics.orders,
        }

    def kept(self) -> dict[str, Any]:
        """History, statements' histories."""
        models = ReadModels(self.data_dir / FILE_NAME)
        histories, state = Histories(), State()
        for record in self.all:
            histories.see(state, record)
            fold(state, record)
        try:
            return {
                "order": models.order(self.account, SOL_USDC.symbol, order_id=self.order),
                "orders": models.order_history(self.account, ALL),
                "fills": models.fills(self.account, ALL),
                "ledger": models.ledger(self.account, ALL),
                "histories": dump_histories(histories),
            }
        finally:
            models.close()

    def told(self) -> dict[str, Any]:
        """What an auditor reads of it."""
        everything = span(self.data_dir)
        report = incident.investigate(self.data_dir, everything)
        return {
            "order": explain.explain_order(self.data_dir, self.order, everything),
            "account": explain.explain_account(self.data_dir, self.account, everything),
            "incident": (report.accounts, report.timeline, report.violations),
        }


def neutral(shown: object) -> object:
    """Without the words for who brought the order, which do differ."""
    text = msgspec.json.encode(shown).decode()
    return _without_words(msgspec.json.decode(re.sub(r"PlaceOrder|FireTrigger|\bkey \d+|\bvenue\b", "?", text)))


def _without_words(found: Any) -> Any:
    """Without a story's lines of text about its commands and events."""
    if isinstance(found, dict):
        return {name: _without_words(each) for name, each in found.items() if name not in ("said", "events")}
    return [_without_words(each) for each in found] if isinstance(found, list) else found


ORDERS: dict[str, dict[str, Any]] = {
    "rests": {"price_ticks": 9_990, "lots": 3, "client_id": 7, "post_only": True},
    "fills and rests": {"price_ticks": 10_005, "lots": 8},
    "fills whole": {"price_ticks": 10_010, "lots": 12, "time_in_force": TimeInForce.FOK},
    "ends unfilled": {"price_ticks": 10_010, "lots": 13, "time_in_force": TimeInForce.FOK, "client_id": 7},
    "fills and ends": {"price_ticks": 10_000, "lots": 8, "time_in_force": TimeInForce.IOC},
    "spends a sum": {"order_type": OrderType.MARKET, "quote_atoms": 3_333_333, "slippage_ppm": 100_000},
    "meets its own": {
        "order_type": OrderType.MARKET,
        "lots": 20,
        "self_trade_prevention": SelfTradePrevention.REJECT_BOTH,
    },
}


@pytest.mark.parametrize("name", ORDERS)
async def test_everybody_sees_the_same_order_whoever_brought_it(name: str, tmp_path: Path) -> None:
    placed = Shown(tmp_path / "placed", by_client, **ORDERS[name])
    fired = Shown(tmp_path / "fired", by_trigger, **ORDERS[name])
    [view] = fired.live["answer"]
    assert (view.order_id, view.account) == (fired.order, fired.account)
    for what, shown in fired.live.items():
        assert shown == placed.live[what], what
    for of_fired, of_placed in ((fired.kept(), placed.kept()), (fired.told(), placed.told())):
        for what, shown in of_fired.items():
            assert neutral(shown) == neutral(of_placed[what]), what


async def test_its_story_says_that_the_venue_brought_it_and_under_which_terms(tmp_path: Path) -> None:
    fired = Shown(tmp_path / "fired", by_trigger, price_ticks=10_005, lots=8)
    story = explain.explain_order(fired.data_dir, fired.order, span(fired.data_dir))
    seq = fired.all[-1].seq
    assert f"Placed in record {seq} by account {fired.account}, venue." in story.summary
    [entry] = story.entries
    assert (entry.command, entry.actor) == ("FireTrigger", "venue")
    assert entry.events[0].startswith("OrderPlaced ")
    assert "price=100.05 quantity=0.08" in entry.events[0]
    [text] = show(fired.data_dir, from_seq=seq)
    assert "price=100.05 quantity=0.08" in text
    last = explain.explain_account(fired.data_dir, fired.account, Span(seq, seq))
    assert "1 orders placed, 1 fills, 0 postings, 0 commands refused." in last.summary
