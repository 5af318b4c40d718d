"""The account: settings, limits, balances."""

from exchange.gateway.api import examples
from exchange.gateway.operations import DONE, Answer, Routes
from exchange.gateway.wire import accounts as wire
from exchange.gateway.wire.errors import INVALID_SYMBOL
from exchange.gateway.wire.numbers import price_text, price_ticks, quantity_text
from exchange.gateway.wire.orders import Payload
from exchange.runtime.port import Exchange
from exchange.values.accounts.commands import UpdateAccount
from exchange.values.accounts.views import KeyView
from exchange.values.enums import Side
from exchange.values.refusals import Code, Refusal

routes = Routes("Account")

_NO_ASSET = Refusal(Code.INVALID_ASSET, "Invalid asset")


class MaxOrderQuery(Payload, frozen=True):
    symbol: str
    side: Side
    price: str | None = None
    reduce_only: bool | None = None
    auto_borrow: bool | None = None
    auto_borrow_repay: bool | None = None
    auto_lend_redeem: bool | None = None


class AssetQuery(Payload, frozen=True):
    """`symbol` is an asset's."""

    symbol: str
    auto_borrow: bool | None = None
    auto_lend_redeem: bool | None = None


class CollateralQuery(Payload, frozen=True):
    subaccount_id: int | None = None


@routes.signed("GET", "/api/v1/account", "accountQuery", example=examples.ACCOUNT)
async def account(exchange: Exchange, key: KeyView) -> wire.AccountSummary:
    """Settings, fees in basis points, and how many orders rest."""
    return wire.account_to_wire(await exchange.account(key.account))


@routes.signed("PATCH", "/api/v1/account", "accountUpdate", request={"autoLend": False}, example=None, changes=True)
async def update_account(exchange: Exchange, key: KeyView, params: wire.UpdateAccountSettings) -> Answer | Refusal:
    """Change settings; what is left out stays. Those that steer margin, a spot account only keeps."""
    change = wire.settings_change(params)
    if isinstance(change, Refusal):
        return change
    outcome = await exchange.execute(UpdateAccount(key.account, key.key_id, change))
    return outcome.refusal or DONE


@routes.signed("GET", "/api/v1/account/limits/order", "maxOrderQuantity", example=examples.MAX_ORDER)
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


@routes.signed(
    "GET",
    "/api/v1/account/limits/borrow",
    "maxBorrowQuantity",
    example={"symbol": "USDC", "maxBorrowQuantity": "0"},
)
async def max_borrow(exchange: Exchange, key: KeyView, params: AssetQuery) -> wire.MaxBorrowQuantity | Refusal:
    """What the account could borrow: nothing, there is no borrowing here."""
    if all(asset.symbol != params.symbol for asset in exchange.assets()):
        return _NO_ASSET
    return wire.MaxBorrowQuantity(params.symbol)


@routes.signed(
    "GET",
    "/api/v1/account/limits/withdrawal",
    "maxWithdrawalQuantity",
    example={"symbol": "USDC", "maxWithdrawalQuantity": "0", "autoBorrow": None, "autoLendRedeem": None},
)
async def max_withdrawal(exchange: Exchange, key: KeyView, params: AssetQuery) -> wire.MaxWithdrawalQuantity | Refusal:
    """What could be withdrawn: nothing, there are no withdrawals here."""
    if all(asset.symbol != params.symbol for asset in exchange.assets()):
        return _NO_ASSET
    return wire.MaxWithdrawalQuantity(
        symbol=params.symbol,
        auto_borrow=params.auto_borrow,
        auto_lend_redeem=params.auto_lend_redeem,
    )


@routes.signed("GET", "/api/v1/capital", "balanceQuery", example=examples.CAPITAL, hot=True)
async def capital(exchange: Exchange, key: KeyView) -> dict[str, wire.Balance]:
    """Every asset the account has ever held: what is free, and what its orders hold."""
    decimals = {asset.symbol: asset.decimals for asset in exchange.assets()}
    return wire.balances_to_wire(await exchange.balances(key.account), decimals)


@routes.signed("GET", "/api/v1/capital/collateral", "collateralQuery", example=examples.COLLATERAL)
async def collateral(exchange: Exchange, key: KeyView, params: CollateralQuery) -> wire.MarginAccountSummary:
    """What the account's balances are worth at last prices. A spot account owes nothing."""
    return wire.collateral_to_wire(await exchange.balances(key.account), exchange.assets(), exchange.markets())
