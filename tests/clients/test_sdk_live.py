"""The Python client against a really running exchange."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from decimal import Decimal

import pytest

from exchange_client import (
    ExchangeClient,
    ExchangeError,
    Keypair,
    LiveBook,
    NotConnected,
    NotPlaced,
    Streams,
    TradingSession,
    limit,
    market,
)
from exchange_client.events import OrderEvent
from exchange_client.models import Order, Side
from tests.clients.until import until, until_told
from tests.server import Server

SYMBOL = "SOL_USDC"
ONE = Decimal(1)
WITHIN_S = 30.0


class Trader:
    """All connections of one account."""

    def __init__(self, server: Server, name: str) -> None:
        self.keypair = Keypair(server.accounts[name].api_secret)
        self.client = ExchangeClient(server.http_url, self.keypair)
        self.session = TradingSession(server.ws_url, self.keypair)
        self.streams = Streams(server.ws_url, self.keypair)
        self._open = AsyncExitStack()

    async def __aenter__(self) -> "Trader":
        for connection in (self.client, self.session, self.streams):
            await self._open.enter_async_context(connection)
        await self.client.cancel_all(SYMBOL)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def place(self, side: Side, price: str, quantity: str = "1", *, post_only: bool = False) -> Order:
        order = limit(SYMBOL, side, Decimal(price), Decimal(quantity), post_only=post_only)
        return await asyncio.wait_for(self.session.place(order), WITHIN_S)


@pytest.fixture
async def carol(server: Server) -> AsyncIterator[Trader]:
    async with Trader(server, "carol") as trader:
        yield trader
        await trader.client.cancel_all(SYMBOL)


@pytest.fixture
async def dave(server: Server) -> AsyncIterator[Trader]:
    async with Trader(server, "dave") as trader:
        yield trader
        await trader.client.cancel_all(SYMBOL)


# --- REST -------------------------------------------------------------------------------------------


async def test_public_data_reads_typed(carol: Trader, dave: Trader) -> None:
    await carol.place("Ask", "150")
    await dave.place("Bid", "150")
    client = carol.client
    assert (await client.status()).status == "Ok"
    assert abs(await client.time_ms() - time.time() * 1000) < 5_000
    assert {"SOL", "BTC", "ETH", "USDC"} <= {asset.symbol for asset in await client.assets()}
    assert {each.symbol for each in await client.markets()} >= {SYMBOL, "BTC_USDC", "ETH_USDC"}
    listed = await client.market(SYMBOL)
    assert (listed.base_symbol, listed.filters.price.tick_size, listed.order_book_state) == (
        "SOL",
        Decimal("0.01"),
        "Open",
    )
    trade = (await client.trades(SYMBOL, limit=1))[0]
    assert (trade.price, trade.quantity) == (Decimal(150), ONE)
    assert (await client.trade_history(SYMBOL, limit=1))[0] == trade
    ticker = await client.ticker(SYMBOL)
    assert ticker is not None
    assert ticker.last_price == Decimal(150)
    assert SYMBOL in {each.symbol for each in await client.tickers()}
    klines = await client.klines(SYMBOL, "1m", int(time.time()) - 120)
    assert klines[-1].close == Decimal(150)


async def test_an_order_over_rest_from_placing_to_history(carol: Trader) -> None:
    client = carol.client
    before = (await client.balances())["USDC"]
    placed = await client.place(limit(SYMBOL, "Bid", Decimal("120.50"), Decimal("2")))
    assert (placed.status, placed.price, placed.is_open) == ("New", Decimal("120.5"), True)
    after = (await client.balances())["USDC"]
    assert after.locked - before.locked == Decimal("241")
    assert after.available + after.locked == before.available + before.locked
    assert (await client.order(SYMBOL, client_id=placed.client_id)).id == placed.id
    assert [order.id for order in await client.open_orders(SYMBOL)] == [placed.id]
    assert (await client.account()).limit_orders >= 1
    assert (await client.cancel(SYMBOL, order_id=placed.id)).status == "Cancelled"
    with pytest.raises(ExchangeError) as gone:
        await client.order(SYMBOL, order_id=placed.id)
    assert (gone.value.code, gone.value.status) == ("RESOURCE_NOT_FOUND", 404)
    history = await client.order_history(SYMBOL, order_id=placed.id)
    assert await client.order_history(SYMBOL, client_id=placed.client_id) == history
    assert [(row.id, row.status, row.cancel_reason) for row in history] == [(placed.id, "Cancelled", "User")]


async def test_refusals_have_codes_and_change_nothing(carol: Trader) -> None:
    with pytest.raises(ExchangeError) as refused:
        await carol.client.place(limit(SYMBOL, "Bid", Decimal("120.001"), ONE))
    assert (refused.value.code, refused.value.transient) == ("INVALID_CLIENT_REQUEST", False)
    with pytest.raises(ExchangeError, match="INSUFFICIENT_FUNDS"):
        await carol.client.place(limit(SYMBOL, "Bid", Decimal(150), Decimal(1_000_000)))
    with pytest.raises(ExchangeError, match="Invalid market symbol"):
        await carol.client.depth("NO_SUCH")
    assert await carol.client.open_orders(SYMBOL) == []


async def test_a_batch_over_rest_answers_one_by_one(carol: Trader) -> None:
    good, bad = limit(SYMBOL, "Bid", Decimal(121), ONE), limit(SYMBOL, "Bid", Decimal("0.001"), ONE)
    first, second = await carol.client.place_batch([good, bad])
    assert isinstance(first, Order)
    assert first.client_id == good.client_id
    assert isinstance(second, ExchangeError)
    assert [order.id for order in await carol.client.cancel_all(SYMBOL)] == [first.id]


async def test_fills_and_postings_are_complete_page_by_page(
    carol: Trader, dave: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exchange_client.rest.PAGE_ROWS", 3)
    sold = [await carol.place("Ask", "150", "0.1") for _ in range(5)]
    bought = await dave.client.place(market(SYMBOL, "Bid", quantity=Decimal("0.5")))
    assert bought.status == "Filled"
    fills = [fill async for fill in dave.client.every_fill(SYMBOL) if fill.order_id == bought.id]
    assert len(fills) == 5
    assert sum(fill.quantity for fill in fills) == Decimal("0.5")
    assert not any(fill.is_maker for fill in fills)
    rows = {row.id: row.status async for row in carol.client.every_order(SYMBOL)}
    assert {rows[order.id] for order in sold} == {"Filled"}
    for asset in ("SOL", "USDC"):
        postings = [posting async for posting in dave.client.every_posting(asset)]
        balance = (await dave.client.balances())[asset]
        assert sum(posting.quantity for posting in postings) == balance.available + balance.locked
        assert [posting.seq for posting in postings] == sorted(posting.seq for posting in postings)


async def test_the_largest_order_is_accepted_and_settings_are_kept(carol: Trader) -> None:
    quantity = await carol.client.max_order_quantity(SYMBOL, "Bid", Decimal("120"))
    assert (await carol.client.place(limit(SYMBOL, "Bid", Decimal("120"), quantity))).status == "New"
    await carol.client.update_account(auto_lend=True, leverage_limit=Decimal("2.5"))
    account = await carol.client.account()
    assert (account.auto_lend, account.leverage_limit) == (True, Decimal("2.5"))


async def test_reads_are_tried_again_and_orders_are_not(server: Server) -> None:
    keypair = Keypair(server.accounts["carol"].api_secret)
    async with ExchangeClient("http://127.0.0.1:9", keypair) as nowhere:
        began_s = time.monotonic()
        with pytest.raises(NotConnected):
            await nowhere.markets()
        assert time.monotonic() - began_s > 0.5
        began_s = time.monotonic()
        with pytest.raises(NotConnected):
            await nowhere.place(limit(SYMBOL, "Bid", Decimal(120), ONE))
        assert time.monotonic() - began_s < 0.5


# --- trading over the WebSocket ------------------------------------------------------------------------


async def test_hundreds_of_orders_in_flight(carol: Trader) -> None:
    placed = await asyncio.gather(*(carol.place("Bid", "120") for _ in range(100)))
    assert len({order.id for order in placed}) == 100
    assert len(await carol.client.open_orders(SYMBOL)) == 100
    assert len(await carol.session.cancel_all(SYMBOL)) == 100


async def test_a_session_places_batches_queries_and_cancels(carol: Trader) -> None:
    orders = [limit(SYMBOL, "Bid", Decimal(price), ONE) for price in (121, 122)]
    bad = limit(SYMBOL, "Bid", Decimal("0.001"), ONE)
    first, refused, second = await carol.session.place_batch([orders[0], bad, orders[1]])
    assert isinstance(first, Order)
    assert isinstance(second, Order)
    assert isinstance(refused, ExchangeError)
    assert (await carol.session.cancel(SYMBOL, client_id=orders[1].client_id)).id == second.id
    assert (await carol.session.query(SYMBOL, order_id=first.id)).status == "New"
    assert (await carol.session.query(SYMBOL, client_id=orders[1].client_id)).status == "Cancelled"
    with pytest.raises(ExchangeError, match="RESOURCE_NOT_FOUND"):
        await carol.session.cancel(SYMBOL, order_id=second.id)


async def test_a_post_only_order_that_would_take_is_refused(carol: Trader, dave: Trader) -> None:
    await carol.place("Ask", "150")
    with pytest.raises(ExchangeError) as refused:
        await dave.place("Bid", "150", post_only=True)
    assert refused.value.code == "INVALID_ORDER"


async def test_the_dead_mans_switch_cancels(carol: Trader) -> None:
    await carol.place("Bid", "120")
    await carol.session.cancel_all_after(300)
    await no_orders_left(carol)
    await carol.client.cancel_all_after(0)


async def test_orders_go_when_an_armed_session_ends(server: Server, carol: Trader) -> None:
    async with TradingSession(server.ws_url, carol.keypair) as armed:
        await armed.cancel_on_disconnect(True)
        await armed.place(limit(SYMBOL, "Bid", Decimal(120), ONE))
        assert len(await carol.client.open_orders(SYMBOL)) == 1
    await no_orders_left(carol)


async def no_orders_left(trader: Trader) -> None:
    async def none() -> bool:
        return not await trader.client.open_orders(SYMBOL)

    await until_told(none, WITHIN_S)


async def test_an_unknown_key_is_not_let_in(server: Server) -> None:
    stranger = Keypair("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    with pytest.raises(ExchangeError, match="INVALID_SIGNATURE"):
        async with TradingSession(server.ws_url, stranger):
            pass


# --- streams ------------------------------------------------------------------------------------------------


async def test_an_order_is_followed_from_acceptance_to_its_fills(carol: Trader, dave: Trader) -> None:
    seen: list[OrderEvent] = []
    await dave.streams.order_updates(SYMBOL, seen.append)
    trades = await dave.streams.trades(SYMBOL)
    balances = await dave.streams.balance_updates()
    ticker = await dave.streams.book_ticker(SYMBOL)
    await carol.place("Ask", "150", "0.4")
    bought = await dave.place("Bid", "150", "1")
    await until(lambda: len(seen) == 2)
    assert [(event.kind, event.status) for event in seen] == [
        ("orderAccepted", "New"),
        ("orderFill", "PartiallyFilled"),
    ]
    assert {event.order_id for event in seen} == {bought.id}
    assert (seen[1].fill_quantity, seen[1].fill_price, seen[1].is_maker) == (Decimal("0.4"), Decimal(150), False)
    async with asyncio.timeout(WITHIN_S):
        assert (await anext(aiter(trades))).buyer_order_id == bought.id
        assert (await anext(aiter(balances))).asset in ("SOL", "USDC")
        async for touch in ticker:
            if touch.bid_price == Decimal(150):
                assert touch.ask_price is None or touch.ask_price > Decimal(150)
                break


async def test_a_refused_subscription_is_raised(server: Server) -> None:
    stranger = Keypair("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    async with Streams(server.ws_url, stranger) as streams:
        with pytest.raises(ExchangeError, match="STREAM_4005"):
            await streams.order_updates()
        subscription = await streams.trades(SYMBOL)
        await subscription.close()


async def test_klines_and_tickers_arrive(carol: Trader, dave: Trader) -> None:
    klines = await dave.streams.klines(SYMBOL, "1m")
    tickers = await dave.streams.ticker(SYMBOL)
    await carol.place("Ask", "150")
    await dave.place("Bid", "150")
    async with asyncio.timeout(WITHIN_S):
        kline = await anext(aiter(klines))
        assert kline.close == Decimal(150)
        assert (await anext(aiter(tickers))).last_price == Decimal(150)


async def test_the_live_book_is_the_exchanges_book(carol: Trader) -> None:
    rng = random.Random(5)
    async with LiveBook(carol.streams, carol.client, SYMBOL) as live:
        sides: list[tuple[Side, int]] = [("Bid", 14_000), ("Ask", 15_100)]
        orders = [
            limit(SYMBOL, side, Decimal(lowest + rng.randrange(900)) / 100, Decimal(rng.randrange(1, 300)) / 100)
            for side, lowest in sides * 60
        ]
        placed = await asyncio.gather(*(carol.session.place(order) for order in orders))
        await asyncio.gather(
            *(carol.session.cancel(SYMBOL, order_id=order.id) for order in rng.sample(placed, 40) if order.is_open)
        )
        depth = await carol.client.depth(SYMBOL)
        await until(lambda: live.book.update_id >= int(depth.last_update_id))
        assert live.book.bids.ascending() == depth.bids
        assert live.book.asks.ascending() == depth.asks
        assert len(depth.bids) + len(depth.asks) > 50


# --- restarts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_every_order_in_flight_at_a_restart_has_a_true_outcome(
    fresh_server: Callable[..., Server], how: str
) -> None:
    server = await asyncio.to_thread(fresh_server)
    async with Trader(server, "carol") as trader, LiveBook(trader.streams, trader.client, SYMBOL) as live:
        orders = [limit(SYMBOL, "Bid", Decimal(115 + number % 25), ONE) for number in range(300)]
        outcomes: dict[int, object] = {}

        async def place(client_id: int) -> None:
            order = orders[client_id]
            try:
                outcomes[client_id] = await trader.session.place(order)
            except (ExchangeError, NotConnected, NotPlaced) as error:
                outcomes[client_id] = error

        async with asyncio.timeout(90):
            tasks = []
            for number in range(len(orders)):
                tasks.append(asyncio.create_task(place(number)))
                if number == 150:
                    await until(lambda: len(outcomes) > 20)
                    restart = asyncio.create_task(asyncio.to_thread(end_and_start, server, how))
                if number % 5 == 0:
                    await asyncio.sleep(0.002)
            await asyncio.gather(*tasks)
            await restart

        known = {row.client_id: row async for row in trader.client.every_order(SYMBOL)}
        for number, outcome in outcomes.items():
            row = known.get(orders[number].client_id)
            if isinstance(outcome, Order):
                assert row is not None
                assert row.id == outcome.id
            else:
                assert row is None, outcome
        assert len(outcomes) == len(orders)
        assert any(isinstance(outcome, Order) for outcome in outcomes.values())

        await trader.session.wait_connected()
        assert (await trader.place("Bid", "114")).status == "New"
        await until(lambda: live.synced, WITHIN_S)
        depth = await trader.client.depth(SYMBOL)
        await until(lambda: live.book.update_id >= int(depth.last_update_id))
        assert live.book.bids.ascending() == depth.bids
        cancelled = await trader.client.cancel_all(SYMBOL)
        assert cancelled
        await until(lambda: live.book.best_bid() is None, WITHIN_S)


def end_and_start(server: Server, how: str) -> None:
    if how == "kill":
        server.kill()
        server.start()
    else:
        server.restart()
