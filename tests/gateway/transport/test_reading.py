"""Who is parsed when, without sockets."""

import asyncio
import time
from collections.abc import Hashable

from exchange.gateway.transport.reading import Reading

TURN_S = 0.002


class Source:
    """Pieces that take half a turn's time each."""

    def __init__(self, log: list[str], holder: str, pieces: int = 1) -> None:
        self.holder: Hashable = holder
        self.waits = False
        self._log = log
        self._pieces = pieces

    def parse(self) -> bool:
        time.sleep(TURN_S / 2)
        self._log.append(str(self.holder))
        self._pieces -= 1
        return self._pieces > 0

    def parsed(self) -> None:
        pass


async def until_quiet(sources: list[Source]) -> int:
    """How many turns of the loop it took."""
    turns = 0
    while any(source.waits for source in sources):
        await asyncio.sleep(0)
        turns += 1
    return turns


async def test_what_there_is_time_for_is_parsed_at_once() -> None:
    log: list[str] = []
    source = Source(log, "a")
    Reading(asyncio.get_running_loop(), TURN_S).take(source)
    assert log == ["a"]
    assert not source.waits


async def test_a_turn_has_its_time_and_holders_take_turns() -> None:
    log: list[str] = []
    reading = Reading(asyncio.get_running_loop(), TURN_S)
    sources = [Source(log, "flood", pieces=3) for _ in range(10)]
    for source in sources:
        reading.take(source)
    assert len(log) <= 2, "no more than there is time for in this turn"
    honest = Source(log, "honest")
    reading.take(honest)
    assert honest.waits
    assert await until_quiet([*sources, honest]) >= 10
    assert log.index("honest") <= 4, "ahead of all but one of the pieces that came first"
    assert log.count("flood") == 30


async def test_who_comes_after_a_busy_turn_waits_for_the_next_one_at_most() -> None:
    log: list[str] = []
    reading = Reading(asyncio.get_running_loop(), TURN_S)
    for _ in range(100):
        source = Source(log, "a")
        reading.take(source)
        assert await until_quiet([source]) <= 1
    assert len(log) == 100
