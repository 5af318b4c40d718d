"""Decimal text and whole numbers."""

from decimal import Decimal
from fractions import Fraction

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
    without_exponent,
)

#: What JSON allows a number to look like, with the exponent any language may print.
JSON_NUMBERS = st.from_regex(r"(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)


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
    ["", " ", "-1", "+1", "1e3", "NaN", "Infinity", "1.", ".5", "1,5", "0x10", "1_000", "1 ", "\u0661", "9" * 41 + "x"],
)
def test_refuses_what_is_no_plain_decimal(text: str) -> None:
    with pytest.raises(NotADecimal):
        parse_decimal(text, 2)


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(TooManyDecimals):
        parse_decimal("1.001", 2)
    with pytest.raises(TooLarge):
        parse_decimal(str(MAX_ATOMS + 1), 0)


@given(st.integers(0, MAX_ATOMS), st.integers(0, 18), st.integers(0, 5_000), st.integers(0, 5_000))
def test_zeros_that_say_nothing_are_no_digits_however_many(value: int, decimals: int, before: int, behind: int) -> None:
    text = format_decimal(value, decimals)
    padded = "0" * before + text + ("" if "." in text else ".") + "0" * (behind + 1)
    assert parse_decimal(padded, decimals) == value


def test_a_long_text_is_refused_for_what_is_wrong_with_it() -> None:
    with pytest.raises(TooManyDecimals):
        parse_decimal("1." + "0" * 60_000 + "1", 2)
    with pytest.raises(TooLarge):
        parse_decimal("9" * 60_000, 2)
    with pytest.raises(NotADecimal):
        parse_decimal("9" * 60_000 + "x", 2)


@given(JSON_NUMBERS, st.integers(0, 9))
def test_a_number_with_an_exponent_is_the_exact_decimal_it_is(number: str, decimals: int) -> None:
    plain = without_exponent(number)
    assert "e" not in plain.lower()
    assert Decimal(plain) == Decimal(number)
    exact = Fraction(number) * 10**decimals
    try:
        assert parse_decimal(plain, decimals) == exact
    except TooManyDecimals:
        assert exact.denominator > 1
    except TooLarge:
        assert exact > MAX_ATOMS


@pytest.mark.parametrize("number", ["1e400", "1e-400", "1e1000", "1E+999", "0.000001e1000"])
def test_a_large_exponent_is_no_large_number(number: str) -> None:
    with pytest.raises((TooLarge, TooManyDecimals)):
        parse_decimal(without_exponent(number), 2)


@pytest.mark.parametrize(
    "number", ["1e1001", "1e-99999999999999999999", "1e" + "9" * 60_000, "1e", "e5", "-1e2", "1e 5"]
)
def test_what_no_amount_can_be_keeps_its_exponent_and_is_refused(number: str) -> None:
    assert without_exponent(number) == number
    with pytest.raises(NotADecimal):
        parse_decimal(without_exponent(number), 2)


@pytest.mark.parametrize(
    ("value", "decimals", "text"), [(-125, 2, "-1.25"), (0, 2, "0"), (100, 2, "1"), (5, 3, "0.005")]
)
def test_writes_the_shortest_exact_text(value: int, decimals: int, text: str) -> None:
    assert format_decimal(value, decimals) == text


def test_rounding_is_named() -> None:
    assert divide(7, 2, Rounding.DOWN) == 3
    assert divide(7, 2, Rounding.UP) == 4
    assert divide(8, 2, Rounding.UP) == 4
