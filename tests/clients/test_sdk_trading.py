"""Trading sessions against a peer that loses answers, connections and whole requests on purpose."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
from nacl.signing import VerifyKey
from websockets.asyncio.server import ServerConnection, serve

from exchange_client import (
    ExchangeError,
    Keypair,
    NotConnected,
    NotPlaced,
    OutcomeUnknown,
    TradingSession,
    limit,
    trading,
)
from exchange_client.models import Order
from tests.clients.until import until

KEYPAIR = Keypair(base64.b64encode(bytes(range(32))).decode())
NOT_FOUND = {"code": "RESOURCE_NOT_FOUND", "message": "Not Found"}
WITHIN_S = 10.0

Frame = dict[str, Any]


class Peer:
    """A trading server that keeps orders by client id. `fault`, when set, sees each request first.

    It returns what to do with the request: "carry out", "lose the answer" (carry out, cut the connection),
    "lose it" (only cut), "queue it" (cut, carry out when the next cancel comes in) or "say nothing".
    """

    def __init__(self) -> None:
        self.orders: dict[int, Frame] = {}
        self.received: list[tuple[str, Any]] = []
        self.fault: Callable[[str, Any], str] = lambda method, params: "carry out"
        self.login_error: Frame | None = None
        self.url = ""
        self._queued: list[Any] = []
        self._next_order = 100

    async def serve(self, socket: ServerConnection) -> None:
        async for text in socket:
            frame = json.loads(text)
            method, params = frame["method"], frame["params"]
            self.received.append((method, params))
            action = self.fault(method, params)
            if action == "queue it":
                self._queued.append(params)
            result = self.carry_out(method, params) if action in ("carry out", "lose the answer") else None
            if action == "carry out":
                assert result is not None
                status, body = result
                await socket.send(json.dumps({"id": frame["id"], "status": status, **body}))
            elif action != "say nothing":
                socket.transport.abort()
                return

    def carry_out(self, method: str, params: Any) -> tuple[int, Frame]:
        if method == "session.login":
            return self._login(params)
        if method == "order.place":
            return self._place(params)
        if method == "order.batch":
            items = []
            for item in params:
                _, body = self._place(item)
                items.append({"operation": "Ok", **body["result"]})
            return 200, {"result": items}
        if method in ("order.query", "order.cancel"):
            return self._one(method, params)
        return 200, {"result": [] if method == "order.cancelAll" else {}}

    def _login(self, params: Frame) -> tuple[int, Frame]:
        text = f"instruction=sessionLogin&timestamp={params['timestamp']}&window={params['window']}"
        VerifyKey(base64.b64decode(params["apiKey"])).verify(text.encode(), base64.b64decode(params["signature"]))
        return (200, {"result": {}}) if self.login_error is None else (401, {"error": self.login_error})

    def _place(self, params: Frame) -> tuple[int, Frame]:
        if params["quantity"] == "0":
            return 400, {"error": {"code": "INVALID_ORDER", "message": "no"}}
        self._next_order += 1
        order = {
            "id": str(self._next_order),
            "status": "New",
            "createdAt": 1,
            "timeInForce": "GTC",
            "selfTradePrevention": "RejectTaker",
            "executedQuantity": "0",
            "executedQuoteQuantity": "0",
            **params,
        }
        self.orders[params["clientId"]] = order
        return 200, {"result": order}

    def _one(self, method: str, params: Frame) -> tuple[int, Frame]:
        if method == "order.cancel":
            for queued in self._queued:
                self._place(queued)
            self._queued.clear()
        order = self.orders.get(params["clientId"])
        if order is None or (method == "order.cancel" and order["status"] != "New"):
            return 404, {"error": NOT_FOUND}
        if method == "order.cancel":
            order["status"] = "Cancelled"
        return 200, {"result": order}

    def methods(self) -> list[str]:
        return [method for method, _ in self.received]


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    made = Peer()
    async with serve(made.serve, "127.0.0.1", 0) as server:
        made.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        yield made


@pytest.fixture
async def session(peer: Peer) -> AsyncIterator[TradingSession]:
    async with TradingSession(peer.url, KEYPAIR) as opened:
        yield opened


def once(method: str, action: str) -> Callable[[str, Any], str]:
    """A fault that strikes the first request of that method."""
    struck = False

    def fault(seen: str, _params: Any) -> str:
        nonlocal struck
        if seen == method and not struck:
            struck = True
            return action
        return "carry out"

    return fault


async def place(session: TradingSession, client_id: int = 1, quantity: str = "1") -> Order:
    order = limit("SOL_USDC", "Bid", Decimal("100"), Decimal(quantity), client_id=client_id)
    return await asyncio.wait_for(session.place(order), WITHIN_S)


async def test_orders_are_placed_queried_and_cancelled(peer: Peer, session: TradingSession) -> None:
    placed = await place(session)
    assert (placed.status, placed.price, placed.client_id) == ("New", Decimal("100"), 1)
    assert (await session.query("SOL_USDC", client_id=1)).id == placed.id
    assert (await session.cancel("SOL_USDC", client_id=1)).status == "Cancelled"


async def test_many_requests_in_flight_each_get_their_own_answer(session: TradingSession) -> None:
    placed = await asyncio.gather(*(place(session, client_id) for client_id in range(200)))
    assert [order.client_id for order in placed] == list(range(200))


async def test_a_refusal_is_an_error_with_its_code(session: TradingSession) -> None:
    with pytest.raises(ExchangeError) as refused:
        await place(session, quantity="0")
    assert (refused.value.code, refused.value.status) == ("INVALID_ORDER", 400)


async def test_an_order_whose_answer_got_lost_is_found(peer: Peer, session: TradingSession) -> None:
    peer.fault = once("order.place", "lose the answer")
    placed = await place(session)
    assert (placed.status, placed.id) == ("New", peer.orders[1]["id"])
    assert peer.methods().count("order.place") == 1
    assert peer.methods().count("session.login") == 2


async def test_an_order_that_never_arrived_is_reported_so_and_not_sent_again(
    peer: Peer, session: TradingSession
) -> None:
    peer.fault = once("order.place", "lose it")
    with pytest.raises(NotPlaced):
        await place(session)
    assert peer.orders == {}
    assert peer.methods().count("order.place") == 1


async def test_an_order_still_queued_when_asked_about_is_never_called_not_placed(
    peer: Peer, session: TradingSession
) -> None:
    peer.fault = once("order.place", "queue it")
    placed = await place(session)
    assert placed.status == "Cancelled"
    assert peer.orders[1]["status"] == "Cancelled"


async def test_everything_in_flight_is_found_when_the_connection_breaks_twice(
    peer: Peer, session: TradingSession
) -> None:
    seen = 0

    def fault(method: str, params: Any) -> str:
        nonlocal seen
        if method == "order.place":
            seen += 1
            return "say nothing" if seen % 3 else "carry out" if seen < 30 else "lose the answer"
        if method == "order.query" and params["clientId"] == 3 and len(peer.methods()) < 40:
            return "lose the answer"
        return "carry out"

    peer.fault = fault
    outcomes = await asyncio.gather(*(place(session, client_id) for client_id in range(30)), return_exceptions=True)
    told = {order.client_id for order in outcomes if isinstance(order, Order)}
    assert told == set(peer.orders)
    assert all(isinstance(outcome, Order | NotPlaced) for outcome in outcomes)
    assert len(told) == 10


async def test_each_order_of_a_lost_batch_is_accounted_for(peer: Peer, session: TradingSession) -> None:
    orders = [limit("SOL_USDC", "Bid", Decimal("100"), Decimal("1"), client_id=number) for number in range(3)]
    peer.fault = once("order.batch", "lose the answer")
    outcomes = await asyncio.wait_for(session.place_batch(orders), WITHIN_S)
    assert [type(outcome) for outcome in outcomes] == [Order] * 3
    peer.orders.clear()
    peer.fault = once("order.batch", "lose it")
    outcomes = await asyncio.wait_for(session.place_batch(orders), WITHIN_S)
    assert [type(outcome) for outcome in outcomes] == [NotPlaced] * 3


async def test_a_cancel_whose_answer_got_lost_still_returns_the_order(peer: Peer, session: TradingSession) -> None:
    await place(session)
    peer.fault = once("order.cancel", "lose the answer")
    cancelled = await asyncio.wait_for(session.cancel("SOL_USDC", client_id=1), WITHIN_S)
    assert cancelled.status == "Cancelled"


async def test_a_lost_cancel_is_sent_again(peer: Peer, session: TradingSession) -> None:
    await place(session)
    peer.fault = once("order.cancel", "lose it")
    assert (await asyncio.wait_for(session.cancel("SOL_USDC", client_id=1), WITHIN_S)).status == "Cancelled"


async def test_a_lost_cancel_of_everything_is_left_to_the_caller(peer: Peer, session: TradingSession) -> None:
    peer.fault = once("order.cancelAll", "lose it")
    with pytest.raises(OutcomeUnknown):
        await asyncio.wait_for(session.cancel_all("SOL_USDC"), WITHIN_S)
    assert peer.methods().count("order.cancelAll") == 1


async def test_a_peer_that_falls_silent_is_left_and_asked_again(
    peer: Peer, session: TradingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trading, "ANSWER_TIMEOUT_S", 0.2)
    peer.fault = once("order.place", "say nothing")
    with pytest.raises(NotPlaced):
        await place(session)


async def test_without_a_peer_the_outcome_is_unknown_in_bounded_time(
    peer: Peer, session: TradingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trading, "ANSWER_TIMEOUT_S", 0.2)
    monkeypatch.setattr(trading, "RECOVERY_TIMEOUT_S", 0.5)
    peer.fault = lambda method, params: "lose it"
    with pytest.raises(OutcomeUnknown):
        await place(session)


async def test_nothing_is_sent_without_a_connection(peer: Peer, session: TradingSession) -> None:
    peer.fault = lambda method, params: "lose it"
    lost = asyncio.create_task(place(session))
    await until(lambda: not session.connected)
    with pytest.raises(NotConnected):
        await place(session, 2)
    peer.fault = lambda method, params: "carry out"
    with pytest.raises(NotPlaced):
        await lost
    await session.wait_connected()
    assert (await place(session, 3)).status == "New"


async def test_cancel_on_disconnect_is_armed_again_before_anything_else(peer: Peer, session: TradingSession) -> None:
    await session.cancel_on_disconnect(True)
    peer.fault = once("order.place", "lose the answer")
    await place(session)
    assert peer.methods() == [
        "session.login",
        "session.cancelOnDisconnect",
        "order.place",
        "session.login",
        "session.cancelOnDisconnect",
        "order.query",
    ]


async def test_a_refused_first_login_is_raised(peer: Peer) -> None:
    peer.login_error = {"code": "UNAUTHORIZED", "message": "who?"}
    with pytest.raises(ExchangeError, match="UNAUTHORIZED"):
        async with TradingSession(peer.url, KEYPAIR):
            pass


async def test_no_peer_at_all_is_raised() -> None:
    with pytest.raises(NotConnected):
        async with TradingSession("ws://127.0.0.1:9", KEYPAIR):
            pass


async def test_a_key_revoked_while_away_ends_everything_with_a_reason(peer: Peer, session: TradingSession) -> None:
    peer.fault = once("order.place", "lose it")
    peer.login_error = {"code": "UNAUTHORIZED", "message": "revoked"}
    with pytest.raises(OutcomeUnknown):
        await place(session)
    with pytest.raises(ExchangeError, match="revoked"):
        await place(session, 2)


async def test_a_transient_login_refusal_is_waited_out(peer: Peer, session: TradingSession) -> None:
    peer.fault = once("order.place", "lose the answer")
    peer.login_error = {"code": "MAINTENANCE", "message": "back soon"}
    waiting = asyncio.create_task(place(session))
    await until(lambda: peer.methods().count("session.login") >= 3)
    peer.login_error = None
    assert (await waiting).status == "New"


async def test_closing_answers_what_is_in_flight(peer: Peer) -> None:
    peer.fault = lambda method, params: "say nothing" if method == "order.place" else "carry out"
    session = TradingSession(peer.url, KEYPAIR)
    async with session:
        waiting = asyncio.create_task(place(session))
        await until(lambda: "order.place" in peer.methods())
    with pytest.raises(OutcomeUnknown):
        await waiting
