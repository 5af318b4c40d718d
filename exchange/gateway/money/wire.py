"""Balances, what they are worth, and limits on moving them, as clients read them."""

from collections.abc import Sequence
from typing import Final

from exchange.gateway.wire.base import Wire
from exchange.gateway.wire.numbers import amount_text
from exchange.values.listings.specs import AssetSpec
from exchange.values.listings.views import MarketView
from exchange.values.money.views import BalanceView
from exchange.values.numbers import (
    MAX_DECIMALS,
    Rounding,
    divide,
)

_ZERO: Final = "0"


class Balance(Wire, frozen=True):
    """`locked` is reserved by open orders."""

    available: str
    locked: str
    staked: str = _ZERO


class MaxBorrowQuantity(Wire, frozen=True):
    symbol: str
    max_borrow_quantity: str = _ZERO


class MaxWithdrawalQuantity(Wire, frozen=True):
    symbol: str
    max_withdrawal_quantity: str = _ZERO
    auto_borrow: bool | None = None
    auto_lend_redeem: bool | None = None


class Collateral(Wire, frozen=True):
    """One asset of an account, valued at its market's last price."""

    symbol: str
    asset_mark_price: str
    total_quantity: str
    balance_notional: str
    collateral_value: str
    open_order_quantity: str
    available_quantity: str
    collateral_weight: str = "1"
    lend_quantity: str = _ZERO


class MarginAccountSummary(Wire, frozen=True):
    """A spot account has no liabilities: equity is what its balances are worth."""

    assets_value: str
    collateral: list[Collateral]
    net_equity: str
    net_equity_available: str
    net_equity_locked: str
    borrow_liability: str = _ZERO
    imf: str = _ZERO
    unsettled_equity: str = _ZERO
    liabilities_value: str = _ZERO
    margin_fraction: None = None
    mmf: str = _ZERO
    net_exposure_futures: str = _ZERO
    pnl_unrealized: str = _ZERO


def balances_to_wire(balances: Sequence[BalanceView], decimals: dict[str, int]) -> dict[str, Balance]:
    """By asset; `decimals` is of every asset."""
    return {
        balance.asset: Balance(
            amount_text(balance.available_atoms, decimals[balance.asset]),
            amount_text(balance.locked_atoms, decimals[balance.asset]),
        )
        for balance in balances
    }


def collateral_to_wire(
    balances: Sequence[BalanceView], assets: Sequence[AssetSpec], markets: Sequence[MarketView]
) -> MarginAccountSummary:
    """What balances are worth in the quote asset of the first market; what has no price there counts as nothing."""
    decimals = {asset.symbol: asset.decimals for asset in assets}
    quote = markets[0].spec.quote if markets else ""
    priced = {market.spec.base: market for market in markets if market.spec.quote == quote}
    rows, available_value, locked_value = [], 0, 0
    for balance in balances:
        available, locked = (
            _value(atoms, balance.asset, quote, priced) for atoms in (balance.available_atoms, balance.locked_atoms)
        )
        available_value += available
        locked_value += locked
        value = amount_text(available + locked, decimals[quote]) if quote else _ZERO
        places = decimals[balance.asset]
        rows.append(
            Collateral(
                symbol=balance.asset,
                asset_mark_price=_price(balance.asset, quote, priced),
                total_quantity=amount_text(balance.available_atoms + balance.locked_atoms, places),
                balance_notional=value,
                collateral_value=value,
                open_order_quantity=amount_text(balance.locked_atoms, places),
                available_quantity=amount_text(balance.available_atoms, places),
            )
        )
    total, free, held = (
        amount_text(atoms, decimals.get(quote, 0))
        for atoms in (available_value + locked_value, available_value, locked_value)
    )
    return MarginAccountSummary(total, rows, total, free, held)


def _value(atoms: int, asset: str, quote: str, priced: dict[str, MarketView]) -> int:
    """In atoms of `quote`, rounded down."""
    if asset == quote:
        return atoms
    market = priced.get(asset)
    if market is None:
        return 0
    per_lot = market.last_price_ticks * market.spec.quote_atoms_per_tick_lot
    return divide(atoms * per_lot, market.spec.base_atoms_per_lot, Rounding.DOWN)


def _price(asset: str, quote: str, priced: dict[str, MarketView]) -> str:
    if asset == quote:
        return "1"
    market = priced.get(asset)
    return _ZERO if market is None else amount_text(market.last_price_ticks * market.spec.tick_e9, MAX_DECIMALS)
