"""Watches what the order path depends on: is it made durable in time, does history keep up, does the event loop turn.

It says what it sees in the status, the log and the metrics, and closes or narrows the intake before records pile up.
All times here are the machine's monotonic clock's: a hand-moved clock of the venue changes nothing.
"""

import asyncio
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Final

import msgspec
import structlog

from exchange.runtime.core.ending import Ending
from exchange.runtime.core.intake import Intake
from exchange.runtime.core.outbox import Outbox
from exchange.runtime.feeds.public_state import PublicState
from exchange.runtime.follower.client import FollowerClient
from exchange.runtime.metrics import Metrics
from exchange.values.modes.views import ConditionView
from exchange.values.refusals import Code, Refusal

#: Between two looks.
LOOK_S: Final = 0.1
#: The follower's speed is measured over this long.
_SPEED_S: Final = 2.0
#: What a follower that lives is taken to do at least, in records a second: it may just have started.
_LEAST_SPEED: Final = 200.0
#: How long the status speaks of an event loop that stood still.
_LOOP_SHOWN_S: Final = 60.0

Records = Annotated[int, msgspec.Meta(gt=0)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]

_log = structlog.get_logger(__name__)


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How late what may be.

    `slow_at_records`, `full_at_records`: with history this far behind, orders are taken at the speed it is written, and
    not at all. `writer_late_s`, `writer_stop_s`, `writer_lost_s`: when a record that isn't durable yet is said,
    stops the intake, and ends the process, to be started again. `follower_silent_s`, `follower_lost_s`: when a follower
    that has work and says nothing is said, and killed. `loop_blocked_s`: when an event loop that doesn't turn is said.
    """

    slow_at_records: Records = 8_000
    full_at_records: Records = 20_000
    writer_late_s: Seconds = 1.0
    writer_stop_s: Seconds = 3.0
    writer_lost_s: Seconds = 60.0
    follower_silent_s: Seconds = 10.0
    follower_lost_s: Seconds = 120.0
    loop_blocked_s: Seconds = 1.0


class Lag:
    """How long the records between two seqs have waited, to within a look."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._mark = 0
        self._mark_s = 0.0
        self._took_s = 0.0

    def look(self, made: int, done: int, now_s: float, stood_s: float = 0.0) -> None:
        """`stood_s` of the time since the last look nobody could say what was done: they are not held against it."""
        if self._mark_s:
            self._mark_s += stood_s
        if done >= self._mark:
            self._took_s = now_s - self._mark_s if self._mark_s else 0.0
            self._mark, self._mark_s = made, now_s
        self.seconds = max(now_s - self._mark_s, self._took_s) if done < made else 0.0
        if done >= made:
            self._mark_s = 0.0


class LoopWatch(threading.Thread):
    """A thread that sees whether the event loop turns, and says where it stands if it doesn't.

    It counts its own looks, not time: where the whole process stood still, it did so too.
    """

    def __init__(self, bound_s: float) -> None:
        super().__init__(name="loop watch", daemon=True)
        self.turns = 0
        #: How often the loop has stood still, and for how long it did the last time.
        self.blocks = 0
        self.blocked_s = 0.0
        self._bound_s = bound_s
        self._watched = threading.get_ident()
        self._over = threading.Event()

    def stop(self) -> None:
        self._over.set()

    def run(self) -> None:
        seen, looks = self.turns, 0
        while not self._over.wait(LOOK_S):
            turns, stood_s = self.turns, looks * LOOK_S
            if turns != seen:
                if stood_s >= self._bound_s:
                    self._say("event_loop_turns_again", stood_s)
                seen, looks = turns, 0
                continue
            looks += 1
            if looks * LOOK_S >= self._bound_s:
                self.blocked_s = looks * LOOK_S
                if stood_s < self._bound_s:
                    self.blocks += 1
                    self._say("event_loop_blocked", self.blocked_s, stack=self._stack())

    def _say(self, event: str, blocked_s: float, **more: str) -> None:
        with suppress(Exception):  # who watches outlives whatever is wrong with the log
            _log.error(event, blocked_s=round(blocked_s, 1), **more)

    def _stack(self) -> str:
        """Where the loop's thread is, without the values it holds: a line a frame, innermost last."""
        frame = sys._current_frames().get(self._watched)
        return "\n".join(f"{each.filename}:{each.lineno} {each.name}" for each in traceback.extract_stack(frame))


class Watchdog:
    """`run` until cancelled, on the event loop that is watched."""

    def __init__(
        self,
        bounds: Bounds,
        outbox: Outbox,
        follower: FollowerClient,
        intake: Intake,
        public: PublicState,
        ending: Ending,
        now_us: Callable[[], int],
        past_is_missing: Callable[[], bool],
    ) -> None:
        self._bounds = bounds
        self._outbox = outbox
        self._follower = follower
        self._intake = intake
        self._public = public
        self._ending = ending
        self._now_us = now_us
        self._past_is_missing = past_is_missing
        self._durable = Lag()
        self._history = Lag()
        self._speeds: deque[tuple[float, int]] = deque()
        #: Records the read models lacked at the start and lack still: not held against the orders of this process.
        self._inherited = outbox.durable_seq
        self._reached = 0
        self._heard = -1
        self._heard_s = 0.0
        self._loop = LoopWatch(bounds.loop_blocked_s)
        self._loop_blocks = 0
        self._looked_s = 0.0
        self._loop_shown_until_s = 0.0
        self._conditions: dict[str, ConditionView] = {}

    async def run(self) -> None:
        self._loop.start()
        try:
            while not self._ending.come:
                try:
                    self._loop.turns += 1
                    self.look(asyncio.get_running_loop().time())
                except Exception:
                    _log.exception("watchdog_failed")
                await asyncio.sleep(LOOK_S)
        finally:
            self._loop.stop()

    def add_gauges(self, metrics: Metrics) -> None:
        follower, intake, loop = self._follower, self._intake, self._loop
        metrics.gauges |= {
            "durable_lag_seconds": (
                "How long the oldest record has waited for the disk",
                lambda: self._durable.seconds,
            ),
            "follower_lag_records": ("Durable records the read models don't hold yet", lambda: self._behind),
            "follower_lag_seconds": ("How long the read models have lacked a record", lambda: self._history.seconds),
            "follower_ends": ("How often the follower has ended of itself", lambda: follower.ends),
            "intake_slowed": ("1 while orders are taken at the follower's speed", lambda: intake.slowed),
            "intake_stopped": ("1 while no orders are taken", lambda: intake.stopped is not None),
            "loop_blocks": ("How often the event loop has stood still", lambda: loop.blocks),
            "loop_blocked_seconds": ("How long it did so the last time", lambda: loop.blocked_s),
        }

    # --- one look ---

    @property
    def _behind(self) -> int:
        return max(self._outbox.durable_seq - self._follower.reached, 0)

    def look(self, now_s: float) -> None:
        outbox, reached = self._outbox, self._follower.reached
        stood_s = self._stood_s(now_s)
        self._heard_s += stood_s
        self._durable.look(outbox.appended_seq, outbox.durable_seq, now_s, stood_s)
        self._history.look(outbox.durable_seq, reached, now_s, stood_s)
        writer = self._look_at_writer()
        history = self._look_at_follower(now_s)
        self._intake.stopped = writer or history
        self._intake.late = writer
        self._look_at_loop(now_s)
        self._public.show_conditions("watchdog", tuple(self._conditions.values()))

    def _stood_s(self, now_s: float) -> float:
        """How long the loop has stood still since the last look. What the writer and the follower said meanwhile isn't
        read yet, so that is no lateness of theirs."""
        since_s, self._looked_s = now_s - (self._looked_s or now_s), now_s
        return since_s - LOOK_S if since_s >= 2 * LOOK_S else 0.0

    def _look_at_writer(self) -> Refusal | None:
        """Why no orders are taken, as far as the journal is concerned."""
        bounds, late_s = self._bounds, self._durable.seconds
        if late_s < bounds.writer_late_s:
            self._clear("writer")
            return None
        stops = late_s >= bounds.writer_stop_s
        what = "new orders are refused, cancels are taken and answered when it goes on" if stops else "answers wait"
        message = f"The journal has not been written for {late_s:.0f} s: {what}"
        way_out = (
            f"by itself when the disk answers; after {bounds.writer_lost_s:.0f} s the process ends, to be started again"
        )
        self._say("writer", message, way_out, stops)
        if late_s >= bounds.writer_lost_s:
            self._ending.journal_failed(f"the journal writer has made nothing durable for {late_s:.0f} s")
        return Refusal(Code.MAINTENANCE, message) if stops else None

    def _look_at_follower(self, now_s: float) -> Refusal | None:
        """Why no orders are taken, as far as history is concerned; sets the pace of those that are."""
        bounds, follower, intake = self._bounds, self._follower, self._intake
        behind = self._behind
        if follower.reached < self._reached:
            self._inherited = behind  # read models that were damaged are made again
        self._reached = follower.reached
        self._inherited = min(self._inherited, behind)
        grown = behind - self._inherited
        silent_s = self._silent_s(now_s, behind)
        moves = follower.connected and silent_s < bounds.follower_silent_s
        speed = self._speed(now_s, follower.reached)
        if not moves:
            intake.slowed = False
        elif behind > bounds.slow_at_records or (intake.slowed and behind > bounds.slow_at_records * 3 // 4):
            share = 2 * (bounds.full_at_records - grown) / max(bounds.full_at_records - bounds.slow_at_records, 1)
            most = 0.5 if behind > bounds.full_at_records else 2.0
            intake.slow_to(max(speed, _LEAST_SPEED) * min(max(share, 0.0), most), now_s)
        else:
            intake.slowed = False
        full = grown >= (bounds.full_at_records if moves else bounds.slow_at_records)
        self._say_history(behind, silent_s, moves, full)
        if silent_s >= bounds.follower_lost_s:
            follower.kill(f"nothing was heard of it for {silent_s:.0f} s")
        return Refusal(Code.MAINTENANCE, self._conditions["history"].message) if full else None

    def _say_history(self, behind: int, silent_s: float, moves: bool, full: bool) -> None:
        follower, slowed = self._follower, self._intake.slowed
        tail = "new orders are refused until it has caught up, cancels are taken" if full else ""
        if follower.fault:
            message, way_out = (
                "History is not available: its process does not start",
                f"see the runbook: {follower.fault}",
            )
        elif not follower.connected:
            message, way_out = "History stands still: its process is started again", "by itself"
        elif not moves:
            message = f"History stands still since {silent_s:.0f} s"
            way_out = f"its process is started again after {self._bounds.follower_lost_s:.0f} s"
        elif slowed or full:
            message = f"History is {behind} records ({self._history.seconds:.0f} s) behind"
            way_out = "by itself as it catches up"
            tail = tail or "orders are taken at the speed it is written"
        elif self._past_is_missing():
            message = f"History is {behind} records behind: candles and tickers are not there yet"
            way_out = "by itself as it catches up"
        else:
            self._clear("history")
            return
        self._say("history", f"{message}: {tail}" if tail else message, way_out, full)

    def _silent_s(self, now_s: float, behind: int) -> float:
        """How long a follower that has something to do has said nothing."""
        follower = self._follower
        if not behind or follower.heard != self._heard or not follower.connected:
            self._heard, self._heard_s = follower.heard, now_s
        return now_s - self._heard_s

    def _speed(self, now_s: float, reached: int) -> float:
        """Records a second that the follower has taken in lately."""
        speeds = self._speeds
        speeds.append((now_s, reached))
        while now_s - speeds[0][0] > _SPEED_S:
            speeds.popleft()
        since_s, from_seq = speeds[0]
        return max(reached - from_seq, 0) / max(now_s - since_s, LOOK_S)

    def _look_at_loop(self, now_s: float) -> None:
        loop = self._loop
        if loop.blocks != self._loop_blocks:
            self._loop_blocks = loop.blocks
            self._loop_shown_until_s = now_s + _LOOP_SHOWN_S
            self._say("loop", f"The exchange stood still for {loop.blocked_s:.0f} s", "the log says where", False)
        elif now_s >= self._loop_shown_until_s:
            self._clear("loop")

    # --- saying it ---

    def _say(self, part: str, message: str, way_out: str, stops_orders: bool) -> None:
        before = self._conditions.get(part)
        if before is None or before.stops_orders != stops_orders:
            _log.error("condition", part=part, message=message, way_out=way_out, stops_orders=stops_orders)
        since_us = self._now_us() if before is None else before.since_us
        self._conditions[part] = ConditionView(part, message, way_out, since_us, stops_orders)

    def _clear(self, part: str) -> None:
        before = self._conditions.pop(part, None)
        if before is not None:
            _log.warning("condition_over", part=part, lasted_s=(self._now_us() - before.since_us) // 1_000_000)
