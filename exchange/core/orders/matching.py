"""Matching: which resting orders an incoming one meets, in strict price-time priority.

It only reads. The incoming order becomes a budget (lots, or quote atoms, a worst price, a number
of matches) that the walk along the other side spends; what comes back is the list of facts, and
what is left. Trades happen at the maker's price; a partly filled maker keeps its place.
"""

from typing import Final

from exchange.core.state import Market, State, User
from exchange.rules.fees import spot_fees
from exchange.rules.limits import MAX_MATCHES_PER_ORDER
from exchange.values.enums import ExpiryReason, OrderStatus, SelfTradePrevention, Side
from exchange.values.events import AnyEvent
from exchange.values.ids import OrderId
from exchange.values.orders.events import IncomingOrder, OrderDone, Traded

# On the path of every order: reading a member off its enum class costs several times a global.
_BID: Final = Side.BID


class Match:
    """What a walk along the other side found.

    `stopped` says what ended it before budget and book did; `priced_out` that orders were left, beyond
    the worst price.
    """

    __slots__ = (
        "base_atoms",
        "events",
        "filled_lots",
        "left_lots",
        "left_quote_atoms",
        "priced_out",
        "quote_atoms",
        "stopped",
    )

    def __init__(self, lots: int, quote_atoms: int) -> None:
        self.events: list[AnyEvent] = []
        self.filled_lots = 0
        self.base_atoms = 0
        self.quote_atoms = 0
        # A budget is open until a price says how many lots it covers.
        self.left_lots = lots or 1
        self.left_quote_atoms = quote_atoms
        self.stopped: ExpiryReason | None = None
        self.priced_out = False


def crosses(market: Market, side: Side, price_ticks: int) -> bool:
    """Whether a limit order at this price would trade at once."""
    if side is _BID:
        best = market.asks.best()
        return best is not None and price_ticks >= best
    best = market.bids.best()
    return best is not None and price_ticks <= best


def match(
    state: State, market: Market, taker: User, order: IncomingOrder, order_id: OrderId, worst_price_ticks: int
) -> Match:
    """Walk the other side from the touch to `worst_price_ticks`.

    A budget in quote atoms (`order.quote_atoms`) buys or sells as many lots at each price as it
    covers, and ends when it covers no lot more.
    """
    found = Match(order.lots, order.quote_atoms)
    events = found.events
    spec = market.spec
    by_quote = not order.lots
    bid = order.side is _BID
    opposite = market.asks if bid else market.bids
    worst_key = worst_price_ticks * opposite.sign
    prevention = order.self_trade_prevention
    taker_ppm = state.fee_tiers[taker.tier].spot_taker_ppm
    trade_id = market.trade_id
    matches = 0
    for level in opposite.best_first():
        price = level.price_ticks
        if price * opposite.sign < worst_key:
            found.priced_out = True
            break
        lot_quote_atoms = price * spec.quote_atoms_per_tick_lot
        maker = level.first
        while maker is not None:
            if by_quote:
                found.left_lots = found.left_quote_atoms // lot_quote_atoms
            if not found.left_lots:
                return found
            if matches == MAX_MATCHES_PER_ORDER:
                found.stopped = ExpiryReason.INSUFFICIENT_LIQUIDITY
                return found
            matches += 1
            if maker.account.user is taker:
                if prevention is not SelfTradePrevention.REJECT_TAKER:
                    events.append(
                        OrderDone(
                            order_id=maker.order_id,
                            account=maker.account.account_id,
                            market=market.symbol,
                            side=maker.side,
                            status=OrderStatus.EXPIRED,
                            price_ticks=price,
                            left_lots=maker.left_lots,
                            released_atoms=maker.reserved_atoms,
                            expiry_reason=ExpiryReason.SELF_TRADE_PREVENTION,
                        )
                    )
                if prevention is not SelfTradePrevention.REJECT_MAKER:
                    found.stopped = ExpiryReason.SELF_TRADE_PREVENTION
                    return found
                maker = maker.next
                continue
            lots = min(found.left_lots, maker.left_lots)
            base_atoms = lots * spec.base_atoms_per_lot
            quote_atoms = lots * lot_quote_atoms
            maker_ppm = state.fee_tiers[maker.account.user.tier].spot_maker_ppm
            taker_fee_atoms, maker_fee_atoms = spot_fees(bid, base_atoms, quote_atoms, taker_ppm, maker_ppm)
            trade_id += 1
            events.append(
                Traded(
                    market.symbol,
                    trade_id,
                    price,
                    lots,
                    base_atoms,
                    quote_atoms,
                    order.side,
                    order_id,
                    order.account,
                    taker_fee_atoms,
                    maker.order_id,
                    maker.account.account_id,
                    maker_fee_atoms,
                    maker.left_lots - lots,
                )
            )
            found.filled_lots += lots
            found.left_lots -= lots
            found.base_atoms += base_atoms
            found.quote_atoms += quote_atoms
            if by_quote:
                found.left_quote_atoms -= quote_atoms
            maker = maker.next
    return found
