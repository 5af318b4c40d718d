"""Files of a running exchange are removed or moved: it stops at once, says why, and acknowledges nothing onto them."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from exchange.cli.exits import Exit
from exchange_client.signing import Keypair
from tests.server import Server
from tests.simulation import family, proof, traffic
from tests.simulation.seen import Seen, SeenAccount


@asynccontextmanager
async def trading(server: Server) -> AsyncIterator[tuple[Seen, dict[str, dict[str, Decimal]]]]:
    """Orders flow for as long as the block lasts; it ends when the exchange has, with the reason in its log."""
    server.start()
    seen = Seen({name: SeenAccount(name, Keypair(server.accounts[name].api_secret)) for name in ("alice", "bob")})
    deposits = {name: await proof.totals(server.http_url, account) for name, account in seen.accounts.items()}
    async with traffic.load(seen, server.ws_url, random.randrange(2**32)) as tasks:
        await traffic.until_acknowledged(seen)
        yield seen, deposits
        await asyncio.wait_for(asyncio.gather(*tasks), 60)
    assert family.gone(server), server.log_tail()
    assert server.process is not None
    assert server.process.returncode == Exit.JOURNAL_FAILED
    assert "while the exchange runs" in server.log_tail()


async def test_with_its_log_removed_it_stops_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", traffic.SETTINGS)
    try:
        async with trading(server) as (seen, deposits):
            (server.data / "journal.sqlite-wal").unlink()
        server.start()
        assert await proof.problems(seen, server.http_url, deposits) == []
        assert server.stop() == 0, server.log_tail()
    finally:
        server.kill()


@pytest.mark.torture
async def test_with_its_folder_moved_away_and_back_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", traffic.SETTINGS)
    try:
        async with trading(server) as (seen, deposits):
            server.data.rename(tmp_path / "moved")
        (tmp_path / "moved").rename(server.data)
        server.start()
        assert await proof.problems(seen, server.http_url, deposits) == []
        assert server.stop() == 0, server.log_tail()
    finally:
        server.kill()


@pytest.mark.torture
async def test_with_its_journal_removed_it_stops_and_the_next_start_says_what_is_missing(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", traffic.SETTINGS)
    try:
        async with trading(server):
            (server.data / "journal.sqlite").unlink()
        with pytest.raises(RuntimeError, match="records 1 to "):
            server.start()
        assert server.process is not None
        assert server.process.returncode == Exit.BEHIND_WITNESS
    finally:
        server.kill()
