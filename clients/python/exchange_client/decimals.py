"""How values are written in requests."""

from decimal import Decimal

Scalar = str | int | bool


def plain(number: Decimal | int) -> str:
    """A number without an exponent, which the exchange doesn't read."""
    return format(number, "f") if isinstance(number, Decimal) else str(number)


def text(value: Scalar) -> str:
    """A value as it stands in a query and in the signed text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def floor_to(number: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` (a market's tick or step size) not above a `number` of at least 0."""
    return number // step * step
