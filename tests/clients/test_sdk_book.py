"""The local order book: it equals the exchange's or says that it doesn't."""

import random
from decimal import Decimal

import pytest

from exchange_client import OrderBook
from exchange_client.book import SequenceGap
from exchange_client.events import DepthUpdate
from exchange_client.models import Depth, Level


def levels(*rows: tuple[str, str]) -> list[Level]:
    return [(Decimal(price), Decimal(quantity)) for price, quantity in rows]


def update(first: int, last: int, bids: list[Level] | None = None, asks: list[Level] | None = None) -> DepthUpdate:
    return DepthUpdate(time_us=1, symbol="SOL_USDC", bids=bids or [], asks=asks or [], first_id=first, last_id=last)


def loaded() -> OrderBook:
    book = OrderBook("SOL_USDC")
    book.load(
        Depth(
            bids=levels(("98", "1"), ("99", "2")),
            asks=levels(("101", "1"), ("102", "2")),
            last_update_id="10",
            timestamp=1,
        )
    )
    return book


def test_a_snapshot_shows_the_touch() -> None:
    book = loaded()
    assert book.best_bid() == (Decimal("99"), Decimal("2"))
    assert book.best_ask() == (Decimal("101"), Decimal("1"))


def test_updates_set_add_and_remove_levels() -> None:
    book = loaded()
    assert book.apply(update(11, 11, bids=levels(("99", "0.000"), ("97", "4"))))
    assert book.apply(update(12, 14, asks=levels(("100", "7"), ("101", "3"))))
    assert book.bids.ascending() == levels(("97", "4"), ("98", "1"))
    assert book.asks.ascending() == levels(("100", "7"), ("101", "3"), ("102", "2"))
    assert book.update_id == 14


def test_an_update_the_snapshot_already_has_changes_nothing() -> None:
    book = loaded()
    assert not book.apply(update(9, 10, bids=levels(("99", "50"))))
    assert book.bids.quantity(Decimal("99")) == 2
    assert book.update_id == 10


def test_an_update_that_spans_the_snapshot_is_applied() -> None:
    book = loaded()
    assert book.apply(update(8, 12, bids=levels(("99", "5"))))
    assert book.update_id == 12


def test_a_gap_is_said_and_leaves_the_book_alone() -> None:
    book = loaded()
    with pytest.raises(SequenceGap):
        book.apply(update(12, 12, bids=levels(("99", "5"))))
    assert book.bids.quantity(Decimal("99")) == 2
    assert book.update_id == 10


def test_removing_an_unknown_level_is_harmless() -> None:
    book = loaded()
    book.apply(update(11, 11, asks=levels(("150", "0"))))
    assert len(book.asks) == 2


def test_prices_compare_as_numbers() -> None:
    book = loaded()
    book.apply(update(11, 11, bids=levels(("99.00", "0"))))
    assert book.best_bid() == (Decimal("98"), Decimal("1"))


def test_a_long_random_walk_equals_a_plain_dictionary() -> None:
    rng = random.Random(7)
    book = OrderBook("SOL_USDC")
    book.load(Depth(bids=[], asks=[], last_update_id="0", timestamp=1))
    plain: dict[Decimal, Decimal] = {}
    for update_id in range(1, 3000):
        price, quantity = Decimal(rng.randrange(60)), Decimal(rng.choice([0, 1, 2]))
        plain[price] = quantity
        book.apply(update(update_id, update_id, bids=[(price, quantity)]))
    expected = sorted((price, quantity) for price, quantity in plain.items() if quantity)
    assert book.bids.ascending() == expected
    assert book.best_bid() == expected[-1]
