"""An account's settings, balances and limits as clients read them."""

from typing import Final

import msgspec

from exchange.gateway.wire.base import Payload, Wire
from exchange.gateway.wire.errors import invalid
from exchange.gateway.wire.numbers import WireDecimal, absent, amount_text, decimal_text
from exchange.values.accounts.settings import SettingsChange
from exchange.values.accounts.views import AccountView
from exchange.values.enums import Side
from exchange.values.numbers import (
    MAX_DECIMALS,
    NotADecimal,
    TooLarge,
    TooManyDecimals,
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


class MaxOrderQuantity(Wire, frozen=True):
    symbol: str
    side: Side
    max_order_quantity: str
    price: str | None = None
    reduce_only: bool | None = None
    auto_borrow: bool | None = None
    auto_borrow_repay: bool | None = None
    auto_lend_redeem: bool | None = None


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
