"""What a trader sees, as tables.

Each scenario is a list of lines `who what | outcome`, and the balances and book it ends with.
Prices are in USDC, quantities in SOL; fees are zero unless the scenario says otherwise. Orders:

    alice buys 2 @ 100            limit, GTC; further words: ioc, fok, post, id=7, maker / both (self-trade)
    bob sells 1.5 market          by quantity; `buys market for 150` by what it costs
    alice cancels #1              the first order she placed; `cancels id=7`; `cancels all`

Outcomes: `rests`, `rests 0.5 of 2`, `fills 2 for 200`, `fills 1 for 100, rests 1`,
`fills 1 for 100, ends ImmediateOrCancel`, `ends FillOrKill`, `done` or a refusal's code.
"""

import re

import pytest

from exchange.core.digest import digest
from exchange.values.accounts.commands import SetUserTier
from exchange.values.commands import AnyCommand
from exchange.values.enums import OrderStatus, SelfTradePrevention, Side, TimeInForce
from exchange.values.ids import AccountId, OrderId, id_at, user_of
from exchange.values.numbers import format_decimal, parse_decimal
from exchange.values.orders.events import OrderDone, OrderRested, Traded
from exchange.values.process.events import Refused
from tests.venue import ADMIN, Venue, refold

START = {"SOL": 100 * 10**9, "USDC": 100_000 * 10**6}

SCENARIOS = {
    "the best price trades first, then the earlier order": (
        """
        alice sells 1 @ 101          | rests
        bob   sells 1 @ 100          | rests
        carol sells 1 @ 100          | rests
        dave  buys 2.5 @ 101         | fills 2.5 for 250.5
        """,
        {"alice": "SOL 99 + 0.5, USDC 100050.5", "bob": "SOL 99, USDC 100100", "carol": "SOL 99, USDC 100100"},
        "asks 101 x 0.5",
    ),
    "a partly filled order keeps its place": (
        """
        alice sells 2 @ 100          | rests
        bob   sells 2 @ 100          | rests
        dave  buys 1 @ 100           | fills 1 for 100
        dave  buys 1.5 @ 100         | fills 1.5 for 150
        """,
        {"alice": "SOL 98, USDC 100200", "bob": "SOL 98 + 1.5, USDC 100050"},
        "asks 100 x 1.5",
    ),
    "a taker pays the maker's price, and rests at its own": (
        """
        alice sells 1 @ 100          | rests
        bob   buys 3 @ 102           | fills 1 for 100, rests 2
        """,
        {"bob": "SOL 101, USDC 99696 + 204"},
        "bids 102 x 2",
    ),
    "cancelling gives back exactly what was reserved": (
        """
        alice buys 3 @ 99.99         | rests
        bob   sells 1 @ 99.99        | fills 1 for 99.99
        alice cancels #1             | done
        alice cancels #1             | RESOURCE_NOT_FOUND
        """,
        {"alice": "SOL 101, USDC 99900.01", "bob": "SOL 99, USDC 100099.99"},
        "",
    ),
    "IOC takes what is there and leaves nothing": (
        """
        alice sells 1 @ 100          | rests
        bob   buys 3 @ 100 ioc       | fills 1 for 100, ends ImmediateOrCancel
        bob   buys 3 @ 100 ioc       | ends ImmediateOrCancel
        """,
        {"bob": "SOL 101, USDC 99900"},
        "",
    ),
    "FOK takes all or nothing": (
        """
        alice sells 1 @ 100          | rests
        alice sells 1 @ 101          | rests
        bob   buys 3 @ 101 fok       | ends FillOrKill
        bob   buys 2 @ 101 fok       | fills 2 for 201
        bob   buys 1 @ 90 fok        | ends FillOrKill
        """,
        {"bob": "SOL 102, USDC 99799", "alice": "SOL 98, USDC 100201"},
        "",
    ),
    "post-only rests or is refused": (
        """
        alice sells 1 @ 100 post     | rests
        bob   buys 1 @ 100 post      | INVALID_ORDER
        bob   buys 1 @ 99.99 post    | rests
        bob   buys 1 @ 99 post ioc   | INVALID_CLIENT_REQUEST
        """,
        {"bob": "SOL 100, USDC 99900.01 + 99.99"},
        "asks 100 x 1, bids 99.99 x 1",
    ),
    "a market order by quantity walks the book": (
        """
        alice sells 1 @ 100          | rests
        alice sells 1 @ 101          | rests
        bob   buys 1.5 market        | fills 1.5 for 150.5
        bob   buys 5 market          | fills 0.5 for 50.5, ends InsufficientLiquidity
        bob   buys 1 market          | ends InsufficientLiquidity
        """,
        {"bob": "SOL 102, USDC 99799"},
        "",
    ),
    "a market order by cost buys what the money covers": (
        """
        alice sells 1 @ 100          | rests
        alice sells 1 @ 101          | rests
        bob   buys market for 150    | fills 1.49 for 149.49
        bob   buys market for 1      | INVALID_CLIENT_REQUEST
        bob   buys market for 999    | fills 0.51 for 51.51, ends InsufficientLiquidity
        """,
        {"bob": "SOL 102, USDC 99799"},
        "",
    ),
    "a market sale by proceeds": (
        """
        alice buys 2 @ 100           | rests
        bob   sells market for 150   | fills 1.5 for 150
        """,
        {"bob": "SOL 98.5, USDC 100150"},
        "bids 100 x 0.5",
    ),
    "a market order does not walk beyond the impact bound": (
        """
        alice sells 1 @ 100          | rests
        alice sells 1 @ 105          | rests
        alice sells 1 @ 105.01       | rests
        bob   buys 3 market          | fills 2 for 205, ends PriceImpact
        """,
        {"bob": "SOL 102, USDC 99795"},
        "asks 105.01 x 1",
    ),
    "a market order's own slippage bound": (
        """
        alice sells 1 @ 100          | rests
        alice sells 1 @ 100.02       | rests
        bob   buys 2 market slip=1   | fills 1 for 100, ends SlippageToleranceExceeded
        bob   buys 2 market slip%=0  | fills 1 for 100.02, ends InsufficientLiquidity
        """,
        {"bob": "SOL 102, USDC 99799.98"},
        "",
    ),
    "one's own orders: the taker ends": (
        """
        alice sells 1 @ 101          | rests
        bob   sells 1 @ 100          | rests
        alice buys 2 @ 101           | fills 1 for 100, ends SelfTradePrevention
        """,
        {"alice": "SOL 100 + 1, USDC 99900"},
        "asks 101 x 1",
    ),
    "one's own orders: the maker ends": (
        """
        alice sells 1 @ 100          | rests
        bob   sells 1 @ 101          | rests
        alice buys 2 @ 101 maker     | fills 1 for 101, rests 1
        """,
        {"alice": "SOL 101, USDC 99798 + 101"},
        "bids 101 x 1",
    ),
    "one's own orders: both end": (
        """
        alice sells 1 @ 100          | rests
        alice buys 2 @ 101 both      | ends SelfTradePrevention
        """,
        {"alice": "SOL 100, USDC 100000"},
        "",
    ),
    "one's own orders meet across sub-accounts too": (
        """
        alice  sells 1 @ 100         | rests
        alice2 buys 1 @ 100          | ends SelfTradePrevention
        """,
        {"alice": "SOL 99 + 1, USDC 100000", "alice2": "SOL 100, USDC 100000"},
        "asks 100 x 1",
    ),
    "a client id is taken by an open order, and for a while by one that has ended": (
        """
        alice buys 1 @ 99 id=7       | rests
        alice buys 1 @ 98 id=7       | INVALID_CLIENT_REQUEST
        bob   buys 1 @ 98 id=7       | rests
        alice cancels id=7           | done
        alice buys 1 @ 97 id=7       | INVALID_CLIENT_REQUEST
        alice cancels id=7           | RESOURCE_NOT_FOUND
        alice buys 1 @ 97 id=8       | rests
        """,
        {"alice": "SOL 100, USDC 99903 + 97"},
        "bids 98 x 1, 97 x 1",
    ),
    "cancel all takes only one's own": (
        """
        alice buys 1 @ 99            | rests
        alice sells 1 @ 101          | rests
        bob   buys 1 @ 98            | rests
        alice cancels all            | done
        alice cancels all            | done
        bob   cancels #1             | done
        """,
        {"alice": "SOL 100, USDC 100000", "bob": "SOL 100, USDC 100000"},
        "",
    ),
    "nobody spends what they do not have": (
        """
        alice buys 1000 @ 100.01     | INSUFFICIENT_FUNDS
        alice buys 1000 @ 100        | rests
        alice buys 0.01 @ 80         | INSUFFICIENT_FUNDS
        bob   sells 100.01 @ 101     | INSUFFICIENT_FUNDS
        bob   sells 100.01 market    | INSUFFICIENT_FUNDS
        bob   sells 100 market       | fills 100 for 10000
        """,
        {"alice": "SOL 200, USDC 0 + 90000", "bob": "SOL 0, USDC 110000"},
        "bids 100 x 900",
    ),
    "a market buy that costs more than one has is refused whole": (
        """
        alice sells 100 @ 110        | rests
        bob   sells 100 @ 110        | rests
        carol sells 100 @ 110        | rests
        dave  sells 100 @ 110        | rests
        alice2 sells 100 @ 110       | rests
        carol buys 400 market        | fills 200 for 22000, ends SelfTradePrevention
        eve   buys 300 market        | fills 300 for 33000
        """,
        {"eve": "SOL 400, USDC 67000"},
        "",
    ),
    "prices far from the last one are refused": (
        """
        alice buys 1 @ 75            | rests
        alice buys 1 @ 74.99         | INVALID_PRICE
        alice sells 1 @ 125          | rests
        alice sells 1 @ 125.01       | INVALID_PRICE
        bob   sells 1 @ 75           | fills 1 for 75
        bob   buys 1 @ 93.75         | rests
        bob   buys 1 @ 93.76         | INVALID_PRICE
        """,
        {},
        "asks 125 x 1, bids 93.75 x 1",
    ),
    "fees come out of what is received, rounded up": (
        """
        fees on
        alice sells 0.01 @ 100.01    | rests
        bob   buys 0.01 @ 100.01     | fills 0.01 for 1.0001
        """,
        # 8 bps of 1.0001 USDC is 0.00080008: one atom more than 0.0008; 10 bps of 0.01 SOL is exact.
        {"alice": "SOL 99.99, USDC 100000.999299", "bob": "SOL 100.00999, USDC 99998.9999"},
        "",
    ),
}

_ORDER = re.compile(
    r"(?P<verb>buys|sells)(?: (?P<lots>[\d.]+))?(?: @ (?P<price>[\d.]+))?"
    r"(?P<market> market)?(?: for (?P<cost>[\d.]+))?(?P<words>.*)"
)
_STP = {"maker": SelfTradePrevention.REJECT_MAKER, "both": SelfTradePrevention.REJECT_BOTH}
_TIF = {"ioc": TimeInForce.IOC, "fok": TimeInForce.FOK}


class Stage:
    """Traders by name, each with the same start, on one venue."""

    def __init__(self) -> None:
        self.venue = Venue().open()
        self.accounts: dict[str, AccountId] = {}
        self.placed: dict[str, list[OrderId]] = {}
        for name in ("alice", "bob", "carol", "dave", "eve"):
            self.accounts[name] = self.venue.account(START)
        self.accounts["alice2"] = self.venue.account(START, self.accounts["alice"], 2)
        self.fees(tier=1)

    def fees(self, tier: int) -> None:
        for account in self.accounts.values():
            self.venue.expect(SetUserTier(ADMIN, user_of(account), tier, "test"))

    def play(self, line: str) -> None:
        if line == "fees on":
            self.fees(tier=0)
            return
        said, _, outcome = line.partition("|")
        who, what = said.split(maxsplit=1)
        before = digest(self.venue.state)
        seen = self.outcome(self.command(who, what.strip()))
        assert seen == outcome.strip(), line
        if outcome.strip().isupper():
            # Refused: nothing but the count of records has changed.
            refusal = self.venue.records[-1]
            undone = refold(self.venue.records[:-1])
            assert digest(undone) == before
            undone.seq, undone.time_us = refusal.seq, refusal.time_us
            assert digest(undone) == digest(self.venue.state)
        self.venue.check()

    def command(self, who: str, what: str) -> AnyCommand:
        account, venue = self.accounts[who], self.venue
        if what.startswith("cancels"):
            name = what.split()[1]
            if name == "all":
                return venue.cancel_all(account)
            if name.startswith("id="):
                return venue.cancel_client_id(account, int(name[3:]))
            return venue.cancel(account, self.placed[who][int(name[1:]) - 1])
        match = _ORDER.fullmatch(what)
        assert match, what
        self.placed.setdefault(who, []).append(OrderId(id_at(venue.state.seq + 1)))
        words = match["words"].split()
        side = Side.BID if match["verb"] == "buys" else Side.ASK
        lots = parse_decimal(match["lots"] or "0", 2)
        named = dict(word.split("=") for word in words if "=" in word)
        stp = next((_STP[word] for word in words if word in _STP), SelfTradePrevention.REJECT_TAKER)
        if match["market"]:
            cost = parse_decimal(match["cost"] or "0", 6)
            slip, slip_ppm = named.get("slip"), named.get("slip%")
            return venue.market(
                account,
                side,
                lots,
                cost,
                stp,
                slippage_ticks=None if slip is None else int(slip),
                slippage_ppm=None if slip_ppm is None else int(slip_ppm) * 10_000,
            )
        client_id = int(named["id"]) if "id" in named else None
        tif = next((_TIF[word] for word in words if word in _TIF), TimeInForce.GTC)
        price = parse_decimal(match["price"], 2)
        return venue.limit(account, side, price, lots, tif, "post" in words, client_id, stp)

    def outcome(self, command: AnyCommand) -> str:
        events = self.venue.do(command)
        order_id = id_at(self.venue.state.seq)
        lots = sum(event.lots for event in events if isinstance(event, Traded))
        quote = sum(event.quote_atoms for event in events if isinstance(event, Traded))
        said = [f"fills {format_decimal(lots, 2)} for {format_decimal(quote, 6)}"] if lots else []
        for event in events:
            if isinstance(event, Refused):
                return event.code
            if isinstance(event, OrderRested):
                said.append(f"rests {format_decimal(event.left_lots, 2)}" if lots else "rests")
            if isinstance(event, OrderDone) and event.order_id == order_id and event.status is OrderStatus.EXPIRED:
                said.append(f"ends {event.expiry_reason}")
        return ", ".join(said) or "done"

    def holdings(self, who: str) -> str:
        said = []
        for asset, decimals in (("SOL", 9), ("USDC", 6)):
            available, locked = self.venue.balance(self.accounts[who], asset)
            text = f"{asset} {format_decimal(available, decimals)}"
            said.append(text + (f" + {format_decimal(locked, decimals)}" if locked else ""))
        return ", ".join(said)

    def book(self) -> str:
        market = self.venue.state.markets["SOL_USDC"]
        said = []
        for name, side in (("asks", market.asks), ("bids", market.bids)):
            levels = [
                f"{format_decimal(level.price_ticks, 2)} x {format_decimal(level.lots, 2)}"
                for level in side.best_first()
            ]
            if levels:
                said.append(f"{name} {', '.join(levels)}")
        return ", ".join(said)


@pytest.mark.parametrize("title", SCENARIOS)
def test_scenario(title: str) -> None:
    lines, holdings, book = SCENARIOS[title]
    stage = Stage()
    for line in lines.strip().splitlines():
        stage.play(line.strip())
    assert {who: stage.holdings(who) for who in holdings} == holdings
    assert stage.book() == book
    assert digest(refold(stage.venue.records)) == digest(stage.venue.state)
