"""Streams and the live book against a peer that publishes, skips updates, goes away and comes back."""

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
    ExchangeClient,
    ExchangeError,
    Keypair,
    LiveBook,
    NotConnected,
    StreamLagged,
    Streams,
    streams,
)
from exchange_client.events import TradeEvent
from exchange_client.models import Depth, DepthLimit
from tests.clients.until import until

KEYPAIR = Keypair(base64.b64encode(bytes(range(32))).decode())
WITHIN_S = 10.0


class Peer(ExchangeClient):
    """A publisher with one growing book; as an `ExchangeClient` it hands out the book's snapshots itself."""

    def __init__(self) -> None:
        super().__init__()
        self.ws_url = ""
        self.sockets: list[ServerConnection] = []
        self.requests: list[dict[str, Any]] = []
        self.update_id = 0
        self.bids: dict[str, str] = {}
        self.snapshots = 0
        self.during_snapshot: Callable[[], None] = lambda: None

    async def serve(self, socket: ServerConnection) -> None:
        self.sockets.append(socket)
        try:
            async for text in socket:
                self.requests.append(json.loads(text))
        finally:
            self.sockets.remove(socket)

    def publish(self, stream: str, data: dict[str, Any]) -> None:
        for socket in self.sockets:
            socket.transport.write(frame(json.dumps({"stream": stream, "data": data})))

    def change(self, price: str, quantity: str, *, lose: bool = False) -> None:
        """One change of the book; `lose` keeps it from the stream."""
        self.update_id += 1
        self.bids[price] = quantity
        if not lose:
            update = {
                "e": "depth",
                "E": 1,
                "s": "SOL_USDC",
                "a": [],
                "b": [[price, quantity]],
                "U": self.update_id,
                "u": self.update_id,
                "T": 1,
            }
            self.publish("depth.SOL_USDC", update)

    def expected(self) -> list[tuple[Decimal, Decimal]]:
        return sorted((Decimal(price), Decimal(quantity)) for price, quantity in self.bids.items() if quantity != "0")

    async def depth(self, symbol: str, limit: DepthLimit = 1000) -> Depth:
        if symbol != "SOL_USDC":
            raise ExchangeError("INVALID_CLIENT_REQUEST", "Invalid market symbol", 400)
        self.snapshots += 1
        answer = Depth(bids=self.expected(), asks=[], last_update_id=str(self.update_id), timestamp=1)
        self.during_snapshot()
        await asyncio.sleep(0.02)
        return answer


def frame(text: str) -> bytes:
    """A server's text frame, written without waiting so that tests say exactly what is sent when."""
    payload = text.encode()
    length = bytes([len(payload)]) if len(payload) < 126 else bytes([126]) + len(payload).to_bytes(2, "big")
    return b"\x81" + length + payload


def trade(number: int) -> dict[str, Any]:
    return {
        "e": "trade",
        "E": 1,
        "s": "SOL_USDC",
        "p": "1.5",
        "q": "2",
        "b": "11",
        "a": "12",
        "t": number,
        "T": 1,
        "m": True,
    }


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with Peer() as made, serve(made.serve, "127.0.0.1", 0) as server:
        made.ws_url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        yield made


@pytest.fixture
async def feed(peer: Peer) -> AsyncIterator[Streams]:
    async with Streams(peer.ws_url, KEYPAIR) as opened:
        yield opened


async def cut(peer: Peer, feed: Streams) -> None:
    """Break the connection and wait for the next one to have subscribed."""
    back = asyncio.Event()
    forget = feed.on_reconnect(back.set)
    peer.sockets[0].transport.abort()
    await asyncio.wait_for(back.wait(), WITHIN_S)
    forget()


async def test_events_come_typed_and_in_order(peer: Peer, feed: Streams) -> None:
    subscription = await feed.trades("SOL_USDC")
    for number in range(3):
        peer.publish("trade.SOL_USDC", trade(number))
    seen: list[TradeEvent] = []
    async for event in subscription:
        seen.append(event)
        if len(seen) == 3:
            break
    assert [event.trade_id for event in seen] == [0, 1, 2]
    assert (seen[0].price, seen[0].buyer_is_maker, seen[0].seller_order_id) == (Decimal("1.5"), True, "12")


async def test_a_stream_is_told_apart_by_its_whole_name(peer: Peer, feed: Streams) -> None:
    sol: list[TradeEvent] = []
    btc: list[TradeEvent] = []
    await feed.trades("SOL_USDC", sol.append)
    await feed.trades("BTC_USDC", btc.append)
    peer.publish("trade.BTC_USDC", trade(1))
    await until(lambda: bool(btc))
    assert sol == []


async def test_a_failing_callback_costs_others_nothing(peer: Peer, feed: Streams) -> None:
    seen: list[TradeEvent] = []

    def fail(_event: TradeEvent) -> None:
        raise RuntimeError("a user's mistake")

    await feed.trades("SOL_USDC", fail)
    await feed.trades("SOL_USDC", seen.append)
    peer.publish("trade.SOL_USDC", trade(1))
    peer.publish("trade.SOL_USDC", trade(2))
    await until(lambda: len(seen) == 2)


async def test_private_streams_are_signed_anew_on_each_connection(peer: Peer, feed: Streams) -> None:
    await feed.trades("SOL_USDC")
    await feed.order_updates()
    await cut(peer, feed)
    signed = [request for request in peer.requests if "signature" in request]
    assert [request["params"] for request in signed] == [["account.orderUpdate"]] * 2
    assert signed[0]["signature"] != signed[1]["signature"]
    for request in signed:
        key, signature, timestamp, window = request["signature"]
        text = f"instruction=subscribe&timestamp={timestamp}&window={window}"
        VerifyKey(base64.b64decode(key)).verify(text.encode(), base64.b64decode(signature))
    unsigned = [request["params"] for request in peer.requests if "signature" not in request]
    assert unsigned == [["trade.SOL_USDC"]] * 2


async def test_private_streams_need_a_keypair(peer: Peer) -> None:
    async with Streams(peer.ws_url) as feed:
        with pytest.raises(ValueError, match="keypair"):
            await feed.balance_updates()


async def test_a_server_that_goes_away_in_order_is_found_again(peer: Peer, feed: Streams) -> None:
    seen: list[TradeEvent] = []
    await feed.trades("SOL_USDC", seen.append)
    back = asyncio.Event()
    feed.on_reconnect(back.set)
    await peer.sockets[0].close(1001, "going away")
    await asyncio.wait_for(back.wait(), WITHIN_S)
    peer.publish("trade.SOL_USDC", trade(1))
    await until(lambda: bool(seen))


async def test_closing_one_of_two_subscriptions_keeps_the_other(peer: Peer, feed: Streams) -> None:
    seen: list[TradeEvent] = []
    first = await feed.trades("SOL_USDC")
    second = await feed.trades("SOL_USDC", seen.append)
    await first.close()
    assert [event async for event in first] == []
    peer.publish("trade.SOL_USDC", trade(1))
    await until(lambda: bool(seen))
    assert all(request["method"] == "SUBSCRIBE" for request in peer.requests)
    await second.close()
    await until(lambda: peer.requests[-1]["method"] == "UNSUBSCRIBE")


async def test_a_reader_that_is_too_slow_is_told_so(peer: Peer, feed: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "QUEUE_EVENTS", 5)
    subscription = await feed.trades("SOL_USDC")
    after: list[TradeEvent] = []
    await feed.trades("SOL_USDC", after.append)
    for number in range(8):
        peer.publish("trade.SOL_USDC", trade(number))
    await until(lambda: len(after) == 8)
    events = aiter(subscription)
    assert [(await anext(events)).trade_id for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(StreamLagged):
        await anext(events)


async def test_the_live_book_follows(peer: Peer, feed: Streams) -> None:
    peer.change("99", "1")
    async with LiveBook(feed, peer, "SOL_USDC") as live:
        assert live.synced
        assert live.book.bids.ascending() == peer.expected()
        for quantity in ("4", "0", "5"):
            peer.change("98", quantity)
        await until(lambda: live.book.update_id == peer.update_id)
        assert live.book.bids.ascending() == peer.expected()
        assert peer.snapshots == 2  # the check at the door, and the one that counts


async def test_changes_that_come_before_the_snapshot_are_not_lost(peer: Peer, feed: Streams) -> None:
    peer.during_snapshot = lambda: peer.change(str(90 + peer.snapshots), "3")
    async with LiveBook(feed, peer, "SOL_USDC") as live:
        assert live.book.bids.ascending() == peer.expected()
        assert len(peer.expected()) == peer.snapshots == 2


async def test_a_gap_loads_the_book_again(peer: Peer, feed: Streams) -> None:
    async with LiveBook(feed, peer, "SOL_USDC") as live:
        peer.change("99", "1", lose=True)
        peer.change("98", "2")
        await until(lambda: not live.synced)
        peer.change("97", "3")
        await until(lambda: live.synced)
        assert live.book.bids.ascending() == peer.expected()
        peer.change("96", "4")
        await until(lambda: live.book.update_id == peer.update_id)
        assert live.book.bids.ascending() == peer.expected()


async def test_what_changed_while_disconnected_is_seen_without_waiting_for_the_next_change(
    peer: Peer, feed: Streams
) -> None:
    async with LiveBook(feed, peer, "SOL_USDC") as live:
        peer.change("99", "1", lose=True)
        await cut(peer, feed)
        await until(lambda: live.synced)
        assert live.book.bids.ascending() == peer.expected()


async def test_changes_are_given_to_the_reader(peer: Peer, feed: Streams) -> None:
    async with LiveBook(feed, peer, "SOL_USDC") as live:
        peer.change("99", "1")
        async with asyncio.timeout(WITHIN_S):
            async for book in live.changes():
                if book.update_id == 1:
                    break
        assert live.book.best_bid() == (Decimal("99"), Decimal("1"))


async def test_an_unknown_market_is_refused_at_once(peer: Peer, feed: Streams) -> None:
    with pytest.raises(ExchangeError, match="Invalid market symbol"):
        async with LiveBook(feed, peer, "NO_SUCH"):
            pass
    assert peer.requests == []


class Broken:
    """A link whose connection has broken without anybody having noticed yet, as it is for one turn of the loop."""

    asked = 0

    async def wait_connected(self, timeout_s: float) -> None:
        self.asked += 1

    @property
    def socket(self) -> ServerConnection:
        raise NotConnected("just now")


async def test_a_connection_that_breaks_while_it_is_asked_does_not_keep_everybody_else_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "CONFIRM_TIMEOUT_S", 0.3)
    one, link = Streams("ws://127.0.0.1:1"), Broken()
    monkeypatch.setattr(one, "_link", link)
    with pytest.raises(NotConnected, match="does not answer"):
        await one._confirm()
    assert link.asked < 20
