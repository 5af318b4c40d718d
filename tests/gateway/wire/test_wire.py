"""Between the wire's decimals and the exchange's whole numbers: exact both ways, or refused."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.gateway.listings.wire import BOOK_STATES, market_to_wire, ticker_to_wire
from exchange.gateway.money.wire import collateral_to_wire
from exchange.gateway.orders.requests import OrderExecutePayload, place_order
from exchange.gateway.orders.wire import order_to_wire
from exchange.gateway.wire.errors import error_body, http_status
from exchange.gateway.wire.numbers import (
    amount_text,
    price_text,
    price_ticks,
    quantity_lots,
    quantity_text,
    quote_quantity_atoms,
)
from exchange.gateway.wire.times import iso_text, kline_text, stream_kline_text
from exchange.values.accounts.views import KeyView
from exchange.values.enums import (
    Mode,
    OrderStatus,
    OrderType,
    Scope,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from exchange.values.ids import AccountId, KeyId, OrderId
from exchange.values.listings.specs import AssetSpec, MarketFilters, spot_market
from exchange.values.listings.views import MarketView, TickerView
from exchange.values.money.views import BalanceView
from exchange.values.orders.views import OrderView
from exchange.values.refusals import Code, Refusal

SOL, USDC = AssetSpec("SOL", 9), AssetSpec("USDC", 6)
#: (tick, step), some of them no power of ten.
SIZES = [("0.01", "0.01"), ("0.05", "0.5"), ("5", "0.001"), ("0.0001", "25"), ("1", "1"), ("250", "0.00001")]


def market(tick: str, step: str) -> MarketView:
    sizes = (int(Decimal(text) * 10**9) for text in (tick, step))
    return MarketView(spot_market(SOL, USDC, *sizes), MarketFilters(1), Mode.FULL, "", 0)


@pytest.mark.parametrize(("tick", "step"), SIZES)
@given(ticks=st.integers(1, 10**9), lots=st.integers(1, 10**9))
def test_every_price_and_quantity_comes_back_as_it_went(tick: str, step: str, ticks: int, lots: int) -> None:
    spec = market(tick, step).spec
    price, quantity = price_text(ticks, spec), quantity_text(lots, spec)
    assert Decimal(price) == ticks * Decimal(tick)
    assert Decimal(quantity) == lots * Decimal(step)
    assert "e" not in (price + quantity).lower()
    assert not (price + " ").endswith(". ")
    assert price_ticks(price, spec) == ticks
    assert quantity_lots(quantity, spec) == lots


@pytest.mark.parametrize(("tick", "step"), SIZES)
@given(text=st.decimals(min_value=0, max_value=10**9, places=6).map(lambda value: format(value, "f")))
def test_a_price_between_ticks_is_refused_never_rounded(tick: str, step: str, text: str) -> None:
    spec = market(tick, step).spec
    ticks = price_ticks(text, spec)
    if isinstance(ticks, Refusal):
        assert Decimal(text) % Decimal(tick) or not Decimal(text)
    else:
        assert ticks * Decimal(tick) == Decimal(text)


@given(st.text(max_size=60))
def test_any_text_is_a_number_or_a_refusal(text: str) -> None:
    spec = market("0.01", "0.01").spec
    for read in (price_ticks(text, spec), quantity_lots(text, spec), quote_quantity_atoms(text, spec)):
        assert isinstance(read, Refusal) or read > 0


def test_which_fault_of_a_price_is_named() -> None:
    spec = market("0.05", "0.5").spec
    messages = [read.message for text in ("1.001", "1.01", "0") if isinstance(read := price_ticks(text, spec), Refusal)]
    assert messages == [
        "Price decimal too long",
        "Price must be a multiple of 0.05",
        "Price is below the minimum allowed value",
    ]


def test_a_long_price_is_refused_for_its_decimals_not_its_length() -> None:
    spec = market("0.01", "0.01").spec
    assert price_ticks("1.5" + "0" * 50_000, spec) == 150
    for text in ("1.00000000000000000000000000000000000000000001", "0." + "1" * 50_000):
        read = price_ticks(text, spec)
        assert isinstance(read, Refusal)
        assert read.message == "Price decimal too long"


@pytest.mark.parametrize(
    ("price", "ticks"),
    [
        ("3e-02", 3),
        ("1E3", 100_000),
        ("1.5e+2", 15_000),
        ("150", 15_000),
        ("150.0", 15_000),
        ('"150.00"', 15_000),
        ("3e-05", "Price decimal too long"),
        ("1e400", "Price is above the maximum allowed value"),
        ("1e-400", "Price decimal too long"),
        ("1e99999999", 'parse request payload error: failed to parse "string_decimal": Invalid decimal (price)'),
        ("-1e2", 'parse request payload error: failed to parse "string_decimal": Invalid decimal (price)'),
        # Text is plain digits, as the protocol has it.
        ('"1e2"', 'parse request payload error: failed to parse "string_decimal": Invalid decimal (price)'),
    ],
)
def test_a_price_as_a_json_number(price: str, ticks: int | str) -> None:
    body = f'{{"symbol":"SOL_USDC","side":"Bid","orderType":"Limit","quantity":1e0,"price":{price}}}'
    payload = msgspec.json.decode(body, type=OrderExecutePayload)
    command = place_order(payload, KeyView(KeyId(1), AccountId(100_000), "", (Scope.TRADE,)), market("0.01", "0.01"))
    if isinstance(command, Refusal):
        assert command.message == ticks
    else:
        assert (command.price_ticks, command.lots) == (ticks, 100)


@pytest.mark.parametrize(
    ("tolerance", "kind", "ticks", "ppm"),
    [("3", "TickSize", 3, None), ("0.5", "Percent", None, 5_000), ("1", "Percent", None, 10_000)],
)
def test_a_slippage_tolerance_there_and_back(tolerance: str, kind: str, ticks: int | None, ppm: int | None) -> None:
    body = {
        "symbol": "SOL_USDC",
        "side": "Bid",
        "orderType": "Market",
        "quantity": "1",
        "slippageTolerance": tolerance,
        "slippageToleranceType": kind,
    }
    payload = msgspec.json.decode(msgspec.json.encode(body), type=OrderExecutePayload)
    key = KeyView(KeyId(1), AccountId(100_000), "", (Scope.TRADE,))
    command = place_order(payload, key, market("0.01", "0.01"))
    assert not isinstance(command, Refusal)
    assert (command.slippage_ticks, command.slippage_ppm) == (ticks, ppm)
    view = order_view(order_type=OrderType.MARKET, price_ticks=0, slippage_ticks=ticks, slippage_ppm=ppm)
    shown = msgspec.to_builtins(order_to_wire(view, market("0.01", "0.01").spec))
    assert (shown["slippageTolerance"], shown["slippageToleranceType"]) == (tolerance, kind)


def order_view(
    order_type: OrderType, price_ticks: int, slippage_ticks: int | None = None, slippage_ppm: int | None = None
) -> OrderView:
    return OrderView(
        OrderId(540_680),
        AccountId(100_000),
        "SOL_USDC",
        Side.BID,
        order_type,
        price_ticks,
        100,
        0,
        50,
        5_000,
        OrderStatus.EXPIRED,
        TimeInForce.IOC,
        False,
        SelfTradePrevention.REJECT_BOTH,
        None,
        1_754_939_110_174_999,
        slippage_ticks=slippage_ticks,
        slippage_ppm=slippage_ppm,
    )


def test_an_order_tells_its_kind_first_and_shows_its_time_in_ms() -> None:
    encoded = msgspec.json.encode(order_to_wire(order_view(OrderType.LIMIT, 10_050), market("0.01", "0.01").spec))
    assert encoded.startswith(b'{"orderType":"Limit","id":"540680","clientId":null,"createdAt":1754939110174,')


def test_a_falling_price_has_a_negative_change_rounded_toward_zero() -> None:
    view = TickerView("SOL_USDC", 300, 200, 300, 200, 1, 1, 2, 0)
    ticker = ticker_to_wire(view, market("0.01", "0.01").spec)
    assert (ticker.price_change, ticker.price_change_percent) == ("-1", "-0.333333")


def test_every_mode_has_its_word() -> None:
    assert {mode: state.value for mode, state in BOOK_STATES.items()} == {
        Mode.OFFLINE: "Closed",
        Mode.CANCEL_ONLY: "CancelOnly",
        Mode.POST_ONLY: "PostOnly",
        Mode.LIMIT_ONLY: "LimitOnly",
        Mode.FULL: "Open",
    }


def test_filters_that_are_off_are_null() -> None:
    filters = msgspec.to_builtins(market_to_wire(market("0.05", "0.5")))["filters"]
    assert (filters["price"]["tickSize"], filters["price"]["maxPrice"]) == ("0.05", None)
    assert filters["quantity"] == {"minQuantity": "0.5", "maxQuantity": None, "stepSize": "0.5"}


def test_bounds_on_the_value_of_an_order_are_shown() -> None:
    view = MarketView(
        market("0.05", "0.5").spec,
        MarketFilters(1, min_notional_atoms=5_500_000, max_notional_atoms=10**12),
        Mode.FULL,
        "",
        0,
    )
    filters = msgspec.to_builtins(market_to_wire(view))["filters"]
    assert filters["notional"] == {"minNotional": "5.5", "maxNotional": "1000000"}


def test_the_spellings_of_a_moment() -> None:
    moment_us = 1_753_637_940_092_999
    assert iso_text(moment_us) == "2025-07-27T17:39:00.092"
    assert kline_text(moment_us) == "2025-07-27 17:39:00"
    assert stream_kline_text(moment_us) == "2025-07-27T17:39:00"


def test_an_asset_without_a_price_counts_as_nothing() -> None:
    listed = market("0.01", "0.01")
    balances = [BalanceView("BTC", 5, 0), BalanceView("USDC", 7_000_000, 1_000_000), BalanceView("SOL", 10**9, 0)]
    summary = collateral_to_wire(balances, [SOL, USDC, AssetSpec("BTC", 8)], [listed])
    assert [row.balance_notional for row in summary.collateral] == ["0", "8", "0"]
    assert (summary.net_equity, summary.net_equity_available, summary.net_equity_locked) == ("8", "7", "1")
    assert amount_text(8_000_000, 6) == "8"


def test_refusals_have_a_body_and_a_status() -> None:
    assert error_body(Refusal(Code.INVALID_ORDER, 'a "quoted" reason')) == (
        b'{"code":"INVALID_ORDER","message":"a \\"quoted\\" reason"}'
    )
    statuses = {code: http_status(code) for code in Code}
    assert all(400 <= status < 600 for status in statuses.values())
    assert statuses[Code.RESOURCE_NOT_FOUND] == 404
    assert {code for code, status in statuses.items() if status >= 500} == {
        Code.SERVER_ERROR,
        Code.NOT_IMPLEMENTED,
        Code.MAINTENANCE,
        Code.TIMEOUT,
    }
