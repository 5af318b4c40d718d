"""Whether an order is well formed and inside its market's filters.

Order of precedence where several reasons apply, over all of `decide`: account and key, market,
mode, form of the order (here), its filters (here), duplicate client id, order limit, funds, and
last what matching finds (post-only).
"""

from typing import Final

from exchange.values.enums import OrderType, Side, TimeInForce
from exchange.values.ids import MAX_CLIENT_ID
from exchange.values.listings.specs import MarketFilters, MarketSpec
from exchange.values.numbers import MAX_ATOMS, PPM, Rounding, divide
from exchange.values.orders.events import IncomingOrder
from exchange.values.refusals import Code, Refusal

# On the path of every order: reading a member off its enum class costs several times a global.
_BID: Final = Side.BID
_LIMIT: Final = OrderType.LIMIT
_GTC: Final = TimeInForce.GTC


def _request(message: str) -> Refusal:
    return Refusal(Code.INVALID_CLIENT_REQUEST, message)


_NO_SIZE = _request("Market orders must specify a positive `quantity`")
_TWO_SIZES = _request("Specify exactly one of `quantity` and `quoteQuantity`")
_LIMIT_SIZE = _request("Limit orders must specify a positive `quantity` and a positive `price`")
_LIMIT_QUOTE = _request("`quoteQuantity` is for market orders")
_LIMIT_SLIPPAGE = _request("`slippageTolerance` is for market orders")
_SLIPPAGE = _request("`slippageTolerance` must not be negative, and of one kind")
_MARKET_PRICE = _request("`price` is for limit orders")
_POST_ONLY = _request("`postOnly` needs a limit order with time in force GTC")
_CLIENT_ID = _request(f"`clientId` must be a whole number from 0 to {MAX_CLIENT_ID}")
_BELOW_MINIMUM = _request("Quantity is below the minimum allowed value")
_ABOVE_MAXIMUM = Refusal(Code.INVALID_QUANTITY, "Quantity is above the maximum allowed value")
_TOO_LARGE = Refusal(Code.INVALID_QUANTITY, "Price times quantity is too large")
_NOTIONAL_LOW = Refusal(Code.INVALID_QUANTITY, "Order value is below the minimum allowed value")
_NOTIONAL_HIGH = Refusal(Code.INVALID_QUANTITY, "Order value is above the maximum allowed value")
_PRICE_RANGE = Refusal(Code.INVALID_PRICE, "Price is outside the allowed range")
_PRICE_BAND = Refusal(Code.INVALID_PRICE, "Price is too far from the last active price")


def form(order: IncomingOrder) -> Refusal | None:
    """Which fields must, may and must not stand together."""
    if order.client_id is not None and not 0 <= order.client_id <= MAX_CLIENT_ID:
        return _CLIENT_ID
    if order.order_type is _LIMIT:
        if order.quote_atoms:
            return _LIMIT_QUOTE
        if order.lots <= 0 or order.price_ticks <= 0:
            return _LIMIT_SIZE
        if order.slippage_ticks is not None or order.slippage_ppm is not None:
            return _LIMIT_SLIPPAGE
        if order.post_only and order.time_in_force is not _GTC:
            return _POST_ONLY
        return None
    if order.price_ticks:
        return _MARKET_PRICE
    if order.post_only:
        return _POST_ONLY
    if order.lots and order.quote_atoms:
        return _TWO_SIZES
    if order.lots <= 0 and order.quote_atoms <= 0:
        return _NO_SIZE
    ticks, ppm = order.slippage_ticks, order.slippage_ppm
    if (ticks is not None and ppm is not None) or (ticks or 0) < 0 or (ppm or 0) < 0:
        return _SLIPPAGE
    return None


def filters(
    order: IncomingOrder, spec: MarketSpec, bounds: MarketFilters, last_price_ticks: int, by_side: bool
) -> Refusal | None:
    """Quantity, price, band and value against the market's filters; `order` has passed `form`.

    `last_price_ticks` is the last active price; `by_side` is rule version BAND_BY_SIDE. A market
    order of so many lots has no value to check before it trades.
    """
    lots, price = order.lots, order.price_ticks
    if lots:
        if lots < bounds.min_lots:
            return _BELOW_MINIMUM
        if (bounds.max_lots and lots > bounds.max_lots) or lots * spec.base_atoms_per_lot > MAX_ATOMS:
            return _ABOVE_MAXIMUM
    if price:
        if price < bounds.min_price_ticks or (bounds.max_price_ticks and price > bounds.max_price_ticks):
            return _PRICE_RANGE
        too_high = price * PPM > last_price_ticks * bounds.max_multiplier_ppm
        too_low = price * PPM < last_price_ticks * bounds.min_multiplier_ppm
        if by_side:
            too_high = too_high and order.side is _BID
            too_low = too_low and order.side is Side.ASK
        if too_high or too_low:
            return _PRICE_BAND
    value = price * lots * spec.quote_atoms_per_tick_lot if price else order.quote_atoms
    if value > MAX_ATOMS:
        return _TOO_LARGE
    if value and value < bounds.min_notional_atoms:
        return _NOTIONAL_LOW
    if bounds.max_notional_atoms and value > bounds.max_notional_atoms:
        return _NOTIONAL_HIGH
    return None


def impact_bound(side: Side, touch_ticks: int, bounds: MarketFilters) -> int:
    """The worst price a market order may trade at, by the market's impact multipliers."""
    if side is _BID:
        return divide(touch_ticks * bounds.max_impact_ppm, PPM, Rounding.DOWN)
    return divide(touch_ticks * bounds.min_impact_ppm, PPM, Rounding.UP)


def slippage_bound(order: IncomingOrder, touch_ticks: int) -> int | None:
    """The worst price a market order may trade at, by its own tolerance; None if it names none."""
    if order.slippage_ticks is not None:
        away = order.slippage_ticks
    elif order.slippage_ppm is not None:
        away = divide(touch_ticks * order.slippage_ppm, PPM, Rounding.DOWN)
    else:
        return None
    return touch_ticks + away if order.side is _BID else max(touch_ticks - away, 1)
