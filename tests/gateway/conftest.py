"""One running venue behind HTTP for all tests of a file."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.gateway.http_venue import SYMBOL, HttpVenue, http_venue


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def venue(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HttpVenue]:
    """In mode FULL, with an empty book when a file begins."""
    async with http_venue(tmp_path_factory.mktemp("venue") / "data") as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def traded(venue: HttpVenue) -> AsyncIterator[HttpVenue]:
    """Ann has bought from Bob three times, once by each of three orders, and has one order resting."""
    for number in range(3):
        for signer, side in ((venue.bob, "Ask"), (venue.ann, "Bid")):
            body = {"symbol": SYMBOL, "side": side, "orderType": "Limit", "price": "100", "quantity": "1"}
            placed = await venue.ask(signer, "POST", "/api/v1/order", {**body, "clientId": number})
            assert placed.status == 200
    rest = {"symbol": SYMBOL, "side": "Bid", "orderType": "Limit", "price": "90", "quantity": "2", "postOnly": True}
    assert (await venue.ask(venue.ann, "POST", "/api/v1/order", rest)).status == 200
    yield venue
