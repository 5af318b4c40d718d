"""The exchange over REST."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import TracebackType
from typing import Final, Self, TypeVar

from exchange_client.codec import decode
from exchange_client.decimals import Scalar, plain
from exchange_client.errors import ExchangeError
from exchange_client.models import (
    Account,
    Asset,
    Balance,
    Depth,
    DepthLimit,
    Fill,
    HistoricOrder,
    Kline,
    KlineInterval,
    Market,
    MaxOrderQuantity,
    Order,
    Posting,
    Side,
    SortDirection,
    Status,
    Ticker,
    TickerInterval,
    Trade,
)
from exchange_client.orders import NewOrder, order_key, outcomes
from exchange_client.signing import Keypair
from exchange_client.transport import Params, Transport, present

PAGE_ROWS: Final = 1000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)

T = TypeVar("T")


class ExchangeClient:
    """One account's, or without a keypair the public's, view of the exchange. Use it with `async with`.

    Reads are tried up to READ_ATTEMPTS times. What changes something is sent once, and once more if it was refused for
    a moment (up to RETRY_AFTER_S), as everything is that was signed just after a start.
    Raises ExchangeError when the exchange refuses, NotConnected when it can't be reached (nothing was
    sent), OutcomeUnknown when a change was sent and no answer came, ValueError for a call that can't be made.
    """

    def __init__(self, url: str = "http://127.0.0.1:8000", keypair: Keypair | None = None) -> None:
        self._transport = Transport(url, keypair)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._transport.close()

    # --- venue and markets ---

    async def status(self) -> Status:
        return await self._transport.read(Status, "/api/v1/status")

    async def time_ms(self) -> int:
        """The exchange's clock, ms since 1970."""
        return await self._transport.read(int, "/api/v1/time")

    async def assets(self) -> list[Asset]:
        return await self._transport.read(list[Asset], "/api/v1/assets")

    async def markets(self) -> list[Market]:
        return await self._transport.read(list[Market], "/api/v1/markets")

    async def market(self, symbol: str) -> Market:
        return await self._transport.read(Market, "/api/v1/market", {"symbol": symbol})

    async def ticker(self, symbol: str, interval: TickerInterval = "1d") -> Ticker | None:
        """None if nothing has traded."""
        body = await self._transport.read_body("/api/v1/ticker", {"symbol": symbol, "interval": interval})
        return decode(body, Ticker) if body else None

    async def tickers(self, interval: TickerInterval = "1d") -> list[Ticker]:
        return await self._transport.read(list[Ticker], "/api/v1/tickers", {"interval": interval})

    async def depth(self, symbol: str, limit: DepthLimit = 1000) -> Depth:
        return await self._transport.read(Depth, "/api/v1/depth", {"symbol": symbol, "limit": limit})

    async def klines(self, symbol: str, interval: KlineInterval, start_s: int, end_s: int | None = None) -> list[Kline]:
        """Oldest first. Times in seconds since 1970."""
        params: Params = {"symbol": symbol, "interval": interval, "startTime": start_s, "endTime": end_s}
        return await self._transport.read(list[Kline], "/api/v1/klines", params)

    async def trades(self, symbol: str, limit: int = 100) -> list[Trade]:
        """Newest first."""
        return await self._transport.read(list[Trade], "/api/v1/trades", {"symbol": symbol, "limit": limit})

    async def trade_history(self, symbol: str, limit: int = 100, offset: int = 0) -> list[Trade]:
        """Newest first."""
        params: Params = {"symbol": symbol, "limit": limit, "offset": offset}
        return await self._transport.read(list[Trade], "/api/v1/trades/history", params)

    # --- the account ---

    async def account(self) -> Account:
        return await self._transport.read(Account, "/api/v1/account", instruction="accountQuery")

    async def update_account(
        self,
        *,
        auto_borrow_settlements: bool | None = None,
        auto_lend: bool | None = None,
        auto_repay_borrows: bool | None = None,
        leverage_limit: Decimal | None = None,
    ) -> None:
        """Change the settings that are given."""
        settings: Params = {
            "autoBorrowSettlements": auto_borrow_settlements,
            "autoLend": auto_lend,
            "autoRepayBorrows": auto_repay_borrows,
            "leverageLimit": None if leverage_limit is None else plain(leverage_limit),
        }
        await self._transport.change("PATCH", "/api/v1/account", "accountUpdate", present(settings))

    async def balances(self) -> dict[str, Balance]:
        """By asset."""
        return await self._transport.read(dict[str, Balance], "/api/v1/capital", instruction="balanceQuery")

    async def max_order_quantity(self, symbol: str, side: Side, price: Decimal | None = None) -> Decimal:
        """The largest order that funds allow; without a price, a market order."""
        params: Params = {"symbol": symbol, "side": side, "price": None if price is None else plain(price)}
        answer = await self._transport.read(
            MaxOrderQuantity, "/api/v1/account/limits/order", params, "maxOrderQuantity"
        )
        return answer.max_order_quantity

    # --- orders ---

    async def place(self, order: NewOrder) -> Order:
        """The order after matching."""
        body = await self._transport.change("POST", "/api/v1/order", "orderExecute", order.wire(), order.client_id)
        return decode(body, Order)

    async def place_batch(self, orders: Sequence[NewOrder]) -> list[Order | ExchangeError]:
        """Place several orders, each of which stands or falls alone: its order after matching, or its refusal."""
        wire = [order.wire() for order in orders]
        body = await self._transport.change("POST", "/api/v1/orders", "orderExecute", wire)
        return outcomes(decode(body, object))

    async def cancel(self, symbol: str, *, order_id: str | None = None, client_id: int | None = None) -> Order:
        """The order as it was cancelled."""
        key = order_key(symbol, order_id, client_id)
        body = await self._transport.change("DELETE", "/api/v1/order", "orderCancel", key, client_id)
        return decode(body, Order)

    async def cancel_all(self, symbol: str) -> list[Order]:
        """Every open order of the account on a market, as it was cancelled."""
        body = await self._transport.change("DELETE", "/api/v1/orders", "orderCancelAll", {"symbol": symbol})
        return decode(body, list[Order])

    async def cancel_all_after(self, timeout_ms: int) -> None:
        """Have all orders of the account cancelled unless this is called again within `timeout_ms`; 0 turns it off."""
        await self._transport.change("POST", "/api/v1/order/cancelAllAfter", "cancelAllAfter", {"timeout": timeout_ms})

    async def order(self, symbol: str, *, order_id: str | None = None, client_id: int | None = None) -> Order:
        """An open order. Raises ExchangeError with code RESOURCE_NOT_FOUND if there is none."""
        return await self._transport.read(Order, "/api/v1/order", order_key(symbol, order_id, client_id), "orderQuery")

    async def open_orders(self, symbol: str | None = None) -> list[Order]:
        return await self._transport.read(list[Order], "/api/v1/orders", {"symbol": symbol}, "orderQueryAll")

    # --- history ---

    async def order_history(
        self,
        symbol: str | None = None,
        *,
        order_id: str | None = None,
        client_id: int | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
        limit: int = 100,
        offset: int | None = None,
        sort: SortDirection = "Desc",
    ) -> list[HistoricOrder]:
        """Orders, open and ended. `client_id`, with `symbol`: the newest under it, if it ended less than a day ago.

        `from_ms` and `to_ms` are of when it was placed.
        """
        params: Params = {
            "symbol": symbol,
            "orderId": order_id,
            "clientId": client_id,
            "from": from_ms,
            "to": to_ms,
            **_page(limit, offset, sort),
        }
        return await self._transport.read(
            list[HistoricOrder], "/wapi/v1/history/orders", params, "orderHistoryQueryAll"
        )

    async def fills(
        self,
        symbol: str | None = None,
        *,
        order_id: str | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
        limit: int = 100,
        offset: int | None = None,
        sort: SortDirection = "Desc",
    ) -> list[Fill]:
        params: Params = {
            "symbol": symbol,
            "orderId": order_id,
            "from": from_ms,
            "to": to_ms,
            **_page(limit, offset, sort),
        }
        return await self._transport.read(list[Fill], "/wapi/v1/history/fills", params, "fillHistoryQueryAll")

    async def ledger(
        self,
        asset: str | None = None,
        *,
        from_ms: int | None = None,
        to_ms: int | None = None,
        limit: int = 100,
        offset: int | None = None,
        sort: SortDirection = "Desc",
    ) -> list[Posting]:
        """Every movement of the account's balances."""
        params: Params = {"symbol": asset, "from": from_ms, "to": to_ms, **_page(limit, offset, sort)}
        return await self._transport.read(list[Posting], "/wapi/v1/history/ledger", params, "ledgerHistoryQueryAll")

    async def proof(self, window_id: int | None = None) -> bytes:
        """What `verify_proof.py` checks: the account's statements over a window (None: the last certified)."""
        params: Params = {"windowId": window_id}
        return await self._transport.read_body("/api/v1/maintenance/proof", params, "maintenanceProofQuery")

    async def every_order(self, symbol: str | None = None, *, from_ms: int = 0) -> AsyncIterator[HistoricOrder]:
        """The order history, oldest first, page by page."""

        async def fetch(start_ms: int) -> list[HistoricOrder]:
            return await self.order_history(symbol, from_ms=start_ms, limit=PAGE_ROWS, sort="Asc")

        async for row in _pages(fetch, from_ms, lambda row: row.created_at):
            yield row

    async def every_posting(self, asset: str | None = None, *, from_ms: int = 0) -> AsyncIterator[Posting]:
        """All movements of the account's balances, oldest first, page by page."""

        async def fetch(start_ms: int) -> list[Posting]:
            return await self.ledger(asset, from_ms=start_ms, limit=PAGE_ROWS, sort="Asc")

        async for row in _pages(fetch, from_ms, lambda row: row.timestamp):
            yield row

    async def every_fill(self, symbol: str | None = None, *, from_ms: int = 0) -> AsyncIterator[Fill]:
        """All fills, oldest first, page by page."""

        async def fetch(start_ms: int) -> list[Fill]:
            return await self.fills(symbol, from_ms=start_ms, limit=PAGE_ROWS, sort="Asc")

        async for row in _pages(fetch, from_ms, lambda row: row.timestamp):
            yield row


def _page(limit: int, offset: int | None, sort: SortDirection) -> dict[str, Scalar | None]:
    return {"limit": limit, "offset": offset, "sortDirection": sort}


async def _pages(
    fetch: Callable[[int], Awaitable[list[T]]], start_ms: int, time_of: Callable[[T], datetime]
) -> AsyncIterator[T]:
    """Rows from a time on, page by page: one that goes forward in time is never cut within a millisecond."""
    while rows := await fetch(start_ms):
        for row in rows:
            yield row
        if len(rows) < PAGE_ROWS:
            return
        start_ms = (time_of(rows[-1]).replace(tzinfo=UTC) - _EPOCH) // _MS + 1
