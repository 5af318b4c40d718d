"""Decimal text on the outside, whole numbers on the inside, and nothing in between.

A decimal string becomes an integer at a stated scale, or is refused; no float and no `Decimal`
ever holds money.
"""

import re
from enum import Enum, unique
from typing import Final

#: Balances, prices, quantities and their products stay below this (architecture, section 4).
MAX_ATOMS: Final = 2**62 - 1
#: An asset has at most this many decimals in the ledger.
MAX_DECIMALS: Final = 9
#: Scale of tick and step sizes, and of any decimal that is not tied to an asset.
E9: Final = 10**9
PPM: Final = 10**6

# Long enough for every amount below MAX_ATOMS with nine decimals; anything longer is refused unread.
_MAX_TEXT: Final = 40
_DECIMAL: Final = re.compile(r"(\d{1,20})(?:\.(\d{1,18}))?", re.ASCII)


class NotADecimal(ValueError):
    """The text is not a plain decimal: empty, signed, exponent, NaN, blank, or absurdly long."""


class TooManyDecimals(ValueError):
    """The text has more decimals than the scale holds."""


class TooLarge(ValueError):
    """The value is above MAX_ATOMS at that scale."""


@unique
class Rounding(Enum):
    """Direction of a division; every division of money names one."""

    DOWN = "down"
    UP = "up"


def divide(numerator: int, denominator: int, rounding: Rounding) -> int:
    """`numerator / denominator` as a whole number; both non-negative, `denominator` above zero."""
    if rounding is Rounding.UP:
        return -(-numerator // denominator)
    return numerator // denominator


def parse_decimal(text: str, decimals: int) -> int:
    """`"1.25"` at two decimals is 125.

    Zeros behind the last allowed decimal are accepted (`"1.500"` at two decimals is 150).

    Raises:
        NotADecimal, TooManyDecimals, TooLarge
    """
    if len(text) > _MAX_TEXT:
        raise NotADecimal(text[:_MAX_TEXT])
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise NotADecimal(text)
    whole, fraction = match.group(1), match.group(2) or ""
    if len(fraction) > decimals:
        if fraction[decimals:].strip("0"):
            raise TooManyDecimals(text)
        fraction = fraction[:decimals]
    value = int(whole + fraction.ljust(decimals, "0"))
    if value > MAX_ATOMS:
        raise TooLarge(text)
    return value


def format_decimal(value: int, decimals: int) -> str:
    """The shortest exact decimal text: no exponent, no zero behind the last figure."""
    if decimals == 0:
        return str(value)
    sign = "-" if value < 0 else ""
    digits = str(abs(value)).rjust(decimals + 1, "0")
    fraction = digits[-decimals:].rstrip("0")
    whole = digits[:-decimals]
    return f"{sign}{whole}.{fraction}" if fraction else sign + whole
