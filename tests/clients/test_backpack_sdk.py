"""backpack-exchange-sdk, unmodified, over REST and WebSocket, against a running server."""

import queue
import time
from collections.abc import Iterator
from typing import Any

import pytest
from backpack_exchange_sdk import AuthenticationClient, PublicClient, WebSocketClient
from backpack_exchange_sdk._base.errors import BackpackAPIError

from tests.server import Server

pytestmark = pytest.mark.clients

SYMBOL = "BTC_USDC"
WITHIN_S = 15.0


@pytest.fixture
def public(server: Server) -> Any:
    return PublicClient(base_url=server.http_url + "/")


@pytest.fixture
def maker(server: Server) -> Iterator[Any]:
    yield from _client(server, "alice")


@pytest.fixture
def taker(server: Server) -> Iterator[Any]:
    yield from _client(server, "bob")


def _client(server: Server, name: str) -> Iterator[Any]:
    account = server.accounts[name]
    client = AuthenticationClient(account.api_key, account.api_secret, base_url=server.http_url + "/")
    client.cancel_open_orders(SYMBOL)
    yield client
    client.cancel_open_orders(SYMBOL)


def test_public_calls(public: Any) -> None:
    assert public.get_status()["status"] == "Ok"
    assert public.send_ping() == "pong"
    assert abs(int(public.get_system_time()) - time.time() * 1000) < 5_000
    assert "BTC" in [asset["symbol"] for asset in public.get_assets()]
    assert SYMBOL in [market["symbol"] for market in public.get_markets()]
    assert public.get_market(SYMBOL)["orderBookState"] == "Open"
    assert set(public.get_depth(SYMBOL)) == {"asks", "bids", "lastUpdateId", "timestamp"}
    assert isinstance(public.get_recent_trades(SYMBOL), list)
    assert isinstance(public.get_historical_trades(SYMBOL), list)
    klines = public.get_klines(SYMBOL, "1m", int(time.time()) - 86_400)
    assert klines[0]["start"] <= public.get_market(SYMBOL)["createdAt"].replace("T", " ") < klines[0]["end"]


def test_order_from_placing_to_history(public: Any, maker: Any, taker: Any) -> None:
    # The SDK adds postOnly false to a limit order without timeInForce, and signs it.
    resting = maker.execute_order("Limit", "Ask", SYMBOL, price="60000", quantity="0.001", clientId=5)
    assert (resting["status"], resting["clientId"]) == ("New", 5)
    assert maker.get_users_open_orders(SYMBOL, clientId=5)["id"] == resting["id"]
    assert [order["id"] for order in maker.get_open_orders(SYMBOL)] == [resting["id"]]
    assert public.get_depth(SYMBOL)["asks"][0] == ["60000", "0.001"]

    bought = taker.execute_order("Limit", "Bid", SYMBOL, price="60000", quantity="0.0004", timeInForce="IOC")
    assert (bought["status"], bought["executedQuoteQuantity"]) == ("Filled", "24")
    fill = taker.get_fill_history(bought["id"])[0]
    assert (fill["orderId"], fill["quantity"], fill["isMaker"], fill["feeSymbol"]) == (
        bought["id"],
        "0.0004",
        False,
        "BTC",
    )
    assert taker.get_order_history(bought["id"])[0]["status"] == "Filled"
    assert public.get_ticker(SYMBOL)["lastPrice"] == "60000"
    assert SYMBOL in [ticker["symbol"] for ticker in public.get_tickers()]

    cancelled = maker.cancel_open_order(SYMBOL, orderId=resting["id"])
    assert (cancelled["status"], cancelled["executedQuantity"]) == ("Cancelled", "0.0004")


def test_batch_and_cancel_all(maker: Any) -> None:
    order = {"orderType": "Limit", "side": "Bid", "symbol": SYMBOL, "quantity": "0.001"}
    answers = maker.execute_batch_orders([order | {"price": "50000"}, order | {"price": "1"}])
    assert [answer["operation"] for answer in answers] == ["Ok", "Err"]
    assert answers[1]["code"] == "INVALID_PRICE"
    assert [each["status"] for each in maker.cancel_open_orders(SYMBOL)] == ["Cancelled"]


def test_account_and_balances(maker: Any) -> None:
    before = maker.get_balances()["USDC"]
    maker.execute_order("Limit", "Bid", SYMBOL, price="50000", quantity="0.001")
    after = maker.get_balances()["USDC"]
    assert float(before["available"]) - float(after["available"]) == pytest.approx(50)
    assert float(after["locked"]) - float(before["locked"]) == pytest.approx(50)
    assert maker.get_account()["limitOrders"] >= 1
    assert float(maker.get_max_order_quantity(SYMBOL, "Bid", price="50000")["maxOrderQuantity"]) > 0
    assert maker.update_account(autoLend=False) is None


def test_refusals_carry_code_and_message(maker: Any) -> None:
    with pytest.raises(BackpackAPIError) as missing:
        maker.cancel_open_order(SYMBOL, orderId="999999999")
    assert (missing.value.code, missing.value.message, missing.value.status_code) == (
        "RESOURCE_NOT_FOUND",
        "Not Found",
        404,
    )
    with pytest.raises(BackpackAPIError) as unfunded:
        maker.execute_order("Limit", "Ask", SYMBOL, price="60000", quantity="1000000")
    assert unfunded.value.code == "INSUFFICIENT_FUNDS"


def test_streams_come_under_the_very_names_asked_for(server: Server, maker: Any, taker: Any) -> None:
    class Streams(WebSocketClient):
        def _connect(self) -> None:
            self.base_url = server.ws_url
            super()._connect()  # type: ignore[no-untyped-call]

    account = server.accounts["bob"]
    streams: Any = Streams(account.api_key, account.api_secret)
    updates: dict[str, queue.Queue[Any]] = {}

    def listen(name: str, *, private: bool) -> None:
        updates[name] = queue.Queue()
        streams.subscribe([name], updates[name].put, is_private=private)

    try:
        for name in (f"depth.{SYMBOL}", f"trade.{SYMBOL}", f"bookTicker.{SYMBOL}"):
            listen(name, private=False)
        for name in ("account.orderUpdate", f"account.orderUpdate.{SYMBOL}"):
            listen(name, private=True)
        time.sleep(0.5)
        maker.execute_order("Limit", "Ask", SYMBOL, price="60000", quantity="0.001")
        bought = taker.execute_order("Limit", "Bid", SYMBOL, price="60000", quantity="0.001")

        assert updates[f"depth.{SYMBOL}"].get(timeout=WITHIN_S)["a"] == [["60000", "0.001"]]
        assert updates[f"bookTicker.{SYMBOL}"].get(timeout=WITHIN_S)["e"] == "bookTicker"
        trade = updates[f"trade.{SYMBOL}"].get(timeout=WITHIN_S)
        assert (float(trade["p"]), trade["b"], trade["m"]) == (60000.0, bought["id"], False)
        for name in ("account.orderUpdate", f"account.orderUpdate.{SYMBOL}"):
            accepted, filled = (updates[name].get(timeout=WITHIN_S) for _ in range(2))
            assert (accepted["e"], accepted["i"]) == ("orderAccepted", bought["id"])
            assert (filled["e"], filled["X"], filled["i"]) == ("orderFill", "Filled", bought["id"])
    finally:
        # Its thread would wait five seconds and connect again.
        streams.ws.on_close = None
        streams.close()
