"""The commit: stamp, decide, fold, encode, stage. No `await` in here, so records can't interleave.

A bug of ours never leaves doubtful state running. If `decide` raises, nothing has happened: the
command is recorded as Faulted and its market goes OFFLINE. If `fold` raises, the state can't be
trusted: the command is recorded as Faulted too, so that nobody decides it again, and the process ends.
"""

import secrets
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Final, NoReturn

import structlog
from msgspec.structs import replace

from exchange.core import State, decide, fold
from exchange.core.due import next_due
from exchange.core.machine import COMMANDS
from exchange.core.orders.view import order_view, placed_view
from exchange.core.rows import LaneOf
from exchange.journal.client import WriterClient
from exchange.runtime.clock import Clock
from exchange.runtime.core.ending import Ending, Reason
from exchange.runtime.core.inbox import Entry
from exchange.runtime.core.outbox import Outbox
from exchange.runtime.core.refusal_limit import RefusalLimit
from exchange.runtime.feeds.streams import Streams
from exchange.runtime.metrics import Metrics
from exchange.values.commands import AnyCommand
from exchange.values.modes.commands import DropToCancelOnly
from exchange.values.orders.commands import CancelForAccount
from exchange.values.orders.events import OrderDone
from exchange.values.orders.views import OrderView, Outcome
from exchange.values.process.commands import ReportFault
from exchange.values.process.events import Faulted, Refused
from exchange.values.record import Record, Signed, encode, placed_order
from exchange.values.refusals import Code, Refusal

_CANCELS: Final = frozenset(kind for kind, row in COMMANDS.items() if row.room.cancels)
_DUE: Final = frozenset(kind for kind, row in COMMANDS.items() if row.due is not None)
_OF_A_MARKET: Final = frozenset(kind for kind, row in COMMANDS.items() if row.lane is LaneOf.MARKET)
_TOO_MANY_REFUSALS: Final = Refusal(Code.TOO_MANY_REQUESTS, "Too many refused requests")

_log = structlog.get_logger(__name__)


class StateDoubtful(Exception):
    """The state in memory can't be trusted; `Ending` has been told, and the process is about to end."""


class Committer:
    """The one place where records are made. After `ending` has come it makes none."""

    def __init__(
        self,
        state: State,
        clock: Clock,
        writer: WriterClient,
        outbox: Outbox,
        streams: Streams,
        metrics: Metrics,
        ending: Ending,
    ) -> None:
        self._state = state
        self._clock = clock
        self._writer = writer
        self._outbox = outbox
        self._streams = streams
        self._metrics = metrics
        self._ending = ending
        self._refusals = RefusalLimit()
        self._bodies: list[bytes] = []
        #: Called at the end of the next batches, while what they made isn't durable yet.
        self.after_batch: Callable[[], None] | None = None
        # Due work that met a bug of ours waits for the next start, behind a venue in CANCEL_ONLY.
        self._due_suspended = False

    def run(self, entries: Iterable[Entry]) -> None:
        """Commit what has gathered in an inbox; each entry is answered once its records are durable.

        Raises:
            StateDoubtful
        """
        if self._ending.come:
            return
        now_us, stage, state = self._clock.now_us, self._outbox.stage, self._state
        for commands, reply, signed in entries:
            time_us = now_us()
            if next_due(state, time_us) is not None:
                self._run_due(time_us)
            outcomes = [self._commit(command, time_us, signed) for command in commands]
            if commands and type(commands[0]) is CancelForAccount:
                self._cancel_rest(commands[0], outcomes[0], time_us)
            stage(state.seq, reply, outcomes)
        self._end_batch()

    def commit(self, command: AnyCommand) -> Outcome:
        """Commit one command of the venue's own; its outcome isn't durable yet.

        Raises:
            StateDoubtful
        """
        outcome = self._commit(command, self._clock.now_us())
        self._end_batch()
        return outcome

    def run_due(self, max_commands: int) -> bool:
        """Run up to `max_commands` of the due work; whether some may be left.

        Raises:
            StateDoubtful
        """
        if self._ending.come:
            return False
        left = self._run_due(self._clock.now_us(), max_commands)
        self._end_batch()
        return left

    def _run_due(self, time_us: int, max_commands: int | None = None) -> bool:
        done = 0
        while not self._due_suspended and (due := next_due(self._state, time_us)) is not None:
            if done == max_commands:
                return True
            self._commit(due, time_us)
            done += 1
        return False

    def _cancel_rest(self, command: CancelForAccount, last: Outcome, time_us: int) -> None:
        """The end of a session takes as many records as its orders need."""
        accounts = self._state.accounts
        while last.refusal is None and command.session in accounts[command.account].armed_sessions:
            last = self._commit(command, time_us)

    # --- one record ---

    def _commit(self, command: AnyCommand, time_us: int, signed: tuple[Signed, ...] = ()) -> Outcome:
        state, streams = self._state, self._streams
        seq = state.seq + 1
        try:
            events = decide(state, time_us, command)
            record = Record(seq, time_us, command, events, signed)
            body = encode(record)
        except Exception:
            return self._fault(seq, time_us, command, signed)
        if events and type(events[0]) is Refused:
            return self._refuse(record, body, events[0])
        kind = type(command)
        ended = (
            [state.orders[event.order_id] for event in events if type(event) is OrderDone] if kind in _CANCELS else ()
        )
        private = streams.private
        resting = private.before(events) if private.watched else None
        self._fold(record, body)
        try:
            streams.see(record)
            if resting is not None:
                private.after(record, resting)
        except Exception:
            # The books are right and the record is made; only what is shown of it may be wrong.
            self._metrics.faults += 1
            _log.exception("stream_failed", seq=seq)
        orders: tuple[OrderView, ...] = ()
        placed = placed_order(command, events)
        if placed is not None:
            self._metrics.orders += 1
            orders = (placed_view(seq, time_us, placed, events),)
        elif ended:
            ends = [event for event in events if type(event) is OrderDone]
            orders = tuple(order_view(order, event) for order, event in zip(ended, ends, strict=True))
        return Outcome(seq, time_us, command, tuple(events), None, orders)

    def _refuse(self, record: Record, body: bytes, refused: Refused) -> Outcome:
        refusal = Refusal(refused.code, refused.message)
        command = record.command
        account = getattr(command, "account", None)
        recorded = account is None or self._refusals.allow(account, record.time_us)
        if recorded:
            self._fold(record, body)
        else:
            refusal = _TOO_MANY_REFUSALS
        counts = self._metrics.refusals
        counts[refusal.code] = counts.get(refusal.code, 0) + 1
        events = tuple(record.events) if recorded else ()
        return Outcome(record.seq if recorded else 0, record.time_us, command, events, refusal)

    def _fold(self, record: Record, body: bytes) -> None:
        try:
            fold(self._state, record)
        except Exception as error:
            self._doubt(record, error)
        self._bodies.append(body)
        account = getattr(record.command, "account", None)
        if account is not None:
            self._streams.account_seqs[account] = record.seq

    # --- bugs of ours ---

    def _fault(self, seq: int, time_us: int, command: AnyCommand, signed: tuple[Signed, ...]) -> Outcome:
        """Deciding raised: the exception is the one being handled, and nothing has happened."""
        error_id = secrets.token_hex(8)
        market = _market_of(command)
        _log.exception("command_faulted", error_id=error_id, seq=seq, command=type(command).__name__, market=market)
        self._metrics.faults += 1
        refusal = Refusal(Code.SERVER_ERROR, f"Internal error {error_id}")
        account = getattr(command, "account", None)
        # What is due comes from nobody, and would come again at once for ever if it weren't suspended below.
        if account is not None and type(command) not in _DUE and not self._refusals.allow(account, time_us):
            return Outcome(0, time_us, command, (), refusal)
        record = Record(seq, time_us, command, [Faulted(error_id, market)], signed)
        try:
            body = encode(record)
        except Exception:
            _log.exception("fault_not_recorded", error_id=error_id)
            return Outcome(0, time_us, command, (), refusal)
        self._fold(record, body)
        if market in self._state.markets:
            self._commit(ReportFault(market, error_id), time_us)
        elif type(command) in _DUE:
            self._due_suspended = True
            brake = DropToCancelOnly(f"fault {error_id}: orders that are due to be cancelled could not be")
            self._commit(brake, time_us)
        elif type(command) in (ReportFault, DropToCancelOnly):
            self._stop(f"fault {error_id}: the brake failed")
        return Outcome(seq, time_us, command, tuple(record.events), refusal)

    def _doubt(self, record: Record, error: Exception) -> NoReturn:
        """Folding raised: keep the command from ever being decided again, and end."""
        error_id = secrets.token_hex(8)
        _log.critical("fold_failed", error_id=error_id, seq=record.seq, exc_info=error)
        faulted = replace(record, events=[Faulted(error_id, _market_of(record.command))])
        self._bodies.append(encode(faulted))
        self._stop(f"fault {error_id}: applying record {record.seq} failed")

    def _stop(self, message: str) -> NoReturn:
        """The records made so far are right and become durable; what is in memory is shown to nobody."""
        self._outbox.seal()
        self._hand_over()
        self._ending.end(Reason.STATE_DOUBTFUL, message)
        raise StateDoubtful(message)

    # --- one batch ---

    def _end_batch(self) -> None:
        if not self._bodies:
            return
        try:
            self._streams.flush()
        except Exception:
            self._metrics.faults += 1
            _log.exception("stream_failed", seq=self._state.seq)
        self._metrics.fills = self._streams.fills
        self._metrics.batch_commands.observe(len(self._bodies))
        self._hand_over()
        self._outbox.stage(self._state.seq, self._durable, perf_counter())
        if self.after_batch is not None:
            self.after_batch()

    def _hand_over(self) -> None:
        first_seq = self._outbox.appended_seq + 1
        self._writer.append(first_seq, self._bodies)
        self._outbox.appended(first_seq + len(self._bodies) - 1)
        self._bodies = []

    def _durable(self, handed_over_s: float) -> None:
        self._metrics.commit_s.observe(perf_counter() - handed_over_s)


def _market_of(command: AnyCommand) -> str | None:
    return getattr(command, "market", None) if type(command) in _OF_A_MARKET else None
