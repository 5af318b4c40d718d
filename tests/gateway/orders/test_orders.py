"""Orders over REST: what comes back, what is refused and how, and that a refusal changes nothing."""

import asyncio
from typing import Any

import pytest

from tests.gateway.http_venue import SYMBOL, HttpVenue, Reply, Signer

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDER = "/api/v1/order"
ORDERS = "/api/v1/orders"
LIMIT = {"symbol": SYMBOL, "side": "Bid", "orderType": "Limit", "price": "90", "quantity": "1.50"}

OF_OTHER_PRODUCTS = (
    "reduceOnly",
    "triggerPrice",
    "triggerBy",
    "triggerQuantity",
    "triggeredAt",
    "takeProfitTriggerPrice",
    "takeProfitTriggerBy",
    "takeProfitLimitPrice",
    "stopLossTriggerPrice",
    "stopLossTriggerBy",
    "stopLossLimitPrice",
    "relatedOrderId",
    "strategyId",
)


async def place(venue: HttpVenue, signer: Signer, **changes: Any) -> Reply:
    body = {name: value for name, value in {**LIMIT, **changes}.items() if value is not ...}
    return await venue.ask(signer, "POST", ORDER, body)


async def cancel_all(venue: HttpVenue) -> None:
    for signer in (venue.ann, venue.bob):
        assert (await venue.ask(signer, "DELETE", ORDERS, {"symbol": SYMBOL})).status == 200


async def test_a_resting_order_as_the_protocol_shows_it(venue: HttpVenue) -> None:
    placed = await place(venue, venue.ann, clientId=7, postOnly=True)
    assert placed.status == 200
    assert placed.json == {
        "orderType": "Limit",
        "id": placed.json["id"],
        "clientId": 7,
        "createdAt": venue.clock.now_us() // 1_000,
        "symbol": SYMBOL,
        "side": "Bid",
        "price": "90",
        "quantity": "1.5",
        "executedQuantity": "0",
        "executedQuoteQuantity": "0",
        "status": "New",
        "timeInForce": "GTC",
        "selfTradePrevention": "RejectTaker",
        "postOnly": True,
        **dict.fromkeys(OF_OTHER_PRODUCTS),
    }
    assert placed.json["id"].isdigit()
    by_id = await venue.ask(venue.ann, "GET", ORDER, query={"symbol": SYMBOL, "orderId": placed.json["id"]})
    by_client_id = await venue.ask(venue.reader, "GET", ORDER, query={"symbol": SYMBOL, "clientId": 7})
    assert by_id.json == by_client_id.json == placed.json
    assert (await venue.ask(venue.ann, "GET", ORDERS)).json == [placed.json]
    assert (await venue.ask(venue.bob, "GET", ORDERS)).json == []
    cancelled = await venue.ask(venue.ann, "DELETE", ORDER, {"symbol": SYMBOL, "orderId": placed.json["id"]})
    assert cancelled.json == {**placed.json, "status": "Cancelled"}
    again = await venue.ask(venue.ann, "DELETE", ORDER, {"symbol": SYMBOL, "orderId": placed.json["id"]})
    assert again.refusal == (404, "RESOURCE_NOT_FOUND", "Not Found")
    gone = await venue.ask(venue.ann, "GET", ORDER, query={"symbol": SYMBOL, "clientId": 7})
    assert gone.refusal == (404, "RESOURCE_NOT_FOUND", "Not Found")


async def test_the_answer_is_the_order_after_matching(venue: HttpVenue) -> None:
    await place(venue, venue.ann, price="100", quantity="2")
    taken = await place(venue, venue.bob, side="Ask", price="100", quantity="3")
    assert (taken.json["status"], taken.json["executedQuantity"], taken.json["executedQuoteQuantity"]) == (
        "PartiallyFilled",
        "2",
        "200",
    )
    rest = await place(
        venue, venue.ann, orderType="Market", price=..., quantity=..., quoteQuantity="50", timeInForce="IOC"
    )
    assert rest.json["orderType"] == "Market"
    assert (rest.json["status"], rest.json["executedQuantity"], rest.json["executedQuoteQuantity"]) == (
        "Filled",
        "0.5",
        "50",
    )
    assert (rest.json["quantity"], rest.json["quoteQuantity"]) == (None, "50")
    assert "price" not in rest.json
    assert "postOnly" not in rest.json
    await cancel_all(venue)


async def test_what_lenient_clients_send_is_understood(venue: HttpVenue) -> None:
    numbers = b'{"symbol":"SOL_USDC","side":"Bid","orderType":"Limit","price":90.0,"quantity":1.50,"clientId":"8"}'
    placed = await venue.ask(venue.ann, "POST", ORDER, numbers, headers={"Content-Type": "text/plain"})
    assert (placed.json["price"], placed.json["quantity"], placed.json["clientId"]) == ("90", "1.5", 8)
    nulls = await place(
        venue,
        venue.ann,
        clientId=None,
        postOnly=False,
        reduceOnly=None,
        triggerPrice=None,
        timeInForce=None,
        quoteQuantity=None,
        slippageTolerance=None,
        autoLend=False,
        brokerId=1400,
        triggeredBy="no such field",
    )
    assert nulls.status == 200
    by_number = await venue.ask(venue.ann, "DELETE", ORDER, {"symbol": SYMBOL, "orderId": int(nulls.json["id"])})
    assert by_number.json["status"] == "Cancelled"
    by_text = await venue.ask(venue.ann, "DELETE", ORDER, {"symbol": SYMBOL, "clientId": "8"})
    assert by_text.json["status"] == "Cancelled"


REQUEST = (400, "INVALID_CLIENT_REQUEST")
NO_DECIMAL = 'parse request payload error: failed to parse "string_decimal": Invalid decimal ({})'


@pytest.mark.parametrize(
    ("changes", "status", "code", "message"),
    [
        ({"price": "90.001"}, *REQUEST, "Price decimal too long"),
        ({"quantity": "1.001"}, *REQUEST, "Quantity decimal too long"),
        ({"quantity": "0"}, *REQUEST, "Quantity is below the minimum allowed value"),
        ({"price": "0"}, *REQUEST, "Price is below the minimum allowed value"),
        ({"quantity": "-1"}, *REQUEST, NO_DECIMAL.format("quantity")),
        ({"price": "NaN"}, *REQUEST, NO_DECIMAL.format("price")),
        ({"price": "1e2"}, *REQUEST, NO_DECIMAL.format("price")),
        ({"price": ""}, *REQUEST, NO_DECIMAL.format("price")),
        ({"price": True}, *REQUEST, NO_DECIMAL.format("price")),
        ({"price": ["90"]}, *REQUEST, NO_DECIMAL.format("price")),
        ({"price": {"a": 1}}, *REQUEST, NO_DECIMAL.format("price")),
        ({"price": "٩٠"}, *REQUEST, NO_DECIMAL.format("price")),
        ({"quantity": "9" * 500}, 400, "INVALID_QUANTITY", "Quantity is above the maximum allowed value"),
        ({"quantity": "9" * 20}, 400, "INVALID_QUANTITY", "Quantity is above the maximum allowed value"),
        ({"price": "9" * 20}, 400, "INVALID_PRICE", "Price is above the maximum allowed value"),
        ({"price": "200"}, 400, "INVALID_PRICE", "Price is too far from the last active price"),
        ({"price": ...}, *REQUEST, "Limit orders must specify a positive `quantity` and a positive `price`"),
        ({"quoteQuantity": "1"}, *REQUEST, "`quoteQuantity` is for market orders"),
        (
            {"orderType": "Market", "price": ..., "quantity": ...},
            *REQUEST,
            "Market orders must specify a positive `quantity`",
        ),
        ({"orderType": "Market"}, *REQUEST, "`price` is for limit orders"),
        ({"postOnly": True, "timeInForce": "IOC"}, *REQUEST, None),
        ({"symbol": "NO_SUCH"}, *REQUEST, "Invalid market symbol"),
        ({"symbol": 5}, *REQUEST, "parse request payload error: Expected `str`, got `int` - at `$.symbol`"),
        ({"symbol": ...}, *REQUEST, "parse request payload error: Object missing required field `symbol`"),
        ({"side": "Buy"}, *REQUEST, "parse request payload error: Invalid enum value 'Buy' - at `$.side`"),
        ({"orderType": "Stop"}, *REQUEST, None),
        ({"timeInForce": "GTD"}, *REQUEST, None),
        ({"selfTradePrevention": "Allow"}, *REQUEST, None),
        ({"postOnly": "yes"}, *REQUEST, None),
        ({"clientId": -1}, *REQUEST, "`clientId` must be a whole number from 0 to 4294967295"),
        ({"clientId": 2**32}, *REQUEST, "`clientId` must be a whole number from 0 to 4294967295"),
        ({"clientId": "9" * 400}, *REQUEST, "`clientId` must be a whole number from 0 to 4294967295"),
        ({"clientId": 1.5}, *REQUEST, None),
        (
            {"triggerPrice": "80"},
            *REQUEST,
            "Must specify both `triggerPrice` and `triggerQuantity` or neither",
        ),
        ({"triggerPrice": "80", "triggerQuantity": "1"}, 501, "NOT_IMPLEMENTED", None),
        ({"stopLossTriggerPrice": "80"}, 501, "NOT_IMPLEMENTED", None),
        ({"trailingPercent": 1.5}, 501, "NOT_IMPLEMENTED", None),
        ({"autoBorrow": True}, 501, "NOT_IMPLEMENTED", "Borrowing and lending are not available"),
        ({"reduceOnly": True}, 400, "INVALID_ORDER", "`reduceOnly` is for futures markets"),
        ({"slippageTolerance": "1"}, *REQUEST, None),
        ({"slippageTolerance": "x", "slippageToleranceType": "Percent"}, 400, "INVALID_ORDER", None),
        ({"slippageTolerance": "1", "slippageToleranceType": "Bps"}, *REQUEST, None),
        ({"quantity": "1000000000"}, 400, "INSUFFICIENT_FUNDS", None),
    ],
)
async def test_a_wrong_order_is_refused_and_changes_nothing(
    venue: HttpVenue, changes: dict[str, Any], status: int, code: str, message: str | None
) -> None:
    before = {name: (await venue.ask(venue.ann, "GET", path)).json for name, path in READS.items()}
    refused = await place(venue, venue.ann, **changes)
    assert refused.refusal[:2] == (status, code), refused.text
    if message is not None:
        assert refused.refusal[2] == message
    assert {name: (await venue.ask(venue.ann, "GET", path)).json for name, path in READS.items()} == before


READS = {"orders": ORDERS, "balances": "/api/v1/capital"}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"5", b'"x"', b"\xff\xfe\x00", b'{"symbol":NaN}', b"[" * 50_000, b'{"a":' * 9_000],
    ids=["empty", "broken", "list", "null", "number", "text", "not UTF-8", "NaN", "deep list", "deep object"],
)
async def test_what_is_no_order_at_all_is_refused_before_the_core_sees_it(venue: HttpVenue, body: bytes) -> None:
    seq, digest = venue.seq, venue.digest
    refused = await venue.ask(venue.ann, "POST", ORDER, body)
    assert refused.refusal[:2] == REQUEST, refused.text
    assert (venue.seq, venue.digest) == (seq, digest)


async def test_post_only_that_would_take_and_a_second_client_id(venue: HttpVenue) -> None:
    venue.clock.pass_s(600)  # what ended under this id before has let go of it
    await place(venue, venue.ann, price="100", quantity="2", clientId=1)
    crossing = await place(venue, venue.bob, side="Ask", price="100", postOnly=True)
    assert crossing.refusal == (400, "INVALID_ORDER", "Order would immediately match and take")
    twice = await place(venue, venue.ann, price="99", clientId=1)
    assert twice.refusal[:2] == REQUEST
    await cancel_all(venue)


@pytest.mark.parametrize(
    ("ids", "status", "code"),
    [
        ({}, *REQUEST),
        ({"orderId": "1", "clientId": 1}, *REQUEST),
        ({"orderId": "x"}, *REQUEST),
        ({"orderId": "-1"}, *REQUEST),
        ({"orderId": "9" * 18}, 404, "RESOURCE_NOT_FOUND"),
        ({"orderId": "12345"}, 404, "RESOURCE_NOT_FOUND"),
        ({"clientId": 99}, 404, "RESOURCE_NOT_FOUND"),
    ],
)
async def test_an_order_that_is_not_there(venue: HttpVenue, ids: dict[str, Any], status: int, code: str) -> None:
    for method in ("GET", "DELETE"):
        where: dict[str, Any] = {"symbol": SYMBOL, **ids}
        refused = await (
            venue.ask(venue.ann, "GET", ORDER, query=where)
            if method == "GET"
            else venue.ask(venue.ann, "DELETE", ORDER, where)
        )
        assert refused.refusal[:2] == (status, code)


async def test_a_delete_may_have_its_parameters_in_the_query(venue: HttpVenue) -> None:
    await place(venue, venue.ann, clientId=71)
    gone = await venue.ask(venue.ann, "DELETE", ORDER, query={"symbol": SYMBOL, "clientId": "71"})
    assert (gone.status, gone.json["clientId"]) == (200, 71)
    await place(venue, venue.ann)
    all_gone = await venue.ask(venue.ann, "DELETE", ORDERS, query={"symbol": SYMBOL})
    assert (all_gone.status, len(all_gone.json)) == (200, 1)


async def test_what_a_delete_has_in_its_query_must_be_signed(venue: HttpVenue) -> None:
    placed = await place(venue, venue.ann)
    signed = venue.headers(venue.ann, "DELETE", ORDERS)
    refused = await venue.http.request("DELETE", f"{ORDERS}?symbol={SYMBOL}", headers=signed)
    assert refused.status_code == 401
    wrong = await venue.ask(venue.ann, "DELETE", ORDER, query={"symbol": SYMBOL, "clientId": "x"})
    assert wrong.refusal[:2] == (400, "INVALID_CLIENT_REQUEST")
    both = await venue.ask(venue.ann, "DELETE", ORDER, {"symbol": SYMBOL, "orderId": "12345"}, query={"orderId": "1"})
    assert both.status == 404  # the body is what counts
    assert (await venue.ask(venue.ann, "GET", ORDERS)).json == [placed.json]
    await cancel_all(venue)


async def test_an_order_belongs_to_its_account(venue: HttpVenue) -> None:
    placed = await place(venue, venue.ann)
    where = {"symbol": SYMBOL, "orderId": placed.json["id"]}
    assert (await venue.ask(venue.bob, "GET", ORDER, query=where)).status == 404
    assert (await venue.ask(venue.bob, "DELETE", ORDER, where)).status == 404
    assert (await venue.ask(venue.reader, "DELETE", ORDER, where)).refusal[:2] == (403, "FORBIDDEN")
    assert (await venue.ask(venue.blind, "GET", ORDER, query=where)).refusal[:2] == (403, "FORBIDDEN")
    assert (await venue.ask(venue.ann, "GET", ORDERS)).json == [placed.json]
    await cancel_all(venue)


async def test_orders_of_a_batch_stand_or_fall_one_by_one_and_keep_their_order(venue: HttpVenue) -> None:
    batch = [
        {**LIMIT, "clientId": 11},
        {**LIMIT, "price": "90.001"},
        {**LIMIT, "symbol": "NO_SUCH"},
        {**LIMIT, "quantity": "1000000000"},
        {**LIMIT, "side": "Ask", "price": "110", "clientId": 12},
    ]
    answer = await venue.ask(venue.ann, "POST", ORDERS, batch)
    assert answer.status == 200
    assert [item["operation"] for item in answer.json] == ["Ok", "Err", "Err", "Err", "Ok"]
    assert [item.get("clientId") for item in answer.json] == [11, None, None, None, 12]
    assert answer.json[1] == {
        "operation": "Err",
        "code": "INVALID_CLIENT_REQUEST",
        "message": "Price decimal too long",
    }
    assert [item.get("code") for item in answer.json[2:4]] == ["INVALID_CLIENT_REQUEST", "INSUFFICIENT_FUNDS"]
    cancelled = await venue.ask(venue.ann, "DELETE", ORDERS, {"symbol": SYMBOL})
    assert sorted(order["clientId"] for order in cancelled.json) == [11, 12]
    assert {order["status"] for order in cancelled.json} == {"Cancelled"}
    assert (await venue.ask(venue.ann, "DELETE", ORDERS, {"symbol": SYMBOL})).json == []


async def test_a_batch_has_its_bounds(venue: HttpVenue) -> None:
    assert (await venue.ask(venue.ann, "POST", ORDERS, [])).refusal == (*REQUEST, "A batch is 1 to 50 orders")
    assert (await venue.ask(venue.ann, "POST", ORDERS, [LIMIT] * 51)).refusal == (*REQUEST, "A batch is 1 to 50 orders")
    assert (await venue.ask(venue.ann, "POST", ORDERS, LIMIT)).refusal[:2] == REQUEST
    assert (await venue.ask(venue.ann, "POST", ORDERS, [LIMIT, 5])).refusal[:2] == REQUEST


async def test_cancel_all_of_a_kind(venue: HttpVenue) -> None:
    await place(venue, venue.ann)
    where = {"symbol": SYMBOL}
    assert (await venue.ask(venue.ann, "DELETE", ORDERS, {**where, "orderType": "ConditionalOrder"})).json == []
    assert (await venue.ask(venue.ann, "DELETE", ORDERS, {**where, "orderType": "Any"})).refusal[:2] == REQUEST
    resting = await venue.ask(venue.ann, "DELETE", ORDERS, {**where, "orderType": "RestingLimitOrder"})
    assert len(resting.json) == 1


async def test_open_orders_by_market_and_kind_of_market(venue: HttpVenue) -> None:
    await place(venue, venue.ann)
    for query, count in (({"symbol": SYMBOL}, 1), ({"marketType": "SPOT"}, 1), ({"marketType": "PERP"}, 0)):
        assert len((await venue.ask(venue.ann, "GET", ORDERS, query=query)).json) == count
    assert (await venue.ask(venue.ann, "GET", ORDERS, query={"symbol": "NO"})).refusal[:2] == REQUEST
    assert (await venue.ask(venue.ann, "GET", ORDERS, query={"marketType": "no"})).refusal[:2] == REQUEST
    await cancel_all(venue)


async def test_the_dead_mans_switch_cancels_what_rests(venue: HttpVenue) -> None:
    await place(venue, venue.ann)
    path = "/api/v1/order/cancelAllAfter"
    assert (await venue.ask(venue.ann, "POST", path, {"timeout": 30_000})).json == {"timeout": 30_000}
    venue.clock.pass_s(31)
    for _ in range(100):
        if not (await venue.ask(venue.ann, "GET", ORDERS)).json:
            break
        await asyncio.sleep(0.05)
    assert (await venue.ask(venue.ann, "GET", ORDERS)).json == []
    for timeout in (-1, 10**18, "soon", None):
        assert (await venue.ask(venue.ann, "POST", path, {"timeout": timeout})).refusal[:2] == REQUEST
