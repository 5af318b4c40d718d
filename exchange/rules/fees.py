"""Trading fees."""

from exchange.values.numbers import PPM, Rounding, divide


def trading_fee(received_atoms: int, fee_ppm: int) -> int:
    """The fee on one fill, in atoms of the asset the user receives.

    received x rate, rounded up (against the user, so never an atom out of nothing), and never more
    than what is received: a fee is taken out of the proceeds and needs no reserve of its own.
    """
    return divide(received_atoms * fee_ppm, PPM, Rounding.UP)
