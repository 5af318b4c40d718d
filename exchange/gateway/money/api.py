"""Money: balances, what they are worth, what of them can be borrowed or withdrawn."""

from typing import Final

from exchange.gateway.money import wire
from exchange.gateway.rest.operations import Routes
from exchange.gateway.wire.base import Payload
from exchange.runtime.port import Exchange
from exchange.values.accounts.views import KeyView
from exchange.values.refusals import Code, Refusal

routes = Routes("Capital")

_COLLATERAL: Final = wire.MarginAccountSummary(
    assets_value="1000",
    collateral=[
        wire.Collateral(
            symbol="USDC",
            asset_mark_price="1",
            total_quantity="1000",
            balance_notional="1000",
            collateral_value="1000",
            open_order_quantity="100",
            available_quantity="900",
        )
    ],
    net_equity="1000",
    net_equity_available="900",
    net_equity_locked="100",
)
_NO_ASSET: Final = Refusal(Code.INVALID_ASSET, "Invalid asset")


class AssetQuery(Payload, frozen=True):
    """`symbol` is an asset's."""

    symbol: str
    auto_borrow: bool | None = None
    auto_lend_redeem: bool | None = None


class CollateralQuery(Payload, frozen=True):
    subaccount_id: int | None = None


@routes.signed(
    "GET",
    "/api/v1/account/limits/borrow",
    "maxBorrowQuantity",
    example=wire.MaxBorrowQuantity("USDC"),
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
    example=wire.MaxWithdrawalQuantity("USDC"),
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


@routes.signed(
    "GET",
    "/api/v1/capital",
    "balanceQuery",
    example={"SOL": wire.Balance("10", "0"), "USDC": wire.Balance("900", "100")},
    hot=True,
)
async def capital(exchange: Exchange, key: KeyView) -> dict[str, wire.Balance]:
    """Every asset the account has ever held: what is free, and what its orders hold."""
    decimals = {asset.symbol: asset.decimals for asset in exchange.assets()}
    return wire.balances_to_wire(await exchange.balances(key.account), decimals)


@routes.signed("GET", "/api/v1/capital/collateral", "collateralQuery", example=_COLLATERAL)
async def collateral(exchange: Exchange, key: KeyView, params: CollateralQuery) -> wire.MarginAccountSummary:
    """What the account's balances are worth at last prices. A spot account owes nothing."""
    return wire.collateral_to_wire(await exchange.balances(key.account), exchange.assets(), exchange.markets())
