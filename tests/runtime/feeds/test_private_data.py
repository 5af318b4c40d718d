"""Private streams: what an account's owner is told, in which order, and that nobody else is."""

from pathlib import Path

import pytest

from exchange.runtime.port import Channel, Page, Paged, Topic
from exchange.values.commands import AnyCommand
from exchange.values.enums import CancelReason, ExpiryReason, OrderStatus, SelfTradePrevention, Side, TimeInForce
from exchange.values.ids import AccountId
from exchange.values.money.views import BalanceUpdate
from exchange.values.orders.views import OrderUpdate
from exchange.values.updates import Update
from tests import venue as core
from tests.runtime.running import MARKET, HandClock, Seen, Traders, done, trading


@pytest.fixture
def traders() -> Traders:
    return Traders()


async def told(
    tmp_path: Path,
    traders: Traders,
    account: AccountId,
    commands: list[AnyCommand],
    before: tuple[AnyCommand, ...] = (),
) -> list[OrderUpdate]:
    """The order updates of `account` while `commands` run one after the other."""
    async with trading(tmp_path, traders, HandClock()) as life:
        for command in before:
            await done(life.venue, command)
        seen = Seen()
        life.venue.watch(Topic(Channel.ORDER_UPDATE, account=account), seen.add)
        for command in commands:
            await done(life.venue, command)
        await life.venue.balances(account)
    return [update for update in seen if isinstance(update, OrderUpdate)]


def brief(update: OrderUpdate) -> tuple[object, ...]:
    return update.kind.value, update.order.status.value, update.order.filled_lots, update.fill and update.fill.lots


async def test_a_taker_hears_accepted_then_every_fill_then_the_end_of_the_rest(
    tmp_path: Path, traders: Traders
) -> None:
    before = (traders.sell(traders.ann, 10_000, 2), traders.sell(traders.ann, 10_001, 3))
    ioc = traders.core.limit(traders.bob, Side.BID, 10_001, 9, TimeInForce.IOC, client_id=4)
    updates = await told(tmp_path, traders, traders.bob, [ioc], before)
    assert [brief(update) for update in updates] == [
        ("orderAccepted", "New", 0, None),
        ("orderFill", "PartiallyFilled", 2, 2),
        ("orderFill", "PartiallyFilled", 5, 3),
        ("orderExpired", "Expired", 5, None),
    ]
    assert updates[-1].order.expiry_reason is ExpiryReason.IMMEDIATE_OR_CANCEL
    assert {update.order.client_id for update in updates} == {4}
    fill = updates[1].fill
    assert fill is not None
    assert (fill.side, fill.price_ticks, fill.fee_asset, fill.is_maker) == (Side.BID, 10_000, "SOL", False)


@pytest.mark.parametrize("by_quote", [False, True])
async def test_the_last_fill_says_filled_however_the_order_was_sized(
    tmp_path: Path, traders: Traders, by_quote: bool
) -> None:
    before = (traders.sell(traders.ann, 10_000, 2), traders.sell(traders.ann, 10_001, 3))
    lots, quote_atoms = (0, 4 * 1_100_000) if by_quote else (4, 0)
    order = traders.core.market(traders.bob, Side.BID, lots, quote_atoms)
    updates = await told(tmp_path, traders, traders.bob, [order], before)
    assert [brief(update) for update in updates] == [
        ("orderAccepted", "New", 0, None),
        ("orderFill", "PartiallyFilled", 2, 2),
        ("orderFill", "Filled", 4, 2),
    ]


async def test_a_maker_hears_of_each_fill_as_its_order_then_stands(tmp_path: Path, traders: Traders) -> None:
    orders = [
        traders.sell(traders.ann, 10_000, 5),
        traders.buy(traders.bob, 10_000, 2),
        traders.buy(traders.bob, 10_000, 9),
    ]
    updates = await told(tmp_path, traders, traders.ann, orders)
    assert [brief(update) for update in updates] == [
        ("orderAccepted", "New", 0, None),
        ("orderFill", "PartiallyFilled", 2, 2),
        ("orderFill", "Filled", 5, 3),
    ]
    fills = [update.fill for update in updates if update.fill is not None]
    assert [(fill.is_maker, fill.fee_asset) for fill in fills] == [(True, "USDC")] * 2


async def test_cancels_are_told_from_expiries(tmp_path: Path, traders: Traders) -> None:
    commands = [
        traders.sell(traders.ann, 10_000, 5),
        traders.core.limit(traders.ann, Side.BID, 10_000, 2, stp=SelfTradePrevention.REJECT_MAKER),
        traders.core.cancel_all(traders.ann),
    ]
    updates = await told(tmp_path, traders, traders.ann, commands)
    assert [brief(update) for update in updates] == [
        ("orderAccepted", "New", 0, None),
        ("orderAccepted", "New", 0, None),
        ("orderExpired", "Expired", 0, None),
        ("orderCancelled", "Cancelled", 0, None),
    ]
    assert updates[2].order.expiry_reason is ExpiryReason.SELF_TRADE_PREVENTION
    assert updates[3].order.cancel_reason is CancelReason.USER
    assert updates[2].order.status is OrderStatus.EXPIRED


async def test_a_refused_order_is_told_to_its_sender_alone(tmp_path: Path, traders: Traders) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        seen = Seen()
        life.venue.watch(Topic(Channel.ORDER_UPDATE, account=traders.ann), seen.add)
        life.venue.watch(Topic(Channel.BALANCE_UPDATE, account=traders.ann), seen.add)
        outcome = await life.venue.execute(traders.buy(traders.ann, 10**9))
        assert outcome.refusal is not None
        await life.venue.balances(traders.ann)
        assert seen == []


async def test_nobody_hears_of_an_account_they_do_not_watch(tmp_path: Path, traders: Traders) -> None:
    updates = await told(tmp_path, traders, traders.ann, [traders.sell(traders.bob, 10_000, 5)])
    assert updates == []


async def test_fills_told_are_the_fills_of_the_history(tmp_path: Path, traders: Traders) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        told: dict[AccountId, list[Update]] = {traders.ann: Seen(), traders.bob: Seen()}
        for account, seen in told.items():
            life.venue.watch(Topic(Channel.ORDER_UPDATE, account=account), seen.append)
        for price in (10_000, 10_001, 10_002):
            await done(life.venue, traders.sell(traders.ann, price, 2, client_id=price))
        await done(life.venue, traders.core.limit(traders.bob, Side.BID, 10_002, 5, client_id=9))
        for account, seen in told.items():
            history = await life.venue.fills(account, Page(ascending=True))
            assert isinstance(history, Paged)
            fills = [update.fill for update in seen if isinstance(update, OrderUpdate) and update.fill is not None]
            assert tuple(fills) == history.rows
            assert len(fills) == 3


async def test_balances_are_told_as_they_stand_after_each_change(tmp_path: Path, traders: Traders) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        venue, ann, bob = life.venue, traders.ann, traders.bob
        seen = Seen()
        venue.watch(Topic(Channel.BALANCE_UPDATE, account=ann), seen.add)
        steps: list[tuple[AnyCommand, set[str]]] = [
            (traders.sell(ann, 10_000, 5), {"SOL"}),
            (traders.buy(bob, 10_000, 2), {"SOL", "USDC"}),
            (traders.buy(bob, 9_000, 2), set()),
            (traders.core.cancel_all(ann), {"SOL"}),
            (core.deposit(life.state, ann, "USDC", 7, "more"), {"USDC"}),
        ]
        for command, assets in steps:
            await done(venue, command)
            balances = {balance.asset: balance for balance in await venue.balances(ann)}
            updates = [update for update in seen if isinstance(update, BalanceUpdate)]
            assert {update.asset for update in updates} == assets
            for update in updates:
                held = balances[update.asset]
                assert (update.available_atoms, update.locked_atoms) == (held.available_atoms, held.locked_atoms)
            seen.clear()
        venue.unwatch(Topic(Channel.BALANCE_UPDATE, account=ann))
        await done(venue, traders.sell(ann, 10_000, 5))
        await venue.depth(MARKET, 1)
        assert seen == []
