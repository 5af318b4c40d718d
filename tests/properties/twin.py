"""The slow, obvious exchange: one list of orders, one dict of balances, no index, no reserve kept.

It shares no code with the core beyond the vocabulary, and answers the same facts.
"""

from fractions import Fraction
from math import ceil

from exchange.values.enums import OrderType, SelfTradePrevention, Side, TimeInForce
from exchange.values.orders.commands import PlaceOrder

Fill = tuple[int, int, int]  # (maker order id, price in ticks, lots)


class Resting:
    def __init__(self, order_id: int, user: int, account: int, side: Side, price: int, lots: int) -> None:
        self.order_id = order_id
        self.user = user
        self.account = account
        self.side = side
        self.price = price
        self.lots = lots


class Twin:
    """Orders in order of arrival, and what each account's total holdings are (available and locked together)."""

    def __init__(self, base_per_lot: int, quote_per_tick_lot: int) -> None:
        self.base_per_lot = base_per_lot
        self.quote_per_tick_lot = quote_per_tick_lot
        self.orders: list[Resting] = []
        self.holdings: dict[tuple[int, str], int] = {}

    def best(self, side: Side) -> Resting | None:
        """The order first in line among those of `side`: by price, then by arrival."""
        sign = -1 if side is Side.BID else 1
        return min((o for o in self.orders if o.side is side), key=lambda o: (sign * o.price, o.order_id), default=None)

    def place(
        self, order: PlaceOrder, order_id: int, user: int, rates: dict[int, tuple[int, int]]
    ) -> tuple[list[Fill], list[int], int]:
        """Fills, ids of own orders ended by self-trade prevention, and lots left to rest (0: none).

        `rates` are (maker, taker) fees in ppm by account. The order is one the exchange has accepted.
        """
        saved = [Resting(**vars(o)) for o in self.orders], dict(self.holdings)
        other = Side.ASK if order.side is Side.BID else Side.BID
        fills: list[Fill] = []
        ended: list[int] = []
        left, budget = order.lots, order.quote_atoms
        first = self.best(other)
        stopped = False
        while (maker := self.best(other)) is not None and first is not None:
            if not self._may_trade(order, maker.price, first.price):
                break
            cost = maker.price * self.quote_per_tick_lot
            want = budget // cost if order.quote_atoms else left
            if not want:
                break
            if maker.user == user:
                if order.self_trade_prevention is not SelfTradePrevention.REJECT_TAKER:
                    self.orders.remove(maker)
                    ended.append(maker.order_id)
                if order.self_trade_prevention is not SelfTradePrevention.REJECT_MAKER:
                    stopped = True
                    break
                continue
            lots = min(want, maker.lots)
            self._settle(order, maker, lots, rates)
            fills.append((maker.order_id, maker.price, lots))
            left -= lots
            budget -= lots * cost
            maker.lots -= lots
            if not maker.lots:
                self.orders.remove(maker)
        if order.time_in_force is TimeInForce.FOK and order.lots and left:
            self.orders, self.holdings = saved
            return [], [], 0
        rests = order.order_type is OrderType.LIMIT and order.time_in_force is TimeInForce.GTC and not stopped
        if rests and left:
            self.orders.append(Resting(order_id, user, order.account, order.side, order.price_ticks, left))
            return fills, ended, left
        return fills, ended, 0

    def _may_trade(self, order: PlaceOrder, price: int, touch: int) -> bool:
        bid = order.side is Side.BID
        if order.order_type is OrderType.LIMIT:
            worst = Fraction(order.price_ticks)
        else:
            worst = Fraction(touch) * (Fraction(105, 100) if bid else Fraction(95, 100))
            if order.slippage_ticks is not None:
                own = Fraction(touch + order.slippage_ticks if bid else touch - order.slippage_ticks)
                worst = min(worst, own) if bid else max(worst, own)
        return price <= worst if bid else price >= worst

    def _settle(self, order: PlaceOrder, maker: Resting, lots: int, rates: dict[int, tuple[int, int]]) -> None:
        base, quote = lots * self.base_per_lot, lots * maker.price * self.quote_per_tick_lot
        buyer, seller = (order.account, maker.account) if order.side is Side.BID else (maker.account, order.account)
        buyer_ppm, seller_ppm = rates[buyer], rates[seller]
        taker_buys = order.side is Side.BID
        base_fee = ceil(Fraction(base * buyer_ppm[1 if taker_buys else 0], 10**6))
        quote_fee = ceil(Fraction(quote * seller_ppm[0 if taker_buys else 1], 10**6))
        self._add(buyer, "SOL", base - base_fee)
        self._add(buyer, "USDC", -quote)
        self._add(seller, "SOL", -base)
        self._add(seller, "USDC", quote - quote_fee)
        self._add(2, "SOL", base_fee)
        self._add(2, "USDC", quote_fee)

    def _add(self, account: int, asset: str, atoms: int) -> None:
        self.holdings[(account, asset)] = self.holdings.get((account, asset), 0) + atoms
