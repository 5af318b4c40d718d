"""Streams: what a subscriber reads of a real venue, and who reads what."""

from typing import Any

import pytest

from exchange.values.enums import Mode
from exchange.values.modes.commands import SetMode
from tests import venue as core
from tests.gateway.live_venue import LiveVenue
from tests.gateway.session_client import ORDER, Client


@pytest.fixture
async def venue() -> LiveVenue:
    return LiveVenue()


async def trading(venue: LiveVenue) -> Client:
    client = Client(venue)
    assert (await client.login(venue.trader()))["status"] == 200
    return client


def limit(side: str, price: str, quantity: str, **fields: Any) -> Any:
    return ORDER | {"side": side, "price": price, "quantity": quantity, **fields}


def of(frames: list[Any], stream: str) -> list[Any]:
    return [frame["data"] for frame in frames if frame["stream"] == stream]


# --- public ---------------------------------------------------------------------------------------------


async def test_the_book_of_a_subscriber_is_the_book(venue: LiveVenue) -> None:
    """A snapshot and the deltas after it; every id follows on the one before, at every pace."""
    maker, taker, reader = await trading(venue), await trading(venue), Client(venue)
    await maker.call("order.place", limit("Bid", "90", "1"))
    paces = ("depth", "depth.200ms", "depth.600ms", "depth.1000ms")
    assert await reader.subscribe(*(f"{pace}.SOL_USDC" for pace in paces)) == []
    first = await venue.exchange.depth("SOL_USDC", 1_000)
    for number in range(20):
        await maker.call("order.place", limit("Ask", f"{101 + number % 5}", "2"))
        await maker.call("order.place", limit("Bid", f"{99 - number % 5}.5", "1"))
        await taker.call("order.place", limit("Bid", "101", "0.5", timeInForce="IOC"))
        if number % 7 == 0:
            venue.tick(2.0)
    await maker.call("order.cancelAll", {"symbol": "SOL_USDC"})
    venue.tick(2.0)
    frames = await reader.settle()
    last = await venue.exchange.depth("SOL_USDC", 1_000)
    for pace in paces:
        deltas = of(frames, f"{pace}.SOL_USDC")
        next_id = first.update_id + 1
        book = {"a": {}, "b": {"90": "1"}}
        for delta in deltas:
            assert delta["U"] == next_id
            assert delta["u"] >= delta["U"]
            next_id = delta["u"] + 1
            for side in "ab":
                prices = [float(price) for price, _ in delta[side]]
                assert prices == sorted(prices)
                book[side].update(delta[side])
        assert next_id == last.update_id + 1
        assert not [quantity for side in book.values() for quantity in side.values() if quantity != "0"]
    assert len(of(frames, "depth.SOL_USDC")) > len(of(frames, "depth.200ms.SOL_USDC")) >= 2


async def test_every_public_stream_shows_a_trade(venue: LiveVenue) -> None:
    maker, taker, reader = await trading(venue), await trading(venue), Client(venue)
    names = [f"{kind}.SOL_USDC" for kind in ("trade", "bookTicker", "kline.1m", "ticker", "depth")]
    assert await reader.subscribe(*names) == []
    ask = await maker.call("order.place", limit("Ask", "100.25", "2"))
    bid = await taker.call("order.place", limit("Bid", "101", "0.5"))
    venue.tick(1.5)
    frames = await reader.settle()
    assert {frame["stream"] for frame in frames} == set(names)
    [trade] = of(frames, "trade.SOL_USDC")
    time_us = trade["E"]
    assert abs(venue.exchange.now_us() - time_us) < 10_000_000
    assert trade == {
        "e": "trade", "E": time_us, "s": "SOL_USDC", "p": "100.25", "q": "0.5", "b": bid["result"]["id"],
        "a": ask["result"]["id"], "t": 1, "T": time_us, "m": False,
    }  # fmt: skip
    assert of(frames, "bookTicker.SOL_USDC")[-1] == {
        "e": "bookTicker", "E": time_us, "s": "SOL_USDC", "a": "100.25", "A": "1.5", "b": None, "B": None,
        "u": of(frames, "depth.SOL_USDC")[-1]["u"], "T": time_us,
    }  # fmt: skip
    kline = of(frames, "kline.1m.SOL_USDC")[0]
    assert {key: kline[key] for key in "esochlvnX"} == {
        "e": "kline", "s": "SOL_USDC", "o": "100.25", "c": "100.25", "h": "100.25", "l": "100.25", "v": "0.5", "n": 1,
        "X": False,
    }  # fmt: skip
    assert len(kline["t"]) == len(kline["T"]) == len("2024-09-11T12:00:00")
    ticker = of(frames, "ticker.SOL_USDC")[0]
    assert {key: ticker[key] for key in "eochlvVn"} == {
        "e": "ticker", "o": "100.25", "c": "100.25", "h": "100.25", "l": "100.25", "v": "0.5", "V": "50.125", "n": 1,
    }  # fmt: skip


async def test_the_status_stream_begins_with_what_holds_and_tells_of_changes(venue: LiveVenue) -> None:
    reader = Client(venue)
    [now] = of(await reader.subscribe("status"), "status")
    assert now["e"] == "status"
    assert now["status"] == "Ok"
    assert now["markets"] == {"SOL_USDC": {"orderBookState": "Open", "reason": now["markets"]["SOL_USDC"]["reason"]}}
    assert await reader.subscribe("status") == []
    venue.commit(SetMode(core.ADMIN, Mode.CANCEL_ONLY, "a fault in the feed", "SOL_USDC"))
    [changed] = of(await reader.settle(), "status")
    assert changed["markets"] == {"SOL_USDC": {"orderBookState": "CancelOnly", "reason": "a fault in the feed"}}
    venue.commit(SetMode(core.ADMIN, Mode.OFFLINE, "maintenance"))
    [shut] = of(await reader.settle(), "status")
    assert (shut["status"], shut["orderBookState"], shut["reason"]) == ("Maintenance", "Closed", "maintenance")


async def test_an_update_is_encoded_once_for_all_readers(venue: LiveVenue) -> None:
    maker, services = await trading(venue), venue.services()
    readers = [Client(venue, services=services) for _ in range(3)]
    for reader in readers:
        await reader.subscribe("depth.SOL_USDC")
    await maker.call("order.place", ORDER)
    first, second, third = (reader.payloads for reader in readers)
    assert len(first) == 1
    assert first[0] is second[0] is third[0]


async def test_what_nobody_reads_is_not_watched(venue: LiveVenue) -> None:
    maker, services = await trading(venue), venue.services()
    one, other = Client(venue, services=services), Client(venue, services=services)
    for reader in (one, other):
        await reader.subscribe("depth.SOL_USDC", "trade.SOL_USDC")
    await one.frame({"method": "UNSUBSCRIBE", "params": ["depth.SOL_USDC"]})
    await maker.call("order.place", ORDER)
    assert (len(one.payloads), len(other.payloads)) == (0, 1)
    one.session.close()
    other.session.close()
    assert not services.hub._feeds
    assert not venue.streams.feeds["SOL_USDC"].depths
    await maker.call("order.place", ORDER)
    assert len(other.payloads) == 1
    await one.subscribe("depth.SOL_USDC")
    await maker.call("order.place", ORDER)
    assert len(one.payloads) == 1


# --- private ---------------------------------------------------------------------------------------------


async def test_an_account_reads_of_its_own_orders_and_balances(venue: LiveVenue) -> None:
    maker, buyer = await trading(venue), venue.trader()
    reader, taker = Client(venue), Client(venue)
    await taker.login(buyer)
    names = ("account.orderUpdate", "account.orderUpdate.SOL_USDC", "account.balanceUpdate", "account.rfqUpdate")
    assert await reader.subscribe(*names, trader=buyer) == []
    await maker.call("order.place", limit("Ask", "100", "1"))
    bid = (await taker.call("order.place", limit("Bid", "101", "3", clientId=9)))["result"]
    await taker.call("order.cancel", {"symbol": "SOL_USDC", "clientId": 9})
    frames = await reader.settle()
    updates = of(frames, "account.orderUpdate")
    assert updates == of(frames, "account.orderUpdate.SOL_USDC")
    assert [(one["e"], one["X"], one["z"], one["Z"], one["t"]) for one in updates] == [
        ("orderAccepted", "New", "0", "0", None),
        ("orderFill", "PartiallyFilled", "1", "100", 1),
        ("orderCancelled", "Cancelled", "1", "100", None),
    ]
    for one in updates:
        assert {key: one[key] for key in "sScioqQpfVrOy"} == {
            "s": "SOL_USDC", "S": "Bid", "c": 9, "i": bid["id"], "o": "LIMIT", "q": "3", "Q": "303", "p": "101",
            "f": "GTC", "V": "RejectTaker", "r": False, "O": "USER", "y": False,
        }  # fmt: skip
    fill = updates[1]
    assert {key: fill[key] for key in "lLmnN"} == {"l": "1", "L": "100", "m": False, "n": "0.001", "N": "SOL"}
    assert not set("lLmnNR") & set(updates[0])
    last = {update["a"]: (update["A"], update["L"], update["S"]) for update in of(frames, "account.balanceUpdate")}
    assert last == {"SOL": ("1000.999", "0", "0"), "USDC": ("99900", "0", "0")}


async def test_an_order_the_engine_ends_says_why(venue: LiveVenue) -> None:
    trader, reader = venue.trader(), Client(venue)
    client = Client(venue)
    await client.login(trader)
    await reader.subscribe("account.orderUpdate", trader=trader)
    market = {"symbol": "SOL_USDC", "side": "Bid", "orderType": "Market", "quoteQuantity": "50"}
    await client.call("order.place", limit("Bid", "99", "1", timeInForce="IOC"))
    maker = await trading(venue)
    await maker.call("order.place", limit("Ask", "100", "0.2"))
    await client.call("order.place", market)
    updates = of(await reader.settle(), "account.orderUpdate")
    assert [(one["e"], one["X"], one.get("R")) for one in updates] == [
        ("orderAccepted", "New", None),
        ("orderExpired", "Expired", "ImmediateOrCancel"),
        ("orderAccepted", "New", None),
        ("orderFill", "PartiallyFilled", None),
        ("orderExpired", "Expired", "InsufficientLiquidity"),
    ]
    by_quote = updates[-1]
    assert (by_quote["o"], by_quote["Q"], by_quote["q"]) == ("MARKET", "50", "0.2")
    assert not {"p", "y"} & set(by_quote)


async def test_nobody_reads_of_another_account(venue: LiveVenue) -> None:
    mine, theirs, reader = venue.trader(), await trading(venue), Client(venue)
    await reader.subscribe("account.orderUpdate", "account.balanceUpdate", trader=mine)
    await theirs.call("order.place", ORDER)
    assert await reader.settle() == []


async def test_two_keys_on_one_socket_each_read_of_their_own(venue: LiveVenue) -> None:
    traders = [venue.trader(), venue.trader()]
    reader, clients = Client(venue), [Client(venue), Client(venue)]
    for client, trader in zip(clients, traders, strict=True):
        await client.login(trader)
        await reader.subscribe("account.orderUpdate", trader=trader)
    ids = [(await client.call("order.place", ORDER))["result"]["id"] for client in clients]
    assert [update["i"] for update in of(await reader.settle(), "account.orderUpdate")] == ids
    assert await reader.frame({"method": "UNSUBSCRIBE", "params": ["account.orderUpdate"]}) == []
    await clients[0].call("order.place", ORDER)
    assert await reader.settle() == []


async def test_a_private_stream_ends_with_its_key(venue: LiveVenue) -> None:
    trader, reader = venue.trader(), Client(venue)
    client = Client(venue)
    await client.login(trader)
    await client.call("session.cancelOnDisconnect", {"armed": True})
    await reader.subscribe("account.orderUpdate", trader=trader)
    await client.call("order.place", ORDER)
    assert len(await reader.settle()) == 1
    venue.revoke(trader)
    await reader.settle()
    client.session.close()  # cancels the order
    assert await reader.settle() == []
    assert not reader.services.hub._feeds


async def test_a_new_key_of_the_account_takes_the_stream_over(venue: LiveVenue) -> None:
    old, reader, client = venue.trader(), Client(venue), Client(venue)
    new = venue.trader(account=old.account)
    await client.login(new)
    await reader.subscribe("account.orderUpdate", trader=old)
    await reader.subscribe("account.orderUpdate", trader=new)
    venue.revoke(old)
    await client.call("order.place", ORDER)
    assert len(await reader.settle()) == 1, "once, though it was subscribed to twice"
