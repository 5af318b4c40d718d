"""Decimal text and whole numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.values.numbers import (
    MAX_ATOMS,
    NotADecimal,
    Rounding,
    TooLarge,
    TooManyDecimals,
    divide,
    format_decimal,
    parse_decimal,
)


@given(st.integers(0, MAX_ATOMS), st.integers(0, 18))
def test_what_is_written_reads_back(value: int, decimals: int) -> None:
    assert parse_decimal(format_decimal(value, decimals), decimals) == value


@pytest.mark.parametrize(
    ("text", "decimals", "value"),
    [("1.25", 2, 125), ("1.5", 2, 150), ("1.500", 2, 150), ("0", 6, 0), ("007", 0, 7), ("3.000000000000000000", 0, 3)],
)
def test_reads(text: str, decimals: int, value: int) -> None:
    assert parse_decimal(text, decimals) == value


@pytest.mark.parametrize(
    "text",
    ["", " ", "-1", "+1", "1e3", "NaN", "Infinity", "1.", ".5", "1,5", "0x10", "1_000", "1 ", "\u0661", "9" * 41],
)
def test_refuses_what_is_no_plain_decimal(text: str) -> None:
    with pytest.raises(NotADecimal):
        parse_decimal(text, 2)


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(TooManyDecimals):
        parse_decimal("1.001", 2)
    with pytest.raises(TooLarge):
        parse_decimal(str(MAX_ATOMS + 1), 0)


@pytest.mark.parametrize(
    ("value", "decimals", "text"), [(-125, 2, "-1.25"), (0, 2, "0"), (100, 2, "1"), (5, 3, "0.005")]
)
def test_writes_the_shortest_exact_text(value: int, decimals: int, text: str) -> None:
    assert format_decimal(value, decimals) == text


def test_rounding_is_named() -> None:
    assert divide(7, 2, Rounding.DOWN) == 3
    assert divide(7, 2, Rounding.UP) == 4
    assert divide(8, 2, Rounding.UP) == 4
