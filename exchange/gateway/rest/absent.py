"""Operations of the protocol for products this venue doesn't have.

What asks for a list gets a truthful empty one; everything else is refused with NOT_IMPLEMENTED, after the same checks
of who asks, so that a client can tell a wrong signature from a missing product.
"""

from typing import Final

from exchange.gateway.rest.operations import Answer, HttpMethod, Routes, paged
from exchange.gateway.rest.parameters import PageQuery
from exchange.gateway.wire.base import Payload
from exchange.gateway.wire.errors import INVALID_SYMBOL, NOT_FOUND
from exchange.runtime.port import Exchange
from exchange.values.accounts.views import KeyView
from exchange.values.refusals import Code, Refusal

routes = Routes("Not on this venue")

_REFUSED: Final = Refusal(Code.NOT_IMPLEMENTED, "Not available on this venue")

#: Lists that are empty for everybody.
_EMPTY: Final = {
    "/api/v1/collateral": "Collateral weights: none, there is no margin here.",
    "/api/v1/wallets": "Addresses of the venue's wallets: no chain is connected.",
    "/api/v1/securities": "Securities: none are listed.",
    "/api/v1/market-sessions": "Trading sessions of securities: none are listed.",
    "/api/v1/prediction": "Prediction events: none are listed.",
    "/api/v1/prediction/tags": "Tags of prediction events: none.",
    "/api/v1/borrowLend/markets": "Borrow-lend pools: none.",
    "/api/v1/vaults": "Vaults: none.",
}

#: Lists of an account that are empty for everybody, with what is signed.
_EMPTY_SIGNED: Final = {
    "/api/v1/borrowLend/positions": ("borrowLendPositionQuery", "Borrow-lend positions: none."),
    "/api/v1/rfqs": ("rfqQuery", "Requests for quotes: none."),
    "/api/v1/strategies": ("strategyQueryAll", "Running strategies: none."),
}

#: The same, with page headers.
_EMPTY_HISTORIES: Final = {
    "/wapi/v1/capital/withdrawals": ("withdrawalQueryAll", "Withdrawals to chains: none is connected."),
    "/wapi/v1/history/borrowLend": ("borrowHistoryQueryAll", "Borrows and loans: none."),
    "/wapi/v1/history/borrowLend/positions": ("borrowPositionHistoryQueryAll", "Borrow-lend positions: none."),
    "/wapi/v1/history/interest": ("interestHistoryQueryAll", "Interest: none."),
    "/wapi/v1/history/dust": ("dustHistoryQueryAll", "Conversions of dust: none."),
    "/wapi/v1/history/funding": ("fundingHistoryQueryAll", "Funding payments: none."),
    "/wapi/v1/history/rfq": ("rfqHistoryQueryAll", "Requests for quotes: none."),
    "/wapi/v1/history/quote": ("quoteHistoryQueryAll", "Quotes: none."),
    "/wapi/v1/history/rfq/fill": ("rfqFillHistoryQueryAll", "Fills of requests for quotes: none."),
    "/wapi/v1/history/quote/fill": ("quoteFillHistoryQueryAll", "Fills of quotes: none."),
    "/wapi/v1/history/settlement": ("settlementHistoryQueryAll", "Settlements: none."),
    "/wapi/v1/history/strategies": ("strategyHistoryQueryAll", "Strategies: none."),
    "/wapi/v1/history/position": ("positionHistoryQueryAll", "Positions: none."),
}

#: What is refused; no instruction: public.
_NOT_IMPLEMENTED: Final[tuple[tuple[HttpMethod, str, str, str], ...]] = (
    ("POST", "/api/v1/account/convertDust", "convertDust", "Convert dust."),
    ("GET", "/wapi/v1/capital/deposit/address", "depositAddressQuery", "An address to deposit to."),
    ("POST", "/wapi/v1/capital/withdrawals", "withdraw", "Withdraw to a chain."),
    ("GET", "/wapi/v1/capital/withdrawals/delay", "withdrawalDelayQuery", "The account's withdrawal delay."),
    ("POST", "/wapi/v1/capital/withdrawals/delay", "withdrawalDelayCreate", "Set a withdrawal delay."),
    ("PATCH", "/wapi/v1/capital/withdrawals/delay", "withdrawalDelayUpdate", "Change a withdrawal delay."),
    ("POST", "/api/v1/borrowLend", "borrowLendExecute", "Borrow, repay, lend or redeem."),
    (
        "GET",
        "/api/v1/borrowLend/position/liquidationPrice",
        "borrowLendPositionLiquidationPrice",
        "A liquidation price after a borrow.",
    ),
    ("GET", "/api/v1/borrowLend/markets/history", "", "History of borrow-lend pools."),
    ("GET", "/api/v1/borrowLend/apy", "", "Rates of borrow-lend pools."),
    ("POST", "/api/v1/rfq", "rfqSubmit", "Ask for quotes."),
    ("POST", "/api/v1/rfq/quote", "quoteSubmit", "Quote."),
    ("POST", "/api/v1/rfq/accept", "quoteAccept", "Accept a quote."),
    ("POST", "/api/v1/rfq/refresh", "rfqRefresh", "Refresh a request for quotes."),
    ("POST", "/api/v1/rfq/cancel", "rfqCancel", "Cancel a request for quotes."),
    ("GET", "/api/v1/strategy", "strategyQuery", "A strategy."),
    ("POST", "/api/v1/strategy", "strategyCreate", "Start a strategy."),
    ("DELETE", "/api/v1/strategy", "strategyCancel", "Cancel a strategy."),
    ("DELETE", "/api/v1/strategies", "strategyCancelAll", "Cancel all strategies."),
    ("GET", "/api/v1/vaults/history", "", "History of vaults."),
    ("POST", "/api/v1/vault/mint", "vaultMint", "Buy into a vault."),
    ("POST", "/api/v1/vault/redeem", "vaultRedeemRequest", "Redeem from a vault."),
    ("DELETE", "/api/v1/vault/redeem", "vaultRedeemCancel", "Cancel a redemption."),
    ("GET", "/api/v1/vault/redeems/pending", "vaultPendingRedeemsQuery", "Pending redemptions."),
    ("GET", "/api/v1/vault/nav", "vaultNavQuery", "A vault's net asset value."),
)


class MarketQuery(Payload, frozen=True):
    """`symbol` of a futures market, of which there are none."""

    symbol: str | None = None


class FundingRatesQuery(Payload, frozen=True):
    symbol: str


@routes.public("GET", "/api/v1/markPrices", example=[])
async def mark_prices(exchange: Exchange, params: MarketQuery) -> list[None] | Refusal:
    """Mark prices of futures markets: there are none."""
    return _of_market(exchange, params.symbol)


@routes.public("GET", "/api/v1/openInterest", example=[])
async def open_interest(exchange: Exchange, params: MarketQuery) -> list[None] | Refusal:
    """Open interest of futures markets: there are none."""
    return _of_market(exchange, params.symbol)


@routes.public("GET", "/api/v1/fundingRates", example=[])
async def funding_rates(exchange: Exchange, params: FundingRatesQuery) -> list[None] | Refusal:
    """Funding rates of a futures market: there are none."""
    return _of_market(exchange, params.symbol)


def _of_market(exchange: Exchange, symbol: str | None) -> list[None] | Refusal:
    return INVALID_SYMBOL if symbol is not None and exchange.market(symbol) is None else []


@routes.signed("GET", "/api/v1/position", "positionQuery", example=[])
async def positions(exchange: Exchange, key: KeyView, params: MarketQuery) -> list[None] | Refusal:
    """Open positions: none. With `symbol`: not found."""
    return NOT_FOUND if params.symbol is not None else []


def _enter_empty(path: str, summary: str) -> None:
    async def empty(exchange: Exchange) -> list[None]:
        return []

    empty.__doc__ = summary
    routes.public("GET", path, example=[])(empty)


def _enter_empty_signed(path: str, instruction: str, summary: str) -> None:
    async def empty(exchange: Exchange, key: KeyView) -> list[None]:
        return []

    empty.__doc__ = summary
    routes.signed("GET", path, instruction, example=[])(empty)


def _enter_empty_history(path: str, instruction: str, summary: str) -> None:
    async def empty(exchange: Exchange, key: KeyView, params: PageQuery) -> list[None] | Answer:
        return paged((), params.limit, params.offset, 0)

    empty.__doc__ = summary
    routes.signed("GET", path, instruction, example=[])(empty)


def _enter_refused(method: HttpMethod, path: str, instruction: str, summary: str) -> None:
    async def refused(exchange: Exchange, key: KeyView | None = None) -> Refusal:
        return _REFUSED

    refused.__doc__ = f"{summary}\n\nAlways refused with NOT_IMPLEMENTED."
    if instruction:
        routes.signed(method, path, instruction, example=None)(refused)
    else:
        routes.public(method, path, example=None)(refused)


for _path, _summary in _EMPTY.items():
    _enter_empty(_path, _summary)
for _path, (_instruction, _summary) in _EMPTY_SIGNED.items():
    _enter_empty_signed(_path, _instruction, _summary)
for _path, (_instruction, _summary) in _EMPTY_HISTORIES.items():
    _enter_empty_history(_path, _instruction, _summary)
for _row in _NOT_IMPLEMENTED:
    _enter_refused(*_row)
