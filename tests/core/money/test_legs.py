"""An event that moves money needs its legs and no code of its own for it: what they say happens, and is shown."""

from pathlib import Path

import pytest

from exchange.core import State
from exchange.core.machine import EVENTS
from exchange.core.rows import EventRow, Posting, Words, its_account
from exchange.maintenance.evidence.reading import span
from exchange.maintenance.stories import explain
from exchange.runtime.port import Channel, Topic
from exchange.values.base import Command, Event
from exchange.values.commands import AnyCommand
from exchange.values.enums import Bucket
from exchange.values.events import AnyEvent
from exchange.values.ids import REWARDS, AccountId
from exchange.values.money.events import Leg, Posted
from exchange.values.money.views import BalanceUpdate
from exchange.values.orders.events import OrderDone, OrderRested, Traded
from tests.gateway.live_venue import LiveVenue
from tests.maintenance.evidence.books import write_records
from tests.patched import teach
from tests.runtime.running import HandClock, Seen


class Reward(Command, frozen=True):
    account: AccountId
    atoms: int


class Rewarded(Event, frozen=True):
    account: AccountId
    reward_atoms: int


def reward(state: State, time_us: int, command: Reward) -> list[AnyEvent]:
    funded = Posted("funding", (Leg(command.account, "USDC", -1), Leg(REWARDS, "USDC", 1)))
    return [funded, Rewarded(command.account, command.atoms)]  # type: ignore[list-item]


def legs(state: State, event: Rewarded) -> list[Posting]:
    return [
        ("reward", Leg(REWARDS, "USDC", -event.reward_atoms)),
        ("reward", Leg(event.account, "USDC", event.reward_atoms)),
    ]


def nothing_more(state: State, event: Rewarded) -> None:
    """All of it is money."""


@pytest.fixture(autouse=True)
def with_rewards(monkeypatch: pytest.MonkeyPatch) -> None:
    teach(monkeypatch, Reward, reward, EventRow(Rewarded, nothing_more, Words.ROUTINE, legs, its_account))


async def test_its_legs_move_it_and_everybody_is_shown(tmp_path: Path) -> None:
    venue = LiveVenue(HandClock())
    account = venue.trader().account
    seen = Seen()
    venue.exchange.watch(Topic(Channel.BALANCE_UPDATE, account=account), seen.add)
    before, _ = venue.core.balance(account, "USDC")
    command: AnyCommand = Reward(account, 1)  # type: ignore[assignment]
    venue.commit(command)
    assert venue.core.balance(account, "USDC") == (before, 0)
    assert venue.core.balance(REWARDS, "USDC") == (0, 0)
    venue.core.check()
    assert [update.available_atoms for update in seen if isinstance(update, BalanceUpdate)] == [before]
    assert venue.streams.account_seqs[account] == venue.core.state.seq
    write_records(tmp_path, [*venue.core.records, *venue.records()])
    told = explain.explain_account(tmp_path, account, span(tmp_path))
    assert [(change.kind, change.atoms, change.bucket) for change in told.entries[-1].changes] == [
        ("funding", -1, Bucket.AVAILABLE),
        ("reward", 1, Bucket.AVAILABLE),
    ]


def test_only_orders_and_trades_move_money_directly() -> None:
    """They are held to their legs by a law over random flows; every other event has no second code to be held to."""
    assert {kind for kind, row in EVENTS.items() if row.direct} == {OrderRested, Traded, OrderDone}
    assert all(row.legs is not None for row in EVENTS.values() if row.direct)
