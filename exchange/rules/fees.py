"""Trading fees."""

from exchange.values.numbers import PPM


def spot_fees(taker_buys: bool, base_atoms: int, quote_atoms: int, taker_ppm: int, maker_ppm: int) -> tuple[int, int]:
    """Taker's and maker's fee on one fill: the buyer's in atoms of base, the seller's of quote."""
    if taker_buys:
        return trading_fee(base_atoms, taker_ppm), trading_fee(quote_atoms, maker_ppm)
    return trading_fee(quote_atoms, taker_ppm), trading_fee(base_atoms, maker_ppm)


def trading_fee(received_atoms: int, fee_ppm: int) -> int:
    """The fee on one fill, in atoms of the asset the user receives.

    received x rate, rounded up (against the user, so never an atom out of nothing), and never more
    than what is received: a fee is taken out of the proceeds and needs no reserve of its own.
    """
    # `divide(..., Rounding.UP)`, written out: it is asked twice for every fill.
    return -(-received_atoms * fee_ppm // PPM)
