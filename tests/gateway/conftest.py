"""One running venue behind HTTP for all tests of a file."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.gateway.http_venue import HttpVenue, http_venue


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def venue(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HttpVenue]:
    """In mode FULL, with an empty book when a file begins."""
    async with http_venue(tmp_path_factory.mktemp("venue") / "data") as running:
        yield running
