"""An account's settings, balances and limits as clients read them."""

from collections.abc import Sequence
from typing import Final

import msgspec

from exchange.gateway.wire.errors import invalid
from exchange.gateway.wire.markets import Wire
from exchange.gateway.wire.numbers import WireDecimal, absent, amount_text, decimal_text
from exchange.gateway.wire.orders import Payload
from exchange.values.accounts.settings import SettingsChange
from exchange.values.accounts.views import AccountView
from exchange.values.enums import Side
from exchange.values.listings.specs import AssetSpec
from exchange.values.listings.views import MarketView
from exchange.values.money.views import BalanceView
from exchange.values.numbers import (
    MAX_DECIMALS,
    NotADecimal,
    Rounding,
    TooLarge,
    TooManyDecimals,
    divide,
    parse_decimal,
)
from exchange.values.refusals import Refusal

#: A fee of 100 ppm is one basis point.
_PPM_PER_BPS_DECIMALS: Final = 2
_ZERO: Final = "0"
_LEVERAGE: Final = invalid("Invalid `leverageLimit`")


class UpdateAccountSettings(Payload, frozen=True):
    """What is left out stays as it is. `cancelAtClose` is ours: orders are cancelled when their market closes for
    maintenance.
    """

    auto_borrow_settlements: bool | None = None
    auto_lend: bool | None = None
    auto_repay_borrows: bool | None = None
    leverage_limit: WireDecimal = msgspec.field(default_factory=absent)
    cancel_at_close: bool | None = None


class AccountSummary(Wire, frozen=True):
    """Fees in basis points. What belongs to margin and futures is zero."""

    auto_borrow_settlements: bool
    auto_lend: bool
    auto_repay_borrows: bool
    cancel_at_close: bool
    leverage_limit: str
    limit_orders: int
    spot_maker_fee: str
    spot_taker_fee: str
    auto_realize_pnl: bool = False
    borrow_limit: str = _ZERO
    futures_maker_fee: str = _ZERO
    futures_taker_fee: str = _ZERO
    liquidating: bool = False
    position_limit: str = _ZERO
    trigger_orders: int = 0


class Balance(Wire, frozen=True):
    """`locked` is reserved by open orders."""

    available: str
    locked: str
    staked: str = _ZERO


class MaxOrderQuantity(Wire, frozen=True):
    symbol: str
    side: Side
    max_order_quantity: str
    price: str | None = None
    reduce_only: bool | None = None
    auto_borrow: bool | None = None
    auto_borrow_repay: bool | None = None
    auto_lend_redeem: bool | None = None


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


def account_to_wire(account: AccountView) -> AccountSummary:
    settings, tier = account.settings, account.fee_tier
    return AccountSummary(
        auto_borrow_settlements=settings.auto_borrow_settlements,
        auto_lend=settings.auto_lend,
        auto_repay_borrows=settings.auto_repay_borrows,
        cancel_at_close=settings.cancel_at_close,
        leverage_limit=amount_text(settings.leverage_limit_e9, MAX_DECIMALS),
        limit_orders=account.open_orders,
        spot_maker_fee=amount_text(tier.spot_maker_ppm, _PPM_PER_BPS_DECIMALS),
        spot_taker_fee=amount_text(tier.spot_taker_ppm, _PPM_PER_BPS_DECIMALS),
    )


def settings_change(payload: UpdateAccountSettings) -> SettingsChange | Refusal:
    leverage_e9 = None
    text = decimal_text(payload.leverage_limit)
    if text is not None:
        try:
            leverage_e9 = parse_decimal(text, MAX_DECIMALS)
        except (NotADecimal, TooManyDecimals, TooLarge):
            return _LEVERAGE
    return SettingsChange(
        auto_borrow_settlements=payload.auto_borrow_settlements,
        auto_lend=payload.auto_lend,
        auto_repay_borrows=payload.auto_repay_borrows,
        leverage_limit_e9=leverage_e9,
        cancel_at_close=payload.cancel_at_close,
    )


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
