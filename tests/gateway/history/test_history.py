"""An account's history over REST: orders, fills, ledger, deposits."""

import csv
import io
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.gateway.http_venue import SYMBOL, HttpVenue

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDERS = "/wapi/v1/history/orders"
FILLS = "/wapi/v1/history/fills"
LEDGER = "/wapi/v1/history/ledger"
DEPOSITS = "/wapi/v1/capital/deposits"


async def test_orders_newest_first_with_page_headers(traded: HttpVenue) -> None:
    page = await traded.ask(traded.bob, "GET", ORDERS, query={"limit": 2, "symbol": SYMBOL})
    assert [row["clientId"] for row in page.json] == [2, 1]
    assert {name: page.headers[name] for name in ("x-page-count", "x-current-page", "x-page-size", "x-total")} == {
        "x-page-count": "2",
        "x-current-page": "1",
        "x-page-size": "2",
        "x-total": "3",
    }
    assert page.headers["access-control-expose-headers"] == "X-PAGE-COUNT, X-CURRENT-PAGE, X-PAGE-SIZE, X-TOTAL"
    last = await traded.ask(traded.bob, "GET", ORDERS, query={"limit": 2, "offset": 2})
    assert [row["clientId"] for row in last.json] == [0]
    assert last.headers["x-current-page"] == "2"
    oldest = await traded.ask(traded.bob, "GET", ORDERS, query={"limit": 2, "sortDirection": "Asc"})
    assert [row["clientId"] for row in oldest.json] == [0, 1]


async def test_an_order_of_the_past(traded: HttpVenue) -> None:
    newest = (await traded.ask(traded.bob, "GET", ORDERS)).json[0]
    found = (await traded.ask(traded.bob, "GET", ORDERS, query={"orderId": newest["id"], "symbol": SYMBOL})).json
    assert found == [newest]
    assert (newest["status"], newest["executedQuantity"], newest["price"]) == ("Filled", "1", "100")
    assert len(newest["createdAt"]) == len("2025-06-15T15:08:20.011")
    assert "T" in newest["createdAt"]
    for unknown in ("1", "9" * 18):
        assert (await traded.ask(traded.bob, "GET", ORDERS, query={"orderId": unknown})).json == []
    assert (await traded.ask(traded.ann, "GET", ORDERS, query={"orderId": newest["id"]})).json == []


async def test_what_became_of_a_client_id(traded: HttpVenue) -> None:
    """By history, open or ended, for a day; the id stays with its order for ten minutes after that has ended."""
    order = {"symbol": SYMBOL, "side": "Bid", "orderType": "Limit", "price": "90", "quantity": "1", "clientId": 77}
    where = {"symbol": SYMBOL, "clientId": "77"}

    async def became() -> Any:
        return (await traded.ask(traded.bob, "GET", ORDERS, query=where)).json

    assert await became() == []
    placed = (await traded.ask(traded.bob, "POST", "/api/v1/order", order)).json
    [row] = await became()
    assert (row["id"], row["status"]) == (placed["id"], "New")
    by_id = {"symbol": SYMBOL, "orderId": placed["id"]}
    assert (await traded.ask(traded.bob, "GET", ORDERS, query=by_id)).json == [row]
    again = await traded.ask(traded.bob, "POST", "/api/v1/order", order)
    message = f"Duplicate clientId: order {placed['id']} is open under it"
    assert again.refusal == (400, "INVALID_CLIENT_REQUEST", message)

    await traded.ask(traded.bob, "DELETE", "/api/v1/order", {"symbol": SYMBOL, "clientId": 77})
    [row] = await became()
    assert (row["id"], row["status"], row["cancelReason"]) == (placed["id"], "Cancelled", "User")
    assert (await traded.ask(traded.bob, "GET", "/api/v1/order", query=where)).status == 404
    again = await traded.ask(traded.bob, "POST", "/api/v1/order", order)
    message = f"Duplicate clientId: order {placed['id']} ended under it less than 10 minutes ago"
    assert again.refusal == (400, "INVALID_CLIENT_REQUEST", message)
    assert (await traded.ask(traded.ann, "GET", ORDERS, query=where)).json == []

    traded.clock.pass_s(600)
    second = (await traded.ask(traded.bob, "POST", "/api/v1/order", {**order, "timeInForce": "IOC"})).json
    assert [row["id"] for row in await became()] == [second["id"]] != [placed["id"]]
    traded.clock.pass_s(24 * 3600 - 1)
    assert [row["status"] for row in await became()] == ["Expired"]
    traded.clock.pass_s(2)
    assert await became() == []
    for wrong in ({"clientId": "77"}, {**where, "orderId": placed["id"]}, {**where, "clientId": "x"}):
        assert (await traded.ask(traded.bob, "GET", ORDERS, query=wrong)).refusal[0] == 400


async def test_who_asked_for_a_cancel_is_told(traded: HttpVenue) -> None:
    order = {"symbol": SYMBOL, "side": "Bid", "orderType": "Limit", "price": "90", "quantity": "1"}
    placed = await traded.ask(traded.bob, "POST", "/api/v1/order", order)
    where = {"symbol": SYMBOL, "orderId": placed.json["id"]}
    await traded.ask(traded.bob, "DELETE", "/api/v1/order", where)
    [row] = (await traded.ask(traded.bob, "GET", ORDERS, query=where)).json
    assert (row["status"], row["cancelReason"], row["expiryReason"]) == ("Cancelled", "User", None)
    assert row["endedSeq"] > int(row["id"]) // 10
    assert row["endedCommand"] == "CancelOrder"
    assert row["endedBy"].startswith("key ")


async def test_every_change_names_record_command_and_actor_but_no_other_trader(traded: HttpVenue) -> None:
    orders = (await traded.ask(traded.bob, "GET", ORDERS)).json
    filled = [row for row in orders if row["status"] == "Filled"]
    assert {(row["endedCommand"], row["endedBy"]) for row in filled} == {("PlaceOrder", "another account")}
    lines = (await traded.ask(traded.bob, "GET", LEDGER, query={"limit": 1000})).json
    told = {(line["kind"], line["command"], line["actor"].split(" ")[0]) for line in lines}
    assert told == {
        ("deposit", "CreditDeposit", "admin"),
        ("reserve", "PlaceOrder", "key"),
        ("release", "CancelOrder", "key"),
        ("trade", "PlaceOrder", "another"),
        ("fee", "PlaceOrder", "another"),
    }
    mine = {line["actor"] for line in lines if line["actor"].startswith("key ")}
    assert len(mine) == 1
    theirs = (await traded.ask(traded.ann, "GET", LEDGER, query={"limit": 1000})).json
    assert not mine & {line["actor"] for line in theirs}
    taken = {(line["command"], line["actor"].split(" ")[0]) for line in theirs if line["kind"] == "trade"}
    assert taken == {("PlaceOrder", "key")}


async def test_fills(traded: HttpVenue) -> None:
    mine = (await traded.ask(traded.ann, "GET", FILLS, query={"fillType": "User"})).json
    assert len(mine) == 3
    assert mine[0] == {
        "tradeId": 3,
        "orderId": mine[0]["orderId"],
        "clientId": "2",
        "symbol": SYMBOL,
        "side": "Bid",
        "price": "100",
        "quantity": "1",
        "fee": "0.001",
        "feeSymbol": "SOL",
        "isMaker": False,
        "timestamp": mine[0]["timestamp"],
        "systemOrderType": None,
    }
    theirs = (await traded.ask(traded.bob, "GET", FILLS)).json
    assert [(fill["tradeId"], fill["isMaker"], fill["feeSymbol"], fill["fee"]) for fill in theirs] == [
        (3, True, "USDC", "0.08"),
        (2, True, "USDC", "0.08"),
        (1, True, "USDC", "0.08"),
    ]
    by_order = await traded.ask(traded.ann, "GET", FILLS, query={"orderId": mine[1]["orderId"]})
    assert by_order.json == [mine[1]]
    for empty in ({"fillType": "Liquidation"}, {"marketType": "PERP"}, {"to": 1}, {"strategyId": "1"}):
        assert (await traded.ask(traded.ann, "GET", FILLS, query=empty)).json == []


async def test_fills_going_forward_in_time_are_all_reached(traded: HttpVenue) -> None:
    """With nothing but `from` and `limit`, though more fills lie in one millisecond than a page has."""
    ask = {"symbol": SYMBOL, "side": "Ask", "orderType": "Limit", "price": "100", "quantity": "0.01"}
    for _ in range(9):
        assert (await traded.ask(traded.bob, "POST", "/api/v1/order", ask)).status == 200
    taken = {"symbol": SYMBOL, "side": "Bid", "orderType": "Market", "quantity": "0.07"}
    assert (await traded.ask(traded.ann, "POST", "/api/v1/order", taken)).status == 200
    traded.clock.pass_s(0.01)
    assert (await traded.ask(traded.ann, "POST", "/api/v1/order", {**taken, "quantity": "0.02"})).status == 200
    everything = (await traded.ask(traded.ann, "GET", FILLS, query={"sortDirection": "Asc", "limit": 1000})).json
    moments = [fill["timestamp"] for fill in everything]
    assert max(moments.count(moment) for moment in moments) == 7

    for limit in (1, 2, 3, 5, 1000):
        for to in ({}, {"to": 10**14}):
            reached: list[Any] = []
            since = 1
            while page := (
                await traded.ask(traded.ann, "GET", FILLS, query={"from": since, "limit": limit, **to})
            ).json:
                reached += page
                assert limit <= len(page) or page[-1] == everything[-1]
                since = _milliseconds(page[-1]["timestamp"]) + 1
            assert reached == everything
    # With an offset a page has exactly its limit.
    by_offset = [
        (await traded.ask(traded.ann, "GET", FILLS, query={"from": 1, "limit": 5, "offset": offset})).json
        for offset in range(0, len(everything), 5)
    ]
    assert [len(page) for page in by_offset] == [5] * (len(everything) // 5) + [len(everything) % 5]
    assert [fill for page in by_offset for fill in page] == everything
    newest = (await traded.ask(traded.ann, "GET", FILLS, query={"from": 1, "limit": 2, "sortDirection": "Desc"})).json
    assert newest == everything[:-3:-1]
    assert (await traded.ask(traded.ann, "GET", FILLS, query={"to": 10**14, "limit": 2})).json == newest


def _milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000)


async def test_the_ledger_adds_up_to_the_balances(traded: HttpVenue) -> None:
    lines = (await traded.ask(traded.ann, "GET", LEDGER, query={"limit": 1000, "sortDirection": "Asc"})).json
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for line in lines:
        sums[line["symbol"], line["bucket"]] += Decimal(line["quantity"])
        assert sums[line["symbol"], line["bucket"]] == Decimal(line["balance"])
    capital = (await traded.ask(traded.ann, "GET", "/api/v1/capital")).json
    for asset, balance in capital.items():
        assert sums[asset, "available"] == Decimal(balance["available"])
        assert sums[asset, "locked"] == Decimal(balance["locked"])
    only = (await traded.ask(traded.ann, "GET", LEDGER, query={"symbol": "SOL"})).json
    assert {line["symbol"] for line in only} == {"SOL"}


async def test_the_ledger_as_csv_is_the_whole_ledger(traded: HttpVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exchange.gateway.history.api.MAX_PAGE", 2)  # so that there are several pages
    lines = (await traded.ask(traded.ann, "GET", LEDGER, query={"limit": 1000})).json
    answer = await traded.ask(traded.ann, "GET", LEDGER, query={"format": "csv", "limit": 1})
    assert answer.media_type == "text/csv"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == len(lines) > 4
    assert rows == [{name: "" if value is None else str(value) for name, value in line.items()} for line in lines]


@pytest.mark.parametrize("path", [ORDERS, FILLS, LEDGER, DEPOSITS])
@pytest.mark.parametrize(
    "query",
    [{"limit": 0}, {"limit": 1001}, {"limit": "x"}, {"offset": -1}, {"sortDirection": "Up"}, {"offset": 10**30}],
    ids=str,
)
async def test_pages_have_their_bounds(venue: HttpVenue, path: str, query: dict[str, Any]) -> None:
    refused = await venue.ask(venue.ann, "GET", path, query=query)
    assert refused.refusal[:2] == (400, "INVALID_CLIENT_REQUEST")


# --- deposits -------------------------------------------------------------------------------------------


async def test_deposits_that_were_recorded_are_listed(venue: HttpVenue) -> None:
    account = venue.life.venue.key(venue.blind.public_key)
    assert account is not None
    for atoms, reference in ((2_500_000, "wire 1"), (1, "wire 2")):
        venue.clock.pass_s(1)
        body = {"account": account.account, "asset": "USDC", "atoms": atoms, "reference": reference}
        body["number"] = (await venue.deposit_numbers())[""] + 1
        assert (await venue.ask(venue.founder, "POST", "/admin/v1/deposits", body)).status == 200
    deposits = await venue.ask(venue.ann, "GET", DEPOSITS)
    assert [(row["symbol"], row["quantity"], row["reference"]) for row in deposits.json[:2]] == [
        ("USDC", "0.000001", "wire 2"),
        ("USDC", "2.5", "wire 1"),
    ]
    assert {(row["source"], row["status"], row["toAddress"], row["transactionHash"]) for row in deposits.json} == {
        ("administrator", "confirmed", None, None)
    }
    assert {row["quantity"] for row in deposits.json[2:]} == {"1000000"}
    assert deposits.headers["x-total"] == "4"
    ledger = (await venue.ask(venue.ann, "GET", LEDGER, query={"limit": 1000})).json
    assert [row["id"] for row in deposits.json] == [line["seq"] for line in ledger if line["kind"] == "deposit"]

    newest = _milliseconds(deposits.json[0]["createdAt"])

    async def ids(**query: Any) -> list[int]:
        return [row["id"] for row in (await venue.ask(venue.ann, "GET", DEPOSITS, query=query)).json]

    every = [row["id"] for row in deposits.json]
    assert await ids(limit=1, offset=1) == every[1:2]
    assert await ids(**{"from": newest}) == every[:1]
    assert await ids(to=newest - 1) == every[1:]
    assert await ids(**{"from": 1}) == every[::-1]
    assert not set(every) & {row["id"] for row in (await venue.ask(venue.bob, "GET", DEPOSITS)).json}


async def test_a_page_beyond_the_end_is_called_the_last_one(traded: HttpVenue) -> None:
    for path in (ORDERS, FILLS, LEDGER, DEPOSITS):
        total = int((await traded.ask(traded.ann, "GET", path)).headers["x-total"])
        beyond = await traded.ask(traded.ann, "GET", path, query={"offset": 100_000, "limit": 2})
        assert beyond.json == []
        pages = str(-(-total // 2))
        assert [beyond.headers[name] for name in ("x-current-page", "x-page-count", "x-total")] == [
            pages,
            pages,
            str(total),
        ]
    empty = await traded.ask(traded.ann, "GET", FILLS, query={"strategyId": "1", "offset": 5})
    assert [empty.headers[name] for name in ("x-current-page", "x-page-count", "x-total")] == ["1", "1", "0"]


async def test_an_offset_goes_so_far_and_times_go_further(traded: HttpVenue) -> None:
    for path in (ORDERS, FILLS, LEDGER, "/wapi/v1/capital/deposits"):
        assert (await traded.ask(traded.ann, "GET", path, query={"offset": "100000"})).json == []
        refused = await traded.ask(traded.ann, "GET", path, query={"offset": "100001"})
        assert refused.refusal[:2] == (400, "INVALID_CLIENT_REQUEST")
        assert "`offset` is at most 100000: go on by time, with `from` and `to`" in refused.refusal[2]
    every = (await traded.ask(traded.ann, "GET", ORDERS, query={"sortDirection": "Asc"})).json
    seen, from_ms = [], 0
    while page := (await traded.ask(traded.ann, "GET", ORDERS, query={"from": from_ms, "limit": "1"})).json:
        seen += page
        from_ms = int(datetime.fromisoformat(page[-1]["createdAt"] + "+00:00").timestamp() * 1_000) + 1
    assert seen == every
