"""ccxt, unmodified, over REST: what a bot written for any exchange does, against a running server."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import ccxt
import ccxt.async_support
import pytest

from tests.server import Account, Server

pytestmark = pytest.mark.clients

SYMBOL = "ETH/USDC"
#: The reference price of the demo's listing.
PRICE = 3000.0
#: An order this far behind PRICE rests.
FAR = 0.5


def connect(server: Server, account: Account) -> Any:
    client = ccxt.backpack({"apiKey": account.api_key, "secret": account.api_secret, "enableRateLimit": False})
    client.urls["api"] = {"public": server.http_url, "private": server.http_url}
    return client


@pytest.fixture
def maker(server: Server) -> Iterator[Any]:
    yield from _clean(connect(server, server.accounts["alice"]))


@pytest.fixture
def taker(server: Server) -> Iterator[Any]:
    yield from _clean(connect(server, server.accounts["bob"]))


def _clean(client: Any) -> Iterator[Any]:
    """Nothing of the account rests on the market, before or after the test."""
    client.load_markets()
    client.cancel_all_orders(SYMBOL)
    yield client
    client.cancel_all_orders(SYMBOL)


def total(client: Any, asset: str) -> float:
    return float(client.fetch_balance()["total"][asset])


# --- public ---------------------------------------------------------------------------------------


def test_markets_and_currencies(maker: Any) -> None:
    markets = maker.load_markets(reload=True)
    assert {"SOL/USDC", "BTC/USDC", "ETH/USDC"} <= set(markets)
    market = markets[SYMBOL]
    assert market["spot"]
    assert market["active"]
    assert (market["base"], market["quote"], market["id"]) == ("ETH", "USDC", "ETH_USDC")
    assert (market["precision"]["amount"], market["precision"]["price"]) == (0.0001, 0.01)
    assert {"SOL", "BTC", "ETH", "USDC"} <= set(maker.currencies)


def test_status_and_time(maker: Any) -> None:
    assert maker.fetch_status()["status"] == "ok"
    assert maker.fetch_time() is not None
    assert abs(int(maker.public_get_api_v1_time()) - time.time() * 1000) < 5_000


def test_order_book_shows_what_rests_best_first(maker: Any) -> None:
    for offset in (0.3, 0.1, 0.2):
        maker.create_order(SYMBOL, "limit", "buy", 0.01, PRICE - offset)
        maker.create_order(SYMBOL, "limit", "sell", 0.02, PRICE + offset)
    book = maker.fetch_order_book(SYMBOL)
    assert book["bids"][:3] == [[PRICE - 0.1, 0.01], [PRICE - 0.2, 0.01], [PRICE - 0.3, 0.01]]
    assert book["asks"][:3] == [[PRICE + 0.1, 0.02], [PRICE + 0.2, 0.02], [PRICE + 0.3, 0.02]]
    assert book["nonce"] is not None
    assert len(maker.fetch_order_book(SYMBOL, limit=5)["bids"]) <= 5


def test_tickers_trades_and_candles_show_a_trade(maker: Any, taker: Any) -> None:
    maker.create_order(SYMBOL, "limit", "sell", 0.03, PRICE)
    taken = taker.create_order(SYMBOL, "limit", "buy", 0.03, PRICE)
    assert taken["status"] == "closed"

    newest = maker.fetch_trades(SYMBOL, limit=10)[-1]
    assert (newest["price"], newest["amount"], newest["side"]) == (PRICE, 0.03, "buy")
    assert maker.fetch_trades(SYMBOL, limit=5, params={"offset": 0})[-1]["id"] == newest["id"]

    ticker = maker.fetch_ticker(SYMBOL)
    assert ticker["last"] == PRICE
    assert ticker["baseVolume"] >= 0.03
    assert maker.fetch_tickers()[SYMBOL]["last"] == PRICE
    assert SYMBOL in maker.fetch_tickers([SYMBOL])

    # The minute may have turned since the trade: then the newest candle is empty.
    candles = [candle for candle in maker.fetch_ohlcv(SYMBOL, "1m", limit=10) if candle[4] is not None]
    opened_ms, _open, high, low, close, volume = candles[-1]
    assert opened_ms % 60_000 == 0
    assert (close, high >= PRICE >= low) == (PRICE, True)
    assert volume >= 0.03


# --- placing ------------------------------------------------------------------------------------------


def test_limit_order_rests_is_found_and_is_cancelled(maker: Any) -> None:
    before = maker.fetch_balance()
    client_id = int(time.time() * 10) % 2**32
    placed = maker.create_order(SYMBOL, "limit", "buy", 0.05, PRICE - FAR, {"clientOrderId": client_id})
    assert (placed["status"], placed["filled"], placed["remaining"]) == ("open", 0.0, 0.05)
    assert (placed["price"], placed["amount"], placed["side"]) == (PRICE - FAR, 0.05, "buy")
    assert placed["clientOrderId"] == str(client_id)

    locked = maker.fetch_balance()
    assert locked["USDC"]["used"] == pytest.approx(before["USDC"]["used"] + 0.05 * (PRICE - FAR))
    assert locked["USDC"]["total"] == pytest.approx(before["USDC"]["total"])

    assert maker.fetch_open_order(placed["id"], SYMBOL)["id"] == placed["id"]
    assert [order["id"] for order in maker.fetch_open_orders(SYMBOL)] == [placed["id"]]
    assert placed["id"] in [order["id"] for order in maker.fetch_open_orders()]
    assert maker.fetch_order(placed["id"], SYMBOL)["status"] == "open"

    cancelled = maker.cancel_order(placed["id"], SYMBOL)
    assert (cancelled["id"], cancelled["status"]) == (placed["id"], "canceled")
    assert maker.fetch_open_orders(SYMBOL) == []
    assert maker.fetch_order(placed["id"], SYMBOL)["status"] == "canceled"
    assert maker.fetch_balance()["USDC"]["free"] == pytest.approx(before["USDC"]["free"])


def test_trade_moves_both_balances_and_charges_the_receiver(maker: Any, taker: Any) -> None:
    before = {name: (total(who, "ETH"), total(who, "USDC")) for name, who in (("maker", maker), ("taker", taker))}
    maker.create_order(SYMBOL, "limit", "sell", 0.1, PRICE)
    bought = taker.create_order(SYMBOL, "limit", "buy", 0.1, PRICE)
    assert (bought["status"], bought["filled"], bought["cost"]) == ("closed", 0.1, pytest.approx(300.0))

    own = [trade for trade in taker.fetch_my_trades(SYMBOL) if trade["order"] == bought["id"]]
    assert len(own) == 1
    assert (own[0]["side"], own[0]["takerOrMaker"], own[0]["price"], own[0]["amount"]) == ("buy", "taker", PRICE, 0.1)
    assert own[0]["fee"]["currency"] == "ETH"
    assert total(taker, "ETH") == pytest.approx(before["taker"][0] + 0.1 - own[0]["fee"]["cost"])
    assert total(taker, "USDC") == pytest.approx(before["taker"][1] - 300)

    sold = maker.fetch_my_trades(SYMBOL)[-1]
    assert (sold["side"], sold["takerOrMaker"], sold["fee"]["currency"]) == ("sell", "maker", "USDC")
    assert total(maker, "ETH") == pytest.approx(before["maker"][0] - 0.1)
    assert total(maker, "USDC") == pytest.approx(before["maker"][1] + 300 - sold["fee"]["cost"])


def test_market_order_by_quantity(maker: Any, taker: Any) -> None:
    maker.create_order(SYMBOL, "limit", "buy", 0.02, PRICE)
    sold = taker.create_order(SYMBOL, "market", "sell", 0.02)
    assert (sold["type"], sold["status"], sold["filled"], sold["average"]) == ("market", "closed", 0.02, PRICE)


def test_market_order_by_cost(maker: Any, taker: Any) -> None:
    maker.create_order(SYMBOL, "limit", "sell", 0.05, PRICE)
    before = total(taker, "USDC")
    bought = taker.create_order(SYMBOL, "market", "buy", None, None, {"cost": 60})
    assert bought["status"] == "closed"
    assert (bought["filled"], bought["cost"]) == (pytest.approx(0.02), pytest.approx(60))
    assert total(taker, "USDC") == pytest.approx(before - 60)
    assert maker.fetch_open_orders(SYMBOL)[0]["remaining"] == pytest.approx(0.03)


def test_post_only_rests_or_is_refused(maker: Any, taker: Any) -> None:
    maker.create_order(SYMBOL, "limit", "sell", 0.01, PRICE)
    with pytest.raises(ccxt.InvalidOrder, match="immediately match"):
        taker.create_order(SYMBOL, "limit", "buy", 0.01, PRICE, {"postOnly": True})
    rests = taker.create_order(SYMBOL, "limit", "buy", 0.01, PRICE - FAR, {"postOnly": True})
    assert (rests["status"], rests["postOnly"]) == ("open", True)


def test_immediate_or_cancel_takes_what_is_there_and_ends(maker: Any, taker: Any) -> None:
    maker.create_order(SYMBOL, "limit", "sell", 0.01, PRICE)
    taken = taker.create_order(SYMBOL, "limit", "buy", 0.03, PRICE, {"timeInForce": "IOC"})
    assert (taken["status"], taken["filled"], taken["timeInForce"]) == ("canceled", 0.01, "IOC")
    assert taker.fetch_open_orders(SYMBOL) == []


def test_fill_or_kill_is_whole_or_nothing(maker: Any, taker: Any) -> None:
    resting = maker.create_order(SYMBOL, "limit", "sell", 0.01, PRICE)
    killed = taker.create_order(SYMBOL, "limit", "buy", 0.02, PRICE, {"timeInForce": "FOK"})
    assert (killed["status"], killed["filled"]) == ("canceled", 0.0)
    assert maker.fetch_open_order(resting["id"], SYMBOL)["filled"] == 0.0
    whole = taker.create_order(SYMBOL, "limit", "buy", 0.01, PRICE, {"timeInForce": "FOK"})
    assert (whole["status"], whole["filled"]) == ("closed", 0.01)


def test_batch_stands_or_falls_one_by_one(maker: Any) -> None:
    orders = [
        {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.01, "price": PRICE - FAR},
        {"symbol": SYMBOL, "type": "limit", "side": "sell", "amount": 10_000_000, "price": PRICE + FAR},
        {"symbol": SYMBOL, "type": "limit", "side": "sell", "amount": 0.01, "price": PRICE + FAR},
    ]
    # ccxt sorts the answers by their time, and a refusal has none.
    refused, first, last = maker.create_orders(orders)
    assert (refused["info"]["operation"], refused["info"]["code"]) == ("Err", "INSUFFICIENT_FUNDS")
    assert [(order["status"], order["side"]) for order in (first, last)] == [("open", "buy"), ("open", "sell")]
    assert len(maker.fetch_open_orders(SYMBOL)) == 2


def test_cancel_all(maker: Any) -> None:
    placed = [maker.create_order(SYMBOL, "limit", "buy", 0.01, PRICE - FAR - n)["id"] for n in range(3)]
    cancelled = maker.cancel_all_orders(SYMBOL)
    assert [order["id"] for order in cancelled] == placed
    assert {order["status"] for order in cancelled} == {"canceled"}
    assert maker.cancel_all_orders(SYMBOL) == []


def test_orders_and_own_trades_are_paged_newest_first_on_the_wire(maker: Any) -> None:
    placed = [maker.create_order(SYMBOL, "limit", "buy", 0.01, PRICE - FAR - n)["id"] for n in range(3)]
    maker.cancel_all_orders(SYMBOL)
    assert [order["id"] for order in maker.fetch_orders(SYMBOL, limit=3)] == placed
    assert [order["id"] for order in maker.fetch_orders(SYMBOL, limit=1, params={"offset": 1})] == [placed[1]]


def test_own_trades_since_a_moment_come_oldest_first_and_whole(maker: Any, taker: Any) -> None:
    for _ in range(3):
        maker.create_order(SYMBOL, "limit", "sell", 0.01, PRICE)
    first = taker.create_order(SYMBOL, "limit", "buy", 0.01, PRICE)
    taker.create_order(SYMBOL, "limit", "buy", 0.02, PRICE)
    begun = next(trade["timestamp"] for trade in taker.fetch_my_trades(SYMBOL) if trade["order"] == first["id"])
    since, reached = begun, []
    while page := taker.fetch_my_trades(SYMBOL, since=since):
        reached += page
        since = page[-1]["timestamp"] + 1
    assert [trade["amount"] for trade in reached if trade["order"] >= first["id"]] == [0.01, 0.01, 0.01]


def test_deposits(maker: Any) -> None:
    deposits = maker.fetch_deposits("USDC")
    assert {(row["currency"], row["status"], row["network"]) for row in deposits} == {("USDC", "ok", "administrator")}
    assert deposits[0]["amount"] > 0
    assert maker.fetch_deposits("USDC", since=deposits[-1]["timestamp"] + 1) == []


def test_lists_of_what_spot_has_not_are_empty(maker: Any) -> None:
    assert maker.fetch_positions() == []
    assert maker.fetch_funding_history(SYMBOL) == []
    assert maker.fetch_withdrawals() == []


# --- refusals become ccxt's own errors -----------------------------------------------------------------------


def test_unknown_symbol(maker: Any) -> None:
    with pytest.raises(ccxt.BadSymbol):
        maker.fetch_order_book("DOGE/USDC")
    with pytest.raises(ccxt.BadRequest, match="Invalid market symbol"):
        maker.public_get_api_v1_depth({"symbol": "DOGE_USDC"})


def test_too_little_money(maker: Any) -> None:
    with pytest.raises(ccxt.InsufficientFunds):
        maker.create_order(SYMBOL, "limit", "sell", 10_000_000, PRICE)


def test_price_outside_the_band(maker: Any) -> None:
    with pytest.raises(ccxt.InvalidOrder, match="too far"):
        maker.create_order(SYMBOL, "limit", "buy", 0.01, 10)


@pytest.mark.parametrize(
    ("quantity", "price", "message"),
    [
        ("0.00001", "3000", "Quantity decimal too long"),
        ("0.01", "3000.001", "Price decimal too long"),
        ("0", "3000", "Quantity is below the minimum allowed value"),
    ],
)
def test_numbers_off_the_filters(maker: Any, quantity: str, price: str, message: str) -> None:
    order = {"symbol": "ETH_USDC", "side": "Bid", "orderType": "Limit", "quantity": quantity, "price": price}
    with pytest.raises(ccxt.BadRequest, match=message):
        maker.private_post_api_v1_order(order)


def test_market_order_without_size(maker: Any) -> None:
    with pytest.raises(ccxt.BadRequest, match="Market orders must specify"):
        maker.private_post_api_v1_order({"symbol": "ETH_USDC", "side": "Bid", "orderType": "Market"})


def test_same_client_id_twice_while_open(maker: Any) -> None:
    maker.create_order(SYMBOL, "limit", "buy", 0.01, PRICE - FAR, {"clientOrderId": 77})
    with pytest.raises(ccxt.BadRequest, match="is open under it"):
        maker.create_order(SYMBOL, "limit", "buy", 0.01, PRICE - FAR, {"clientOrderId": 77})


def test_an_order_whose_answer_was_lost_is_found_by_its_client_id_and_not_placed_twice(maker: Any) -> None:
    client_id = int(time.time() * 10) % 2**32
    again = (SYMBOL, "limit", "buy", 0.01, PRICE - FAR, {"clientOrderId": client_id})
    placed = maker.create_order(*again)
    maker.cancel_order(placed["id"], SYMBOL)
    [found] = maker.fetch_orders(SYMBOL, params={"clientId": client_id})
    assert (found["id"], found["status"], found["clientOrderId"]) == (placed["id"], "canceled", str(client_id))
    with pytest.raises(ccxt.BadRequest, match=f"order {placed['id']} ended under it"):
        maker.create_order(*again)


def test_order_that_is_not_there(maker: Any) -> None:
    # ccxt has no "order not found" for this venue: RESOURCE_NOT_FOUND is its ExchangeNotAvailable.
    with pytest.raises(ccxt.ExchangeNotAvailable, match="Not Found"):
        maker.cancel_order("999999999", SYMBOL)
    with pytest.raises(ccxt.ExchangeNotAvailable, match="Not Found"):
        maker.fetch_open_order("999999999", SYMBOL)


def test_wrong_secret_and_unknown_key(server: Server, maker: Any) -> None:
    alice, bob = server.accounts["alice"], server.accounts["bob"]
    forged = connect(server, Account("forged", alice.api_key, bob.api_secret))
    with pytest.raises((ccxt.AuthenticationError, ccxt.BadRequest), match="signature"):
        forged.fetch_balance()
    unknown = connect(server, Account("unknown", "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=", bob.api_secret))
    with pytest.raises(ccxt.AuthenticationError):
        unknown.fetch_balance()


async def test_equal_orders_of_one_millisecond_are_a_rate_limit_unless_they_are_named(
    server: Server, maker: Any
) -> None:
    account = server.accounts["alice"]
    client = ccxt.async_support.backpack(
        {"apiKey": account.api_key, "secret": account.api_secret, "enableRateLimit": False}
    )
    client.urls["api"] = maker.urls["api"]
    async with client:
        await client.load_markets()
        # All of a gather are signed in one millisecond; and this makes sure of it.
        signed_ms = client.milliseconds()
        client.nonce = lambda: signed_ms
        order = (SYMBOL, "limit", "buy", 0.01, PRICE - FAR)
        twins = await asyncio.gather(*(client.create_order(*order) for _ in range(3)), return_exceptions=True)
        refused = [type(twin) for twin in twins if isinstance(twin, BaseException)]
        assert refused == [ccxt.RateLimitExceeded] * 2
        named = [client.create_order(*order, {"clientOrderId": number}) for number in (71, 72)]
        assert len({placed["id"] for placed in await asyncio.gather(*named)}) == 2
        cancelled = [client.cancel_all_orders(SYMBOL) for _ in range(2)]
        assert sorted(len(orders) for orders in await asyncio.gather(*cancelled)) == [0, 3]


def test_stale_request(maker: Any) -> None:
    maker.milliseconds = lambda: int(time.time() * 1000) - 120_000
    with pytest.raises(ccxt.BadRequest, match="expired"):
        maker.fetch_balance()
    maker.milliseconds = lambda: int(time.time() * 1000)


@pytest.mark.parametrize(
    "condition",
    [
        {"triggerPrice": PRICE - 10},
        {"stopPrice": PRICE - 10},
        {"stopLossPrice": PRICE - 10},
        {"takeProfitPrice": PRICE + 10},
        {"trailingPercent": 1},
        {"trailingAmount": 1},
        {"stopLoss": {"triggerPrice": PRICE - 10}},
        {"takeProfit": {"triggerPrice": PRICE + 10, "price": PRICE + 9}},
    ],
    ids=str,
)
def test_a_condition_is_refused_and_nothing_trades_at_once(maker: Any, taker: Any, condition: dict[str, Any]) -> None:
    """However ccxt writes it: a stop that isn't understood would be a market order."""
    maker.create_order(SYMBOL, "limit", "buy", 1, PRICE)
    before = taker.fetch_balance()["total"]
    for kind, price in (("market", None), ("limit", PRICE)):
        with pytest.raises(ccxt.OperationFailed, match="NOT_IMPLEMENTED"):
            taker.create_order(SYMBOL, kind, "sell", 0.1, price, condition)
    assert taker.fetch_balance()["total"] == before


def test_a_market_order_of_so_much_money(maker: Any, taker: Any) -> None:
    maker.create_order(SYMBOL, "limit", "sell", 1, PRICE)
    bought = taker.create_order(SYMBOL, "market", "buy", 0, None, {"cost": 30})
    assert (bought["filled"], bought["cost"]) == (0.01, 30.0)
