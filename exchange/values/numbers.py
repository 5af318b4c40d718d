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

#: Largest exponent, either way, of a number that is read at all; what is beyond it has no place in an amount.
MAX_EXPONENT: Final = 1_000

_MAX_DIGITS: Final = len(str(MAX_ATOMS))
_DECIMAL: Final = re.compile(r"(\d+)(?:\.(\d+))?", re.ASCII)
_SCIENTIFIC: Final = re.compile(r"(\d+)(?:\.(\d+))?[eE]([+-]?)0*(\d{1,4})", re.ASCII)


class NotADecimal(ValueError):
    """The text is not a plain decimal: empty, signed, exponent, NaN, or blank."""


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
    """`"1.25"` at two decimals is 125. Takes time in the length of the text, however it is made up.

    Zeros behind the last allowed decimal are accepted (`"1.500"` at two decimals is 150), as are those in front.

    Raises:
        NotADecimal, TooManyDecimals, TooLarge
    """
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise NotADecimal
    whole, fraction = match.group(1), match.group(2) or ""
    if len(fraction) > decimals:
        fraction = fraction.rstrip("0")
        if len(fraction) > decimals:
            raise TooManyDecimals
    digits = whole + fraction.ljust(decimals, "0")
    if len(digits) > _MAX_DIGITS:
        digits = digits.lstrip("0") or "0"
        if len(digits) > _MAX_DIGITS:  # an int of any length would take its time
            raise TooLarge
    value = int(digits)
    if value > MAX_ATOMS:
        raise TooLarge
    return value


def without_exponent(number: str) -> str:
    """The same number in plain digits: `"3e-05"` is `"0.00003"`; what is no number with an exponent stays as it is.

    One beyond `MAX_EXPONENT` stays too, so the text grows by no more than that.
    """
    match = _SCIENTIFIC.fullmatch(number)
    if match is None or int(match.group(4)) > MAX_EXPONENT:
        return number
    whole, fraction = match.group(1), match.group(2) or ""
    point = len(whole) + int(match.group(3) + match.group(4))
    digits = whole + fraction
    if point <= 0:
        return "0." + "0" * -point + digits
    if point >= len(digits):
        return digits + "0" * (point - len(digits))
    return f"{digits[:point]}.{digits[point:]}"


def format_decimal(value: int, decimals: int) -> str:
    """The shortest exact decimal text: no exponent, no zero behind the last figure."""
    if decimals == 0:
        return str(value)
    sign = "-" if value < 0 else ""
    digits = str(abs(value)).rjust(decimals + 1, "0")
    fraction = digits[-decimals:].rstrip("0")
    whole = digits[:-decimals]
    return f"{sign}{whole}.{fraction}" if fraction else sign + whole
