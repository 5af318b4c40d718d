"""Whose bytes are parsed when: no more at a time than one turn of the event loop has time for, and in turns.

How long a frame takes depends on what is in it, so the bound is one of time. Whoever comes when it is used up is not
read any further until its turn comes; the holders of connections, addresses or accounts, take turns, one piece each.
"""

import asyncio
from collections import deque
from collections.abc import Hashable
from time import perf_counter
from typing import Final, Protocol

#: How long what comes in on sessions, which are signed for, and on all other connections may take in one turn of the
#: event loop, together with what it sets off at once. The piece with which the time runs out is parsed to its end.
SESSIONS_TURN_S: Final = 0.005
STRANGERS_TURN_S: Final = 0.002
#: Bytes of one piece: of a session, and of a stranger.
SESSION_PIECE: Final = 4 * 1024
STRANGER_PIECE: Final = 1024


class Source(Protocol):
    """A connection on which something has come in."""

    holder: Hashable
    #: Whether its turn is yet to come; set here.
    waits: bool

    def parse(self) -> bool:
        """Parse one piece; whether there is another one that may be parsed. Raises nothing."""

    def parsed(self) -> None:
        """Its turn has come and is over; it may have another one to wait for."""


class Reading:
    """The connections of one kind, and the time for them in a turn."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most_s: float) -> None:
        self._loop = loop
        self._most_s = most_s
        #: Since somebody last had to wait: without that, turns of the loop needn't be told apart.
        self._spent_s = 0.0
        #: By whose turn is next.
        self._waiting: dict[Hashable, deque[Source]] = {}
        self._scheduled = False

    def take(self, source: Source) -> None:
        """Parse what has come in on it now, if there is time; else when its turn comes."""
        if self._scheduled or self._spent_s >= self._most_s:
            self._wait(source)
            return
        began_s = perf_counter()
        if source.parse():
            self._wait(source)
        self._spent_s += perf_counter() - began_s

    def _wait(self, source: Source) -> None:
        source.waits = True
        self._waiting.setdefault(source.holder, deque()).append(source)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._spent_s, self._scheduled = 0.0, False
        waiting = self._waiting
        while waiting and self._spent_s < self._most_s:
            began_s = perf_counter()
            holder = next(iter(waiting))
            line = waiting.pop(holder)
            source = line.popleft()
            if line:
                waiting[holder] = line  # at the end of the line again
            source.waits = False
            if source.parse():
                self._wait(source)
            source.parsed()
            self._spent_s += perf_counter() - began_s
        if waiting and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)
