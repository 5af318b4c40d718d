"""The account: settings, and the limit on its orders."""

from typing import Final

from exchange.gateway.accounts import wire
from exchange.gateway.rest.operations import DONE, Answer, Routes
from exchange.gateway.wire.base import Payload
from exchange.gateway.wire.errors import INVALID_SYMBOL
from exchange.gateway.wire.numbers import price_text, price_ticks, quantity_text
from exchange.runtime.port import Exchange
from exchange.values.accounts.commands import UpdateAccount
from exchange.values.accounts.views import KeyView
from exchange.values.enums import Side
from exchange.values.refusals import Refusal

routes = Routes("Account")

_ACCOUNT: Final = wire.AccountSummary(
    auto_borrow_settlements=False,
    auto_lend=False,
    auto_repay_borrows=False,
    cancel_at_close=False,
    leverage_limit="10",
    limit_orders=3,
    spot_maker_fee="8",
    spot_taker_fee="10",
)


class MaxOrderQuery(Payload, frozen=True):
    symbol: str
    side: Side
    price: str | None = None
    reduce_only: bool | None = None
    auto_borrow: bool | None = None
    auto_borrow_repay: bool | None = None
    auto_lend_redeem: bool | None = None


@routes.signed("GET", "/api/v1/account", "accountQuery", example=_ACCOUNT)
async def account(exchange: Exchange, key: KeyView) -> wire.AccountSummary:
    """Settings, fees in basis points, and how many orders rest."""
    return wire.account_to_wire(await exchange.account(key.account))


@routes.signed("PATCH", "/api/v1/account", "accountUpdate", request={"autoLend": False}, example=None)
async def update_account(exchange: Exchange, key: KeyView, params: wire.UpdateAccountSettings) -> Answer | Refusal:
    """Change settings; what is left out stays. Those that steer margin, a spot account only keeps."""
    change = wire.settings_change(params)
    if isinstance(change, Refusal):
        return change
    outcome = await exchange.execute(UpdateAccount(key.account, key.key_id, change))
    return outcome.refusal or DONE


@routes.signed(
    "GET",
    "/api/v1/account/limits/order",
    "maxOrderQuantity",
    example=wire.MaxOrderQuantity("SOL_USDC", Side.BID, "12.5", "100.5"),
)
async def max_order(exchange: Exchange, key: KeyView, params: MaxOrderQuery) -> wire.MaxOrderQuantity | Refusal:
    """The largest order that funds and filters would let through now; without `price`, a market order."""
    market = exchange.market(params.symbol)
    if market is None:
        return INVALID_SYMBOL
    price = None if params.price is None else price_ticks(params.price, market.spec)
    if isinstance(price, Refusal):
        return price
    lots = await exchange.max_order_lots(key.account, params.symbol, params.side, price)
    return wire.MaxOrderQuantity(
        symbol=params.symbol,
        side=params.side,
        max_order_quantity=quantity_text(lots, market.spec),
        price=None if price is None else price_text(price, market.spec),
        reduce_only=params.reduce_only,
        auto_borrow=params.auto_borrow,
        auto_borrow_repay=params.auto_borrow_repay,
        auto_lend_redeem=params.auto_lend_redeem,
    )
