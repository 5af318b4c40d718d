"""Balances over REST, and what they are worth."""

import pytest

from tests.gateway.http_venue import HttpVenue

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_balances_and_what_orders_hold(traded: HttpVenue) -> None:
    capital = (await traded.ask(traded.ann, "GET", "/api/v1/capital")).json
    # 1,000,000 of each; bought 3 SOL at 100, less 10 bps in SOL; 180 USDC held for the resting order.
    assert capital == {
        "SOL": {"available": "1000002.997", "locked": "0", "staked": "0"},
        "USDC": {"available": "999520", "locked": "180", "staked": "0"},
    }


async def test_what_balances_are_worth(traded: HttpVenue) -> None:
    summary = (await traded.ask(traded.ann, "GET", "/api/v1/capital/collateral")).json
    by_asset = {row["symbol"]: row for row in summary["collateral"]}
    # 1,000,002.997 SOL at the last price of 100, and 999,700 USDC of which 180 are held.
    assert by_asset["SOL"]["balanceNotional"] == "100000299.7"
    assert summary["netEquity"] == summary["assetsValue"] == "100999999.7"
    assert (summary["netEquityAvailable"], summary["netEquityLocked"]) == ("100999819.7", "180")
    assert (summary["borrowLiability"], summary["marginFraction"]) == ("0", None)
