"""A session without a socket: bytes in, bytes out, a venue behind it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange.gateway.admission import GatewayLimits
from exchange.gateway.session import methods
from exchange.gateway.session import session as session_module
from exchange.gateway.session.frames import Login, Subscribe, Unsubscribe
from exchange.gateway.session.limits import WsLimits
from exchange.gateway.session.session import NAMES_PER_REQUEST
from exchange.gateway.session.stream_names import StreamError, StreamName, parse_stream_name
from exchange.rules.limits import MAX_CANCELS_PER_COMMAND
from exchange.runtime.core import inbox
from exchange.values.enums import CancelReason, Mode, Scope
from exchange.values.modes.commands import SetMode
from exchange.values.orders.events import OrderDone
from tests import venue as core
from tests.gateway.live_venue import LiveVenue
from tests.gateway.session_client import ORDER, Client


@pytest.fixture
async def venue() -> LiveVenue:
    return LiveVenue()


@pytest.fixture
async def client(venue: LiveVenue) -> AsyncIterator[Client]:
    """Logged in."""
    one = Client(venue)
    assert (await one.login(venue.trader()))["status"] == 200
    yield one
    one.session.close()


def code(answer: Any) -> tuple[int, str]:
    return answer["status"], answer["error"]["code"]


# --- logging in -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("order.place", ORDER),
        ("order.cancel", {"symbol": "SOL_USDC", "orderId": "1"}),
        ("order.cancelAll", {"symbol": "SOL_USDC"}),
        ("order.batch", [ORDER]),
        ("order.query", {"symbol": "SOL_USDC", "orderId": "1"}),
        ("order.cancelAllAfter", {"timeout": 1}),
        ("session.cancelOnDisconnect", {"armed": True}),
    ],
)
async def test_nothing_is_done_before_the_login(venue: LiveVenue, method: str, params: Any) -> None:
    assert code(await Client(venue).call(method, params)) == (401, "UNAUTHORIZED")


async def test_requests_before_the_login_count_for_their_address(venue: LiveVenue) -> None:
    client = Client(venue, requests=GatewayLimits(public_requests_per_minute=2))
    for _ in range(2):
        assert code(await client.call("order.place", ORDER)) == (401, "UNAUTHORIZED")
    assert code(await client.call("order.place", ORDER)) == (429, "TOO_MANY_REQUESTS")


async def test_a_login_is_taken_once(venue: LiveVenue) -> None:
    trader, client = venue.trader(), Client(venue)
    now_ms = venue.exchange.now_us() // 1_000
    key, signature, timestamp, window = trader.signature("sessionLogin", now_ms)
    params = {"apiKey": key, "signature": signature, "timestamp": timestamp, "window": window}
    assert (await client.call("session.login", params))["result"] == {"session": client.name}
    other = Client(venue, services=client.services)
    assert code(await other.call("session.login", params)) == (429, "TOO_MANY_REQUESTS")
    assert code(await client.login(trader)) == (400, "INVALID_CLIENT_REQUEST"), "a session is for one key"


async def test_logins_that_prove_nothing(venue: LiveVenue) -> None:
    trader, client = venue.trader(), Client(venue)
    assert code(await client.login(trader, instruction="subscribe")) == (401, "INVALID_SIGNATURE")
    before_start_ms = (venue.exchange.now_us() - venue.exchange.started_us()) // 1_000 + 2
    assert code(await client.login(trader, late_ms=before_start_ms)) == (503, "MAINTENANCE")
    assert code(await client.login(trader, late_ms=6_000)) == (400, "INVALID_CLIENT_REQUEST")
    stranger = LiveVenue().trader()
    stranger.api_key = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
    assert code(await client.login(stranger)) == (401, "INVALID_SIGNATURE")
    wrong: tuple[Any, ...] = ({}, {"apiKey": 1}, None, [], {"apiKey": "", "timestamp": "", "signature": ""})
    for params in wrong:
        assert (await client.call("session.login", params))["status"] in (400, 401)
    assert (await client.login(trader))["status"] == 200


async def test_a_window_left_out_is_the_default_one(venue: LiveVenue) -> None:
    trader = venue.trader()
    key, signature, timestamp, _ = trader.signature("sessionLogin", venue.exchange.now_us() // 1_000)
    params = {"apiKey": key, "signature": signature, "timestamp": timestamp}
    assert (await Client(venue).call("session.login", params))["status"] == 200


async def test_who_signs_in_vain_too_often_must_wait(venue: LiveVenue) -> None:
    trader = venue.trader()
    client = Client(venue, requests=GatewayLimits(failed_signatures_per_minute=3))
    for _ in range(3):
        assert code(await client.login(trader, instruction="wrong")) == (401, "INVALID_SIGNATURE")
    assert code(await client.login(trader)) == (429, "TOO_MANY_REQUESTS")


async def test_a_revoked_key_trades_no_more(venue: LiveVenue) -> None:
    trader, client = venue.trader(), Client(venue)
    await client.login(trader)
    venue.revoke(trader)
    assert code(await client.call("order.place", ORDER)) == (401, "UNAUTHORIZED")
    assert (await client.call("order.query", {"symbol": "SOL_USDC", "clientId": 1}))["status"] in (401, 403)


async def test_a_key_does_what_its_scopes_say(venue: LiveVenue) -> None:
    reader, placer = Client(venue), Client(venue)
    await reader.login(venue.trader(Scope.READ))
    await placer.login(venue.trader(Scope.TRADE))
    assert code(await reader.call("order.place", ORDER)) == (403, "FORBIDDEN")
    assert code(await placer.call("order.query", {"symbol": "SOL_USDC", "clientId": 1})) == (403, "FORBIDDEN")
    assert (await placer.call("order.place", ORDER))["status"] == 200


# --- orders ---------------------------------------------------------------------------------------------


async def test_orders_are_placed_and_cancelled(client: Client) -> None:
    first = await client.call("order.place", ORDER | {"clientId": 1}, "a")
    assert first["status"] == 200
    assert first["result"]["price"] == "99.5"
    second = (await client.call("order.place", ORDER | {"price": "99", "postOnly": True}))["result"]
    found = await client.call("order.query", {"symbol": "SOL_USDC", "clientId": 1})
    assert found["result"] == first["result"]
    gone = await client.call("order.cancel", {"symbol": "SOL_USDC", "orderId": first["result"]["id"]})
    assert gone["result"] == first["result"] | {"status": "Cancelled"}
    assert code(await client.call("order.cancel", {"symbol": "SOL_USDC", "clientId": 1})) == (404, "RESOURCE_NOT_FOUND")
    assert code(await client.call("order.query", {"symbol": "SOL_USDC", "clientId": 1})) == (404, "RESOURCE_NOT_FOUND")
    rest = await client.call("order.cancelAll", {"symbol": "SOL_USDC"})
    assert rest["result"] == [second | {"status": "Cancelled"}]
    assert (await client.call("order.cancelAll", {"symbol": "SOL_USDC"}))["result"] == []
    assert (await client.call("order.cancelAll", {"symbol": "SOL_USDC", "orderType": "ConditionalOrder"}))[
        "result"
    ] == []


async def test_a_batch_answers_each_order_in_its_place(client: Client) -> None:
    batch = [
        ORDER,
        ORDER | {"symbol": "NO_NO"},
        ORDER | {"price": "99.555"},
        ORDER | {"price": "98"},
        ORDER | {"quantity": "1e9"},
    ]
    answer = await client.call("order.batch", batch)
    items = answer["result"]
    assert [item["operation"] for item in items] == ["Ok", "Err", "Err", "Ok", "Err"]
    assert [item.get("price") for item in items] == ["99.5", None, None, "98", None]
    assert code(await client.call("order.batch", [])) == (400, "INVALID_CLIENT_REQUEST")
    assert code(await client.call("order.batch", [ORDER] * 51)) == (400, "INVALID_CLIENT_REQUEST")


async def test_a_batch_is_as_long_as_the_setting_says(venue: LiveVenue) -> None:
    client = Client(venue, requests=GatewayLimits(batch_orders=3))
    await client.login(venue.trader())
    assert (await client.call("order.batch", [ORDER] * 3))["status"] == 200
    refused = await client.call("order.batch", [ORDER] * 4)
    assert (refused["status"], refused["error"]["message"]) == (400, "A batch is 1 to 3 orders")


async def test_the_dead_mans_switch(client: Client, venue: LiveVenue) -> None:
    assert (await client.call("order.cancelAllAfter", {"timeout": 60_000}))["result"] == {"timeout": 60_000}
    [account] = [one for one in venue.core.state.accounts.values() if one.cancel_all_after_us]
    assert 0 < account.cancel_all_after_us - venue.exchange.now_us() <= 60_000_000
    assert (await client.call("order.cancelAllAfter", {"timeout": 0}))["status"] == 200
    assert not account.cancel_all_after_us
    for timeout in (-1, 1.5, "1", 10**12, 10**30, None):
        assert code(await client.call("order.cancelAllAfter", {"timeout": timeout})) == (400, "INVALID_CLIENT_REQUEST")


async def test_a_shut_market_refuses_and_says_why(client: Client, venue: LiveVenue) -> None:
    venue.commit(SetMode(core.ADMIN, Mode.CANCEL_ONLY, "the reason", "SOL_USDC"))
    answer = await client.call("order.place", ORDER)
    assert code(answer) == (400, "TRADING_PAUSED")
    assert "the reason" in answer["error"]["message"]


async def test_a_query_that_meets_a_bug_is_answered(
    client: Client, venue: LiveVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(venue.exchange, "order", broken)
    assert code(await client.call("order.query", {"symbol": "SOL_USDC", "clientId": 1})) == (500, "SERVER_ERROR")


# --- limits ----------------------------------------------------------------------------------------------


async def test_requests_in_flight_are_limited(venue: LiveVenue) -> None:
    client = Client(venue, WsLimits(in_flight=2))
    await client.login(venue.trader())
    for number in range(4):
        request = {"id": number, "method": "order.place", "params": ORDER}
        client.session.receive(json.dumps(request).encode())
    answers = {answer["id"]: answer["status"] for answer in await client.settle()}
    assert answers == {0: 200, 1: 200, 2: 429, 3: 429}
    assert (await client.call("order.place", ORDER))["status"] == 200


@pytest.mark.parametrize("limit", ["in_flight_per_account", "in_flight_total"])
async def test_requests_in_flight_are_limited_over_all_sessions(venue: LiveVenue, limit: str) -> None:
    trader = venue.trader()
    one = Client(venue, WsLimits(**{limit: 3}))
    other = Client(venue, services=one.services)
    await one.login(trader)
    await other.login(venue.trader(account=trader.account))
    for number in range(2):
        for client in (one, other):
            request = {"id": number, "method": "order.place", "params": ORDER}
            client.session.receive(json.dumps(request).encode())
    other.session.receive(b'{"id":2,"method":"order.cancelAll","params":{"symbol":"SOL_USDC"}}')
    assert [answer["status"] for answer in await one.settle()] == [200, 200]
    assert {answer["id"]: answer["status"] for answer in await other.settle()} == {0: 200, 1: 429, 2: 200}
    assert (await other.call("order.place", ORDER))["status"] == 200


async def test_requests_per_account_are_limited_batches_by_their_orders(venue: LiveVenue) -> None:
    client = Client(venue, requests=GatewayLimits(requests_per_minute=5))
    await client.login(venue.trader())
    assert (await client.call("order.batch", [ORDER] * 4))["status"] == 200
    assert code(await client.call("order.batch", [ORDER] * 2)) == (429, "TOO_MANY_REQUESTS")
    assert (await client.call("order.place", ORDER))["status"] == 200
    assert code(await client.call("order.place", ORDER)) == (429, "TOO_MANY_REQUESTS")


CANCELS = [
    ("order.cancel", {"symbol": "SOL_USDC", "clientId": 9}),
    ("order.cancelAll", {"symbol": "SOL_USDC"}),
    ("order.cancelAllAfter", {"timeout": 0}),
    ("session.cancelOnDisconnect", {"armed": True}),
]


async def test_cancels_have_a_reserve_of_their_own(venue: LiveVenue) -> None:
    client = Client(venue, requests=GatewayLimits(requests_per_minute=2, reserved_cancels_per_minute=8))
    await client.login(venue.trader())
    for _ in range(2):
        assert (await client.call("order.place", ORDER))["status"] == 200
    for method, params in CANCELS * 2:
        assert code(await client.call("order.place", ORDER)) == (429, "TOO_MANY_REQUESTS")
        assert (await client.call(method, params))["status"] in (200, 404)
    assert not venue.core.state.orders
    for method, params in CANCELS:
        assert code(await client.call(method, params)) == (429, "TOO_MANY_REQUESTS")


async def test_a_cancel_comes_in_where_nothing_else_may_wait(venue: LiveVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    """With as many requests in flight as may be, in a market whose inbox is full."""
    client = Client(venue, WsLimits(in_flight=2))
    await client.login(venue.trader())
    for number in range(3):
        request = {"id": number, "method": "order.place", "params": ORDER}
        client.session.receive(json.dumps(request).encode())
    client.session.receive(b'{"id":3,"method":"order.cancelAll","params":{"symbol":"SOL_USDC"}}')
    answers = {answer["id"]: answer["status"] for answer in await client.settle()}
    assert answers == {0: 200, 1: 200, 2: 429, 3: 200}
    monkeypatch.setattr(inbox, "MAX_INBOX_COMMANDS", 0)
    assert code(await client.call("order.place", ORDER)) == (429, "TOO_MANY_REQUESTS")
    for method, params in CANCELS:
        assert (await client.call(method, params))["status"] in (200, 404)


async def test_frames_without_an_account_are_limited_by_address(venue: LiveVenue) -> None:
    client = Client(venue, requests=GatewayLimits(public_requests_per_minute=2))
    assert await client.subscribe("trade.SOL_USDC") == []
    assert [answer["error"]["code"] for answer in await client.frame(b"nonsense")] == [4002]
    assert [answer["error"]["code"] for answer in await client.frame(b"nonsense")] == [4029]
    assert [answer["error"]["code"] for answer in await client.subscribe("depth.SOL_USDC")] == [4029]


async def test_a_frame_counts_by_its_names(venue: LiveVenue) -> None:
    client = Client(venue, requests=GatewayLimits(public_requests_per_minute=10))
    assert await client.subscribe(*["trade.SOL_USDC"] * 4 * NAMES_PER_REQUEST) == []
    gone = {"method": "UNSUBSCRIBE", "params": ["trade.SOL_USDC"] * 4 * NAMES_PER_REQUEST}
    assert await client.frame(gone) == []
    assert [answer["error"]["code"] for answer in await client.frame(gone)] == [4029]


# --- cancel on disconnect ------------------------------------------------------------------------------------


def cancelled(venue: LiveVenue) -> list[int]:
    ends = [event for record in venue.records() for event in record.events if isinstance(event, OrderDone)]
    return [end.order_id for end in ends if end.cancel_reason is CancelReason.DISCONNECT]


async def test_an_armed_session_takes_its_orders_with_it(client: Client, venue: LiveVenue) -> None:
    assert (await client.call("session.cancelOnDisconnect", {"armed": True}))["result"] == {"armed": True}
    placed = [await client.call("order.place", ORDER) for _ in range(3)]
    client.session.close()
    await client.settle()
    assert cancelled(venue) == [int(answer["result"]["id"]) for answer in placed]
    assert not any(account.armed_sessions for account in venue.core.state.accounts.values())


async def test_orders_sent_in_the_last_moment_go_too(client: Client, venue: LiveVenue) -> None:
    """Also if the session had not heard yet that it is armed."""
    arm = {"id": 1, "method": "session.cancelOnDisconnect", "params": {"armed": True}}
    place = {"id": 2, "method": "order.place", "params": ORDER}
    for frame in (arm, place, place, {"id": 3, "method": "order.batch", "params": [ORDER, ORDER]}):
        client.session.receive(json.dumps(frame).encode())
    client.session.close()
    await client.settle()
    assert len(cancelled(venue)) == 4
    assert not venue.core.state.orders


async def test_a_full_inbox_keeps_no_orders(client: Client, venue: LiveVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    await client.call("session.cancelOnDisconnect", {"armed": True})
    await client.call("order.place", ORDER)
    monkeypatch.setattr(inbox, "MAX_INBOX_COMMANDS", 0)
    client.session.close()
    await client.settle()
    assert not venue.core.state.orders


async def test_a_session_that_is_not_armed_leaves_its_orders(client: Client, venue: LiveVenue) -> None:
    await client.call("session.cancelOnDisconnect", {"armed": True})
    await client.call("session.cancelOnDisconnect", {"armed": False})
    await client.call("order.place", ORDER)
    client.session.close()
    await client.settle()
    assert len(venue.core.state.orders) == 1


async def test_more_orders_than_one_command_ends_all_go(client: Client, venue: LiveVenue) -> None:
    await client.call("session.cancelOnDisconnect", {"armed": True})
    orders = MAX_CANCELS_PER_COMMAND + 10
    for _ in range(orders // 10):
        assert (await client.call("order.batch", [ORDER | {"quantity": "0.01"}] * 10))["status"] == 200
    assert len(venue.core.state.orders) == orders
    client.session.close()
    await client.settle()
    assert not venue.core.state.orders


# --- streams ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        ("nothing.SOL_USDC", 4006),
        ("", 4006),
        ("depth", 4006),
        ("depth.", 4006),
        ("trade", 4006),
        ("depth.500ms.SOL_USDC", 4008),
        ("kline.7m.SOL_USDC", 4006),
        ("kline.SOL_USDC", 4006),
        ("account.nothing", 4006),
        ("account", 4006),
        ("status.SOL_USDC", 4006),
        ("x" * 101, 4006),
        ("account.orderUpdate", 4005),
        ("account.balanceUpdate", 4005),
        ("account.rfqUpdate", 4005),
    ],
)
async def test_streams_that_cannot_be_had(venue: LiveVenue, stream: str, code: int) -> None:
    client = Client(venue)
    [answer] = await client.subscribe("trade.SOL_USDC", stream, "nothing.at.all")
    assert answer["id"] is None
    assert answer["error"]["code"] == code


@pytest.mark.parametrize(
    "stream",
    [
        "bookTicker.SOL_USDC",
        "depth.SOL_USDC",
        "depth.200ms.SOL_USDC",
        "depth.600ms.SOL_USDC",
        "depth.1000ms.SOL_USDC",
        "kline.1month.SOL_USDC",
        "ticker.SOL_USDC",
        "trade.SOL_USDC",
        "trade.NO_SUCH",
        "kline.1m.AAPL.US_USDC_PERP",
        "markPrice.SOL_USDC_PERP",
        "openInterest.SOL_USDC_PERP",
        "liquidation",
        "account.orderUpdate",
        "account.orderUpdate.SOL_USDC",
        "account.orderUpdate.NO_SUCH",
        "account.balanceUpdate",
        "account.positionUpdate",
        "account.positionUpdate.SOL_USDC_PERP",
        "account.rfqUpdate",
    ],
)
async def test_streams_are_subscribed_and_left_in_silence(venue: LiveVenue, stream: str) -> None:
    client = Client(venue)
    assert await client.subscribe(stream, stream, trader=venue.trader()) == []
    assert await client.frame({"method": "UNSUBSCRIBE", "params": [stream, stream, "never.had"]}) == []
    assert client.session._feeds == {}


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"null",
        b"[]",
        b"5",
        b"{",
        b'{"method":"PING"}',
        b'{"method":"SUBSCRIBE"}',
        b'{"method":"SUBSCRIBE","params":"trade.SOL_USDC"}',
        b'{"method":"SUBSCRIBE","params":[1]}',
        b'{"method":"SUBSCRIBE","params":["account.orderUpdate"],"signature":["a","b",1,2]}',
        b'{"method":"SUBSCRIBE","params":["account.orderUpdate"],"signature":["a","b"]}',
        b'{"method":"subscribe","params":[]}',
        b"[" * 60_000,
        b'{"method":"SUBSCRIBE","params":[' + b"[" * 60_000,
    ],
)
async def test_what_is_no_frame_is_a_parse_error(venue: LiveVenue, frame: bytes) -> None:
    assert await Client(venue).frame(frame) == [{"id": None, "error": {"code": 4002, "message": "Parse error"}}]


async def test_a_signature_is_taken_on_one_connection(venue: LiveVenue) -> None:
    """Who has overheard it can do nothing with it; the client itself may send it again there, as clients that keep it
    do."""
    trader, client = venue.trader(), Client(venue)
    signature = trader.signature("subscribe", venue.exchange.now_us() // 1_000)
    frame = {"method": "SUBSCRIBE", "params": ["account.orderUpdate"], "signature": signature}
    assert await client.frame(frame) == []
    assert await client.frame(frame | {"params": ["account.balanceUpdate"]}) == []
    thief = Client(venue, services=client.services)
    await thief.frame(frame)
    assert thief.closed_with == 1013
    client.session.close()
    thief = Client(venue, services=client.services)
    await thief.frame(frame)
    assert thief.closed_with == 1013, "nor when the first connection is gone"
    assert client.closed_with is None
    assert not any(thief.session._feeds.values())


async def test_a_signature_from_before_the_start_is_not_taken(venue: LiveVenue) -> None:
    client = Client(venue)
    before_ms = venue.exchange.started_us() // 1_000 - 1
    signature = venue.trader().signature("subscribe", before_ms)
    await client.frame({"method": "SUBSCRIBE", "params": ["account.orderUpdate"], "signature": signature})
    assert client.closed_with == 1013
    assert not any(client.session._feeds.values())


async def test_the_error_is_that_of_the_first_name_that_fell(venue: LiveVenue) -> None:
    client = Client(venue)
    [answer] = await client.subscribe("trade.SOL_USDC", "depth.500ms.SOL_USDC", "nothing.at.all", "ticker.SOL_USDC")
    assert answer["error"]["code"] == 4008
    [answer] = await client.subscribe("account.orderUpdate", "depth.500ms.SOL_USDC")
    assert answer["error"]["code"] == 4005
    assert [name for name, _ in client.session._feeds] == ["trade.SOL_USDC", "ticker.SOL_USDC"]


async def test_subscriptions_are_limited(venue: LiveVenue) -> None:
    client = Client(venue, WsLimits(subscriptions=2))
    [answer] = await client.subscribe("trade.SOL_USDC", "depth.SOL_USDC", "ticker.SOL_USDC", "trade.SOL_USDC")
    assert answer["error"] == {"code": 4030, "message": "Too many subscriptions"}
    assert await client.subscribe("trade.SOL_USDC", "depth.SOL_USDC") == [], "it has these already"
    await client.frame({"method": "UNSUBSCRIBE", "params": ["trade.SOL_USDC"]})
    assert await client.subscribe("ticker.SOL_USDC") == []


async def test_names_beyond_what_a_connection_may_read_are_not_looked_at(
    venue: LiveVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []
    parse = parse_stream_name

    def counted(text: str) -> StreamName | StreamError:
        parsed.append(text)
        return parse(text)

    monkeypatch.setattr(session_module, "parse_stream_name", counted)
    client = Client(venue, WsLimits(subscriptions=20))
    answers = await client.subscribe(*["status"] * 5_000, *[f"trade.{number}" for number in range(5_000)])
    assert [answer.get("stream") or answer["error"]["code"] for answer in answers] == ["status", 4030]
    assert len(parsed) == 20
    assert parsed.count("status") == 1


async def test_streams_of_an_address_are_limited_and_of_all_so_that_some_are_left(venue: LiveVenue) -> None:
    streams = ["trade.SOL_USDC", "depth.SOL_USDC", "ticker.SOL_USDC", "status"]
    client = Client(venue, WsLimits(subscriptions_per_address=3))
    other = Client(venue, services=client.services)
    assert await client.subscribe(*streams[:2]) == []
    [answer] = await other.subscribe(*streams[:2])
    assert answer["error"]["code"] == 4030
    client.session.close()
    assert await other.subscribe(*streams[:3]) == []
    client = Client(venue, WsLimits(subscriptions_total=4))
    [answer] = await client.subscribe(*streams)
    assert answer["error"]["code"] == 4030
    assert len(client.session._feeds) == 2, "who comes later finds as many"


async def test_a_key_that_may_not_read_gets_no_private_stream(venue: LiveVenue) -> None:
    [answer] = await Client(venue).subscribe("account.orderUpdate", trader=venue.trader(Scope.TRADE))
    assert answer["error"]["code"] == 4005


# --- whatever comes ---------------------------------------------------------------------------------------------


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
VALUES = st.sampled_from(
    ["SOL_USDC", "Bid", "Ask", "Limit", "Market", "IOC", "1", "1.5", "-1", "0", "1e5", "NaN", "9" * 30, 1, -1, 0, 1.5,
     2**63, 10**40, True, None, "RejectBoth", "Percent", "", "\x00", "é", "0.000000001"]
)  # fmt: skip


def like(shown: Any) -> st.SearchStrategy[Any]:
    """What looks like a value of a type, field by field, and every so often isn't one."""
    match shown:
        case msgspec.inspect.StructType(fields=fields):
            known = {field.encode_name: like(field.type) for field in fields}
            return st.fixed_dictionaries({}, optional=known) | JSON
        case msgspec.inspect.ListType(item_type=item):
            return st.lists(like(item), max_size=4) | JSON
        case msgspec.inspect.UnionType(types=types):
            return st.one_of(*map(like, types))
        case msgspec.inspect.EnumType(cls=cls):
            return st.sampled_from(list(cls)).map(lambda member: member.value) | VALUES
        case _:
            return VALUES | JSON


def frames_of(kind: Any) -> st.SearchStrategy[Any]:
    described = msgspec.inspect.type_info(kind)
    assert isinstance(described, msgspec.inspect.StructType)
    fields = {field.encode_name: like(field.type) for field in described.fields}
    params = fields.pop("params")
    sent = {"method": st.just(kind.__struct_config__.tag), "params": params}
    return st.fixed_dictionaries(sent, optional={**fields, "id": JSON})


#: Of every method there is.
FRAMES = st.one_of(*map(frames_of, (*methods.BY_FRAME, Login, Subscribe, Unsubscribe))) | st.fixed_dictionaries(
    {"method": st.sampled_from(["order.none", "x"]), "params": JSON}
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.binary(max_size=200) | FRAMES.map(lambda frame: json.dumps(frame).encode()), max_size=8))
def test_whatever_comes_is_answered_or_ignored(messages: list[bytes]) -> None:
    """Logged in or not: no message breaks a session, and each request is answered with its id."""

    async def run() -> None:
        venue = LiveVenue()
        for login in (True, False):
            client = Client(venue)
            if login:
                await client.login(venue.trader())
            for message in messages:
                client.session.receive(message)
            for answer in await client.settle():
                assert "status" in answer or "error" in answer
            assert (await client.call("no.such", {}))["status"] == 400
            client.session.close()

    asyncio.run(run())
