"""What happens because time passes: paced streams, timers that run out, and the venue's checks on itself."""

import asyncio
from typing import Final

import structlog

from exchange.core import State
from exchange.core.digest import PARTITIONS, partition_digest
from exchange.core.due import next_due
from exchange.rules.modes import permits
from exchange.runtime.clock import MAX_DIVERGENCE_US, Clock
from exchange.runtime.core.commit import Committer, StateDoubtful
from exchange.runtime.core.ending import Ending
from exchange.runtime.core.lanes import run_all_due
from exchange.runtime.feeds.intervals import SECOND_US
from exchange.runtime.feeds.streams import Streams
from exchange.runtime.follower.client import FollowerClient
from exchange.values.enums import Action
from exchange.values.modes.commands import DropToCancelOnly

#: How late a timer may fire at most, and the finest pace of any stream.
TICK_S: Final = 0.1

_log = structlog.get_logger(__name__)


class Timers:
    """`run` until cancelled. All times are the venue's clock's; only the waiting in between is real."""

    def __init__(
        self,
        state: State,
        clock: Clock,
        committer: Committer,
        streams: Streams,
        follower: FollowerClient,
        ending: Ending,
    ) -> None:
        self._state = state
        self._clock = clock
        self._committer = committer
        self._streams = streams
        self._follower = follower
        self._ending = ending
        self._second_us = 0
        self._partition = 0
        self._braked = False

    async def run(self) -> None:
        while not self._ending.come:
            await asyncio.sleep(TICK_S)
            try:
                await self._tick(self._clock.now_us())
            except StateDoubtful:
                return
            except Exception:
                _log.exception("tick_failed")

    async def _tick(self, now_us: int) -> None:
        self._streams.tick(now_us)
        if next_due(self._state, now_us) is not None:
            await run_all_due(self._committer)
        if now_us >= self._second_us + SECOND_US:
            self._second_us = now_us
            self._check_clock()
            self._committer.after_batch = self._compare_digest

    def _check_clock(self) -> None:
        """A wall clock that has left its bounds is somebody's to look at; until then nobody opens anything new."""
        divergence_us = self._clock.divergence_us()
        outside = abs(divergence_us) > MAX_DIVERGENCE_US
        # Opened meanwhile, it would trade in a time that stands still.
        if outside and (not self._braked or permits(self._state.venue_mode, (), Action.REST)):
            message = f"the wall clock is {divergence_us / 1e6:+.3f} s off the exchange's"
            _log.error("clock_diverged", divergence_us=divergence_us)
            self._committer.commit(DropToCancelOnly(message))
        self._braked = outside

    def _compare_digest(self) -> None:
        """Have the follower hold one part of the state against its own, at a seq that isn't durable yet."""
        self._committer.after_batch = None
        partition, self._partition = self._partition, (self._partition + 1) % PARTITIONS
        self._follower.compare(self._state.seq, partition, partition_digest(self._state, partition))
