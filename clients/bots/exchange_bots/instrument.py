"""A market's steps: prices as whole ticks and quantities as whole lots, so that bots count in integers."""

from decimal import ROUND_FLOOR, Decimal

from exchange_client.models import Market


class Instrument:
    """Converts between a market's ticks and lots and the decimals of the wire."""

    def __init__(self, market: Market) -> None:
        self.symbol = market.symbol
        self.base = market.base_symbol
        self.quote = market.quote_symbol
        self._tick = market.filters.price.tick_size
        self._step = market.filters.quantity.step_size
        self.min_lots = max(1, self.lots(market.filters.quantity.min_quantity))
        max_quantity = market.filters.quantity.max_quantity
        self.max_lots = None if max_quantity is None else self.lots(max_quantity)

    def ticks(self, price: Decimal) -> int:
        """Whole ticks of a price, rounded down."""
        return int((price / self._tick).to_integral_value(ROUND_FLOOR))

    def lots(self, quantity: Decimal) -> int:
        """Whole lots of a quantity, rounded down."""
        return int((quantity / self._step).to_integral_value(ROUND_FLOOR))

    def price(self, ticks: int) -> Decimal:
        return ticks * self._tick

    def quantity(self, lots: int) -> Decimal:
        return lots * self._step

    def lots_worth(self, value: Decimal, price_ticks: int) -> int:
        """The allowed quantity nearest below `value` of the quote asset at a price."""
        lots = max(self.min_lots, self.lots(value / self.price(price_ticks)))
        return lots if self.max_lots is None else min(lots, self.max_lots)
