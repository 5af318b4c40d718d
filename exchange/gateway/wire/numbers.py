"""Decimal text on the wire to ticks, lots and atoms, and back.

A market's tick and step fix how many decimals a price and a quantity may have; text that doesn't
fit exactly is refused, never rounded.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, Final

import msgspec

from exchange.gateway.wire.errors import invalid
from exchange.values.listings.specs import MarketSpec
from exchange.values.numbers import (
    MAX_DECIMALS,
    NotADecimal,
    TooLarge,
    TooManyDecimals,
    format_decimal,
    parse_decimal,
    without_exponent,
)
from exchange.values.refusals import Code, Refusal

#: Texts of recent prices, quantities and amounts that are kept; they repeat on every book and stream.
TEXTS_KEPT: Final = 65_536
#: A longer text is read anew each time, so that what is kept stays small.
LONGEST_KEPT: Final = 24

#: A decimal in a payload: JSON text or number, kept as the client wrote it (that text is what was signed).
WireDecimal = Annotated[
    msgspec.Raw,
    msgspec.Meta(extra_json_schema={"type": ["string", "number", "null"], "format": "decimal"}),
]
_NULL: Final = msgspec.Raw(b"null")

# On the path of every order: reading a member off its enum class costs several times a global.
_INVALID_PRICE: Final = Code.INVALID_PRICE
_INVALID_QUANTITY: Final = Code.INVALID_QUANTITY

_text = lru_cache(maxsize=TEXTS_KEPT)(format_decimal)


def absent() -> msgspec.Raw:
    """Default of a `WireDecimal` field; an explicit null means the same."""
    return _NULL


def decimal_text(raw: msgspec.Raw) -> str | None:
    """The text of a `WireDecimal`; None when it is absent. What is neither text nor number is no decimal later on.

    A JSON number may have an exponent, which is how some languages print a small one; text is plain digits.
    """
    if raw is _NULL:
        return None
    text = bytes(raw).decode("utf-8", "replace")
    if text[:1] == '"' and "\\" not in text:
        return text[1:-1]
    if text == "null":
        return None
    return without_exponent(text) if "e" in text or "E" in text else text


@lru_cache(maxsize=1_024)
def _scale(size_e9: int) -> tuple[int, int]:
    """A tick or step as (decimals, units): 0.05 is 5 units at 2 decimals."""
    decimals = MAX_DECIMALS
    while decimals and size_e9 % 10 == 0:
        size_e9 //= 10
        decimals -= 1
    return decimals, size_e9


def _count(text: str, size_e9: int, name: str, code: Code) -> int | Refusal:
    count = _recent_count if len(text) <= LONGEST_KEPT else _new_count
    return count(text, size_e9, name, code)


def _new_count(text: str, size_e9: int, name: str, code: Code) -> int | Refusal:
    decimals, units = _scale(size_e9)
    try:
        count, rest = divmod(parse_decimal(text, decimals), units)
    except NotADecimal:
        return invalid(
            f'parse request payload error: failed to parse "string_decimal": Invalid decimal ({name.lower()})'
        )
    except TooManyDecimals:
        return invalid(f"{name} decimal too long")
    except TooLarge:
        return Refusal(code, f"{name} is above the maximum allowed value")
    if rest:
        return Refusal(code, f"{name} must be a multiple of {format_decimal(units, decimals)}")
    if not count:
        return invalid(f"{name} is below the minimum allowed value")
    return count


# Traders send the same few prices and quantities again and again.
_recent_count = lru_cache(maxsize=TEXTS_KEPT)(_new_count)


def price_ticks(text: str, spec: MarketSpec) -> int | Refusal:
    """A price above zero, in ticks."""
    return _count(text, spec.tick_e9, "Price", _INVALID_PRICE)


def quantity_lots(text: str, spec: MarketSpec) -> int | Refusal:
    """A quantity above zero, in lots."""
    return _count(text, spec.step_e9, "Quantity", _INVALID_QUANTITY)


def quote_quantity_atoms(text: str, spec: MarketSpec) -> int | Refusal:
    """An amount above zero of a market's quote asset, in atoms."""
    return _count(text, 10 ** (MAX_DECIMALS - spec.quote_decimals), "Quote quantity", _INVALID_QUANTITY)


def price_text(ticks: int, spec: MarketSpec) -> str:
    decimals, units = _scale(spec.tick_e9)
    return _text(ticks * units, decimals)


def quantity_text(lots: int, spec: MarketSpec) -> str:
    decimals, units = _scale(spec.step_e9)
    return _text(lots * units, decimals)


def level_texts(levels: Iterable[tuple[int, int]], spec: MarketSpec) -> list[tuple[str, str]]:
    """`(price_ticks, lots)` of many levels, as price and quantity."""
    price_decimals, tick_units = _scale(spec.tick_e9)
    quantity_decimals, step_units = _scale(spec.step_e9)
    return [
        (_text(ticks * tick_units, price_decimals), _text(lots * step_units, quantity_decimals))
        for ticks, lots in levels
    ]


def amount_text(atoms: int, decimals: int) -> str:
    return _text(atoms, decimals)
