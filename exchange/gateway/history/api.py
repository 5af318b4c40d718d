"""History of an account: orders, fills, and every posting on its ledger."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from typing import Final, Literal

import msgspec

from exchange.gateway.history import examples, wire
from exchange.gateway.listings.api import MarketType
from exchange.gateway.orders.requests import client_id_of, order_id_of
from exchange.gateway.rest.operations import Also, Answer, Routes, paged
from exchange.gateway.rest.parameters import MAX_PAGE, SpanQuery
from exchange.gateway.wire.errors import INVALID_SYMBOL, invalid
from exchange.runtime.port import Exchange, NotNow
from exchange.values.accounts.views import KeyView
from exchange.values.ids import OrderId
from exchange.values.money.views import LedgerLine
from exchange.values.refusals import Code, Refusal

routes = Routes("History")

_CLIENT_ID_ALONE: Final = invalid("`clientId` takes a `symbol`, and no `orderId`")

FillType = Literal[
    "User",
    "BookLiquidation",
    "Adl",
    "Backstop",
    "Liquidation",
    "AllLiquidation",
    "CollateralConversion",
    "CollateralConversionAndSpotLiquidation",
]


class OrderHistoryQuery(SpanQuery, frozen=True, kw_only=True):
    """`strategyId` is of a product that is not here. `clientId`, which takes `symbol` too, `from` and `to` are this
    venue's own."""

    order_id: str | None = None
    client_id: str | None = None
    strategy_id: str | None = None
    symbol: str | None = None
    market_type: tuple[MarketType, ...] = ()


class FillHistoryQuery(SpanQuery, frozen=True, kw_only=True):
    """`fillType` User is all there is on spot markets; `strategyId` is of a product that is not here."""

    order_id: str | None = None
    strategy_id: str | None = None
    symbol: str | None = None
    fill_type: FillType | None = None
    market_type: tuple[MarketType, ...] = ()


class LedgerQuery(SpanQuery, frozen=True, kw_only=True):
    """`symbol` is an asset's. As CSV everything from `offset` on is sent, whatever `limit` says."""

    symbol: str | None = None
    format: Literal["json", "csv"] = "json"


@routes.signed("GET", "/wapi/v1/history/orders", "orderHistoryQueryAll", example=[examples.HISTORICAL_ORDER])
async def orders(
    exchange: Exchange, key: KeyView, params: OrderHistoryQuery
) -> list[wire.HistoricalOrder] | Answer | Refusal:
    """Orders, open and ended. `createdAt` is text; `cancelReason` says who asked for a cancel.

    `from` and `to` are in ms, of `createdAt`; to go forward in time, as with fills.
    `clientId` with `symbol` asks what became of a request whose answer you did not get: the newest order under that id,
    if it is open or ended less than 24 hours ago. An empty list: there is none.
    """
    found_id = _order_id(params.order_id)
    if isinstance(found_id, Refusal):
        return _none_or(found_id, params)
    if params.symbol is not None and exchange.market(params.symbol) is None:
        return INVALID_SYMBOL
    if params.strategy_id is not None or (params.market_type and "SPOT" not in params.market_type):
        return paged((), params.limit, params.offset or 0, 0)
    if params.client_id is not None:
        return await _under_client_id(exchange, key, params, params.client_id)
    found = await exchange.order_history(key.account, params.page(), market=params.symbol, order_id=found_id)
    if isinstance(found, Refusal):
        return found
    specs = {market.spec.symbol: market.spec for market in exchange.markets()}
    rows = [wire.historical_order_to_wire(order, specs[order.market]) for order in found.rows]
    return paged(rows, params.limit, params.offset or 0, found.total)


async def _under_client_id(
    exchange: Exchange, key: KeyView, params: OrderHistoryQuery, text: str
) -> list[wire.HistoricalOrder] | Answer | Refusal:
    """At most one row, by the same rule as `order.query` of the WebSocket."""
    client_id = client_id_of(text)
    if isinstance(client_id, Refusal):
        return client_id
    market = None if params.symbol is None else exchange.market(params.symbol)
    if market is None or params.order_id is not None:
        return _CLIENT_ID_ALONE
    found = await exchange.order(key.account, market.spec.symbol, client_id=client_id)
    if isinstance(found, Refusal):
        return found
    rows = [] if found is None else [wire.historical_order_to_wire(found, market.spec)]
    offset = params.offset or 0
    return paged(rows[offset:], params.limit, offset, len(rows))


@routes.signed("GET", "/wapi/v1/history/fills", "fillHistoryQueryAll", example=[examples.FILL])
async def fills(exchange: Exchange, key: KeyView, params: FillHistoryQuery) -> list[wire.OrderFill] | Answer | Refusal:
    """Fills, one row per order and trade. `clientId` is text here; `from` and `to` are in ms.

    To go forward in time, ask with `from` and go on from the last `timestamp` plus 1 ms: such a page is never cut
    within a millisecond, so it may be longer than `limit`. Or keep `from`, and count `offset` up.
    """
    found_id = _order_id(params.order_id)
    if isinstance(found_id, Refusal):
        return _none_or(found_id, params)
    if params.symbol is not None and exchange.market(params.symbol) is None:
        return INVALID_SYMBOL
    none = params.fill_type not in (None, "User") or params.strategy_id is not None
    if none or (params.market_type and "SPOT" not in params.market_type):
        return paged((), params.limit, params.offset or 0, 0)
    found = await exchange.fills(key.account, params.page(), market=params.symbol, order_id=found_id)
    if isinstance(found, Refusal):
        return found
    specs = {market.spec.symbol: market.spec for market in exchange.markets()}
    decimals = {asset.symbol: asset.decimals for asset in exchange.assets()}
    rows = [wire.fill_to_wire(fill, specs[fill.market], decimals[fill.fee_asset]) for fill in found.rows]
    return paged(rows, params.limit, params.offset or 0, found.total)


def _order_id(text: str | None) -> OrderId | Refusal | None:
    return None if text is None else order_id_of(text)


def _none_or(refusal: Refusal, params: SpanQuery) -> Answer | Refusal:
    """An order that can't exist has an empty history."""
    return paged((), params.limit, params.offset or 0, 0) if refusal.code is Code.RESOURCE_NOT_FOUND else refusal


@routes.signed("GET", "/wapi/v1/capital/deposits", "depositQueryAll", example=[examples.DEPOSIT])
async def deposits(exchange: Exchange, key: KeyView, params: SpanQuery) -> list[wire.Deposit] | Answer | Refusal:
    """Deposits: what an administrator has credited. No chain is connected.

    `id` is the seq of the record; `reference`, what the credit was for, is this venue's own. `from` and `to` are in ms.
    """
    found = await exchange.deposits(key.account, params.page())
    if isinstance(found, Refusal):
        return found
    decimals = {asset.symbol: asset.decimals for asset in exchange.assets()}
    rows = [wire.deposit_to_wire(line, decimals[line.asset]) for line in found.rows]
    return paged(rows, params.limit, params.offset or 0, found.total)


@routes.signed(
    "GET",
    "/wapi/v1/history/ledger",
    "ledgerHistoryQueryAll",
    example=[examples.LEDGER_ENTRY],
    also=(Also(200, "The rows as a file", "text/csv"),),
)
async def ledger(exchange: Exchange, key: KeyView, params: LedgerQuery) -> list[wire.LedgerEntry] | Answer | Refusal:
    """Every posting on the account's balances, with what the balance came to.

    Per asset and bucket (available, locked), the sum of all quantities is the balance. What is no coin has the name of
    what it belongs to and its kind, such as `USDC:debt`. `format=csv` streams all rows as a file,
    as of one moment, one at a time for an account. This venue's own.
    """
    decimals = {asset.symbol: asset.decimals for asset in exchange.all_assets()}
    page = params.page()
    if params.format == "csv":
        page = msgspec.structs.replace(page, limit=MAX_PAGE, whole_ms=False)
        lines = await exchange.ledger_export(key.account, page, asset=params.symbol)
        if isinstance(lines, Refusal):
            return lines
        return Answer(
            media_type="text/csv; charset=utf-8",
            headers=(("Content-Disposition", 'attachment; filename="ledger.csv"'),),
            pieces=_csv(lines, decimals),
        )
    found = await exchange.ledger(key.account, page, asset=params.symbol)
    if isinstance(found, Refusal):
        return found
    rows = [wire.ledger_entry_to_wire(line, decimals[line.asset]) for line in found.rows]
    return paged(rows, params.limit, params.offset or 0, found.total)


async def _csv(lines: AsyncIterator[tuple[LedgerLine, ...]], decimals: dict[str, int]) -> AsyncIterator[bytes]:
    """The file, piece by piece."""
    yield _csv_rows([wire.LEDGER_COLUMNS])
    try:
        async for piece in lines:
            yield _csv_rows([_values(wire.ledger_entry_to_wire(line, decimals[line.asset])) for line in piece])
    except NotNow as error:
        # Half a ledger must not look like a whole one: the connection breaks instead.
        raise ConnectionAbortedError(error.refusal.message) from error


def _values(entry: wire.LedgerEntry) -> tuple[object, ...]:
    return msgspec.structs.astuple(entry)


def _csv_rows(rows: Sequence[tuple[object, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
