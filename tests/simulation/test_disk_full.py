"""The journal's disk is full: the exchange stops, says why, answers nothing falsely, and comes back whole."""

import asyncio
import random
import resource
from pathlib import Path

from exchange_client.signing import Keypair
from tests.server import Server
from tests.simulation import family, proof, traffic
from tests.simulation.seen import Seen, SeenAccount

#: What the journal may still grow by.
ROOM_BYTES = 256 * 1024


async def test_a_full_disk_stops_the_exchange_and_loses_nothing(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", traffic.SETTINGS)
    server.start()
    try:
        seen = Seen({name: SeenAccount(name, Keypair(server.accounts[name].api_secret)) for name in ("alice", "bob")})
        deposits = {name: await proof.totals(server.http_url, account) for name, account in seen.accounts.items()}
        writer = family.members(server)[family.WRITER]
        largest = max(file.stat().st_size for file in server.data.glob("journal*") if file.is_file())
        async with traffic.load(seen, server.ws_url, random.randrange(2**32)) as tasks:
            await traffic.until_acknowledged(seen)
            resource.prlimit(writer, resource.RLIMIT_FSIZE, (largest + ROOM_BYTES, largest + ROOM_BYTES))
            await asyncio.wait_for(asyncio.gather(*tasks), 60)
        assert family.gone(server), server.log_tail()
        assert server.process is not None
        assert server.process.returncode not in (0, None)
        assert "journal" in server.log_tail()
        server.start()
        assert await proof.problems(seen, server.http_url, deposits) == []
        assert server.stop() == 0, server.log_tail()
    finally:
        server.kill()
