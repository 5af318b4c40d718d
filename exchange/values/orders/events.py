"""What becomes of orders."""

from exchange.values.base import Event
from exchange.values.enums import (
    CancelReason,
    ExpiryReason,
    OrderStatus,
    OrderType,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from exchange.values.ids import AccountId, OrderId
from exchange.values.orders.commands import PlaceOrder


class OrderPlaced(Event, frozen=True):
    """An order came in that no client's command holds: a trigger fired, say. What became of it stands behind this.

    Its fields are those of `PlaceOrder`. A record brings at most one order, since deciding reads the state before the
    record; the order's id is the record's (`ids.id_at`), and where it came from is the record's command.
    """

    account: AccountId
    market: str
    side: Side
    order_type: OrderType = OrderType.LIMIT
    price_ticks: int = 0
    lots: int = 0
    quote_atoms: int = 0
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.REJECT_TAKER
    client_id: int | None = None
    slippage_ticks: int | None = None
    slippage_ppm: int | None = None
    cancel_at_close: bool = False


#: The terms of an order that comes in, whoever brought it: what is checked, matched and shown.
#: `record.placed_order` finds them in a record.
IncomingOrder = PlaceOrder | OrderPlaced


class OrderRested(Event, frozen=True):
    """An order, or what its fills left of it, joined the back of its price level.

    `reserved_atoms` (base for an Ask, quote for a Bid) moved from available to locked.
    """

    order_id: OrderId
    account: AccountId
    market: str
    side: Side
    price_ticks: int
    lots: int
    left_lots: int
    reserved_atoms: int
    filled_quote_atoms: int = 0
    post_only: bool = False
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.REJECT_TAKER
    client_id: int | None = None
    cancel_at_close: bool = False


class Traded(Event, frozen=True):
    """Taker and maker exchanged base for quote at the maker's price; both paid their fee out of what they received.

    The buyer pays `quote_atoms` and receives `base_atoms`, the seller the reverse. The maker pays
    from its reserve, the taker from its available balance. A maker with `maker_left_lots` 0 has left the book, Filled.
    """

    market: str
    trade_id: int
    price_ticks: int
    lots: int
    base_atoms: int
    quote_atoms: int
    taker_side: Side
    taker_order_id: OrderId
    taker_account: AccountId
    taker_fee_atoms: int
    maker_order_id: OrderId
    maker_account: AccountId
    maker_fee_atoms: int
    maker_left_lots: int


class OrderDone(Event, frozen=True):
    """An order ended other than as a maker filled to its last lot.

    A resting one leaves the book and `released_atoms` go from locked to available; one that never
    rested (`resting` False: a taker) releases nothing, and its `client_id` stands here alone. `declared`: the venue's
    own doing, announced beforehand, which does not void evidence of the books.
    """

    order_id: OrderId
    account: AccountId
    market: str
    side: Side
    status: OrderStatus
    price_ticks: int = 0
    left_lots: int = 0
    released_atoms: int = 0
    resting: bool = True
    expiry_reason: ExpiryReason | None = None
    cancel_reason: CancelReason | None = None
    declared: bool = False
    client_id: int | None = None


class CancelAllAfterSet(Event, frozen=True):
    """The dead-man's switch of an account now fires at `deadline_us` on the timers' clock; 0: off."""

    account: AccountId
    deadline_us: int


class CancelOnDisconnectSet(Event, frozen=True):
    account: AccountId
    session: str
    armed: bool


Events = OrderPlaced | OrderRested | Traded | OrderDone | CancelAllAfterSet | CancelOnDisconnectSet
