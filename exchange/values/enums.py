"""Closed sets of words. A member's value is its spelling in the journal and, where the wire
protocol has the word too, on the wire."""

from enum import StrEnum, unique


@unique
class Side(StrEnum):
    BID = "Bid"
    ASK = "Ask"


@unique
class OrderType(StrEnum):
    LIMIT = "Limit"
    MARKET = "Market"


@unique
class TimeInForce(StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


@unique
class SelfTradePrevention(StrEnum):
    """Which order ends when two orders of one user would trade with each other."""

    REJECT_TAKER = "RejectTaker"
    REJECT_MAKER = "RejectMaker"
    REJECT_BOTH = "RejectBoth"


@unique
class OrderStatus(StrEnum):
    NEW = "New"
    PARTIALLY_FILLED = "PartiallyFilled"
    FILLED = "Filled"
    CANCELLED = "Cancelled"
    EXPIRED = "Expired"


@unique
class ExpiryReason(StrEnum):
    """Why the engine ended an order (wire enum OrderExpiryReason; those that spot can meet)."""

    IMMEDIATE_OR_CANCEL = "ImmediateOrCancel"
    FILL_OR_KILL = "FillOrKill"
    INSUFFICIENT_LIQUIDITY = "InsufficientLiquidity"
    PRICE_IMPACT = "PriceImpact"
    SELF_TRADE_PREVENTION = "SelfTradePrevention"
    SLIPPAGE_TOLERANCE_EXCEEDED = "SlippageToleranceExceeded"


@unique
class CancelReason(StrEnum):
    """Why an order was cancelled. The user's own request is told apart from ours in their history."""

    USER = "User"
    CANCEL_ALL_AFTER = "CancelAllAfter"
    DISCONNECT = "Disconnect"
    MARKET_CLOSED = "MarketClosed"
    ADMIN = "Admin"


@unique
class AssetKind(StrEnum):
    """What a balance of an asset is. Only coins have a name on the wire; `listings.specs.symbol_of` names the others.

    Debt, claim and committed belong to a pool, contract and cost to a market, the rest to a coin.
    """

    COIN = "coin"
    #: Shares of what a pool's borrowers owe: below zero with who owes.
    DEBT = "debt"
    #: Shares of what belongs to a pool's lenders.
    CLAIM = "claim"
    #: Lots of a perpetual: above zero is long, below is short.
    CONTRACT = "contract"
    #: What open contracts have cost, its sign that of the lots.
    COST = "cost"
    #: What was won or lost and is not settled in coins yet.
    UNSETTLED = "unsettled"
    #: Coins on their way out.
    WITHDRAWAL = "withdrawal"
    #: Coins that came in and await a decision about whose they are.
    SUSPENSE = "suspense"
    #: What an accepted order may still borrow from a pool.
    COMMITTED = "committed"


@unique
class Holder(StrEnum):
    """Whose an account is, as far as the books treat accounts apart (`money.holdings`)."""

    USER = "user"
    #: The venue's own: fees, insurance and the like.
    VENUE = "venue"
    #: The outside world, with the sign turned.
    CUSTODY = "custody"
    #: In between: the other side of what users hold, and what is nobody's yet.
    CLEARING = "clearing"


@unique
class MarketKind(StrEnum):
    SPOT = "SPOT"


@unique
class Mode(StrEnum):
    """What a market, or the whole venue, takes. `rules.modes` says what each permits."""

    OFFLINE = "OFFLINE"
    CANCEL_ONLY = "CANCEL_ONLY"
    POST_ONLY = "POST_ONLY"
    LIMIT_ONLY = "LIMIT_ONLY"
    FULL = "FULL"


@unique
class Action(StrEnum):
    """What a command wants of a market; the rows of the mode table."""

    QUERY = "query"
    CANCEL = "cancel"
    REST = "rest"
    TAKE_LIMIT = "take_limit"
    TAKE_MARKET = "take_market"
    TRIGGER_PLACE = "trigger_place"
    TRIGGER_FIRE = "trigger_fire"
    DEPOSIT = "deposit"
    WITHDRAW = "withdraw"
    BORROW = "borrow"
    PRICE_UPDATE = "price_update"


@unique
class Pause(StrEnum):
    """Switches beside the modes, each with a public reason. There is one only for what the venue does."""

    DEPOSITS = "deposits"
    NEW_ACCOUNTS = "new_accounts"


@unique
class Role(StrEnum):
    """What an admin may do. One person may hold several; nobody confirms their own request."""

    OPERATOR = "operator"
    APPROVER = "approver"
    TREASURER = "treasurer"
    SUPPORT = "support"
    AUDITOR = "auditor"


@unique
class ProposalEnd(StrEnum):
    """How the wait for a second person ended."""

    CONFIRMED = "confirmed"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    #: Whoever proposed it may not any more.
    VOID = "void"


@unique
class Scope(StrEnum):
    """What an API key may do."""

    READ = "read"
    TRADE = "trade"
    WITHDRAW = "withdraw"


@unique
class Bucket(StrEnum):
    """Where in an account an amount stands."""

    AVAILABLE = "available"
    LOCKED = "locked"
