"""The genesis table: decimals become whole numbers exactly, or are refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from exchange.cli.found import example_settings
from exchange.cli.listing import FeeTierTable, MarketTable
from exchange.cli.settings import load
from exchange.core import State, decide
from exchange.values.enums import Role
from exchange.values.listings.specs import AssetSpec, SpecError
from exchange.values.people.admins import AdminSpec
from exchange.values.process.events import Refused
from tests.venue import public_key

ASSETS = {"SOL": AssetSpec("SOL", 9), "USDC": AssetSpec("USDC", 6)}
MARKET = {"base": "SOL", "quote": "USDC", "tick": "0.01", "step": "0.01", "reference_price": "150"}


def test_a_market_in_decimals_becomes_ticks_and_lots() -> None:
    listed = MarketTable.model_validate(MARKET).listed(ASSETS)
    assert listed.spec.symbol == "SOL_USDC"
    assert listed.spec.base_atoms_per_lot == 10**7
    assert listed.spec.quote_atoms_per_tick_lot == 100
    assert listed.filters.reference_price_ticks == 15_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tick": "0.0001"}, "tick x step"),
        ({"reference_price": "150.005"}, "whole number of ticks"),
        ({"base": "XRP"}, "XRP is not listed"),
        ({"tick": "0"}, "above zero"),
    ],
)
def test_a_market_that_would_not_keep_exact_books_is_refused(change: dict[str, str], message: str) -> None:
    change = {"step": "0.001", **change} if "tick" in change else change
    with pytest.raises(SpecError, match=message):
        MarketTable.model_validate(MARKET | change).listed(ASSETS)


@pytest.mark.parametrize("tick", [0.01, "1e-2", "-1", "NaN", "", "0.0000000001", 1])
def test_a_number_that_is_not_plain_decimal_text_is_refused(tick: Any) -> None:
    with pytest.raises(ValidationError):
        MarketTable.model_validate(MARKET | {"tick": tick})


def test_fees_in_basis_points_become_millionths() -> None:
    tier = FeeTierTable.model_validate({"name": "VIP9", "maker_bps": "0", "taker_bps": "2.25"}).spec()
    assert (tier.spot_maker_ppm, tier.spot_taker_ppm) == (0, 225)


def test_the_example_founds_a_venue() -> None:
    table = load(example_settings()).genesis
    assert table is not None
    key = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
    events = decide(State(), 1, table.command(key, (AdminSpec("admin", public_key(2), tuple(Role)),)))
    assert not [event for event in events if isinstance(event, Refused)]
