"""Fixtures every package shares: a running exchange."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.server import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One running exchange for the whole session, in mode FULL; don't stop it, don't change modes."""
    running = Server(tmp_path_factory.mktemp("server") / "data")
    running.start()
    yield running
    assert running.stop() == 0, running.log_tail()


@pytest.fixture
def fresh_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Makes running exchanges of the test's own, which it may stop, kill and restart.

    `fresh_server(settings={"EXCHANGE_...": "..."})`; the same `name` is the same data folder.
    """
    made: list[Server] = []

    def make(name: str = "data", settings: Mapping[str, str] | None = None) -> Server:
        running = Server(tmp_path / name, settings)
        made.append(running)
        running.start()
        return running

    yield make
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.kill()
