"""How a venue starts and stops.

Every start puts it OFFLINE first; orders of sessions that ended with the last process are
cancelled before anything else; then the core may let it step back to the mode it had.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from exchange.journal import backup
from exchange.journal.client import WriterClient
from exchange.journal.errors import BackupError, NoJournal, WriterFailed
from exchange.journal.recovery import Progress, Recovered, recover
from exchange.journal.store import JournalReader
from exchange.runtime.build import build_id
from exchange.runtime.clock import MAX_DIVERGENCE_US, Clock, clock_after
from exchange.runtime.core.commit import Committer, StateDoubtful
from exchange.runtime.core.ending import End, Ending, Reason
from exchange.runtime.core.lanes import run_all_due
from exchange.runtime.core.outbox import Outbox
from exchange.runtime.core.timers import Timers
from exchange.runtime.core.venue import Venue
from exchange.runtime.core.watchdog import Bounds, Watchdog
from exchange.runtime.feeds.market_past import wanted_from
from exchange.runtime.feeds.public_state import PublicState
from exchange.runtime.feeds.streams import Streams
from exchange.runtime.follower.client import FollowerClient
from exchange.runtime.follower.history import History
from exchange.runtime.follower.messages import Check, Mismatch
from exchange.runtime.follower.read_models import FILE_NAME, ReadModels, Vouched
from exchange.runtime.follower.read_models.proof import Proof
from exchange.runtime.metrics import Metrics
from exchange.values.modes.commands import DropToCancelOnly, ResumeModes
from exchange.values.process.commands import ReportFault, StartProcess, StopProcess
from exchange.values.process.events import Faulted

#: How often a past that is waited for is said to be missing.
_SAY_EVERY_S: Final = 10.0
#: A start waits so long for candles and tickers to have their past; then it opens, and they come when they can.
PAST_WAIT_S: Final = 5.0
#: A stop in order gives up on its last record after this long.
STOP_TIMEOUT_S: Final = 30.0
#: A writer that failed or hangs is given this long to end by itself: nothing it might still write was promised.
FAILED_WRITER_S: Final = 1.0
#: How long it waits for a follower that is behind.
CATCH_UP_S: Final = 5.0

_log = structlog.get_logger(__name__)


class Life:
    """A venue with the processes beside it: the journal's writer and the follower."""

    def __init__(
        self,
        data_dir: Path,
        recovered: Recovered,
        clock: Clock,
        writer: WriterClient,
        outbox: Outbox,
        ending: Ending,
        bounds: Bounds,
    ) -> None:
        state = recovered.state
        self.data_dir = data_dir
        #: For those who watch over the venue beside it; they only read, and change things by command.
        self.state = state
        self.clock = clock
        self._recovered = recovered
        self._writer = writer
        self._outbox = outbox
        self._ending = ending
        self._metrics = Metrics()
        public = PublicState(state, outbox)
        self._streams = Streams(state, outbox, public)
        self._committer = Committer(state, clock, writer, outbox, self._streams, self._metrics, ending)
        self._public = public
        self._bounds = bounds
        self._history = History(outbox, ReadModels(data_dir / FILE_NAME, self._vouched))
        self._follower: FollowerClient | None = None
        #: What goes on beside business: timers, the watchdog, the past in the loading.
        self._tasks: list[asyncio.Task[None]] = []
        self._doubted = False
        self._started = False
        self._closed = False
        self.venue = Venue(
            state, clock, outbox, self._streams, public, self._committer, self._history, self._metrics, ending
        )

    @classmethod
    async def start(
        cls,
        data_dir: Path,
        *,
        witness_dir: Path | None = None,
        clock: Clock | None = None,
        progress: Progress | None = None,
        bounds: Bounds | None = None,
        clock_is_right: bool = False,
        waiting: Callable[[int], None] = lambda until_us: None,
    ) -> "Life":
        """Recover the venue in `data_dir` and start it. Without a clock of the caller's it runs on the system's.

        `progress` is called in another thread. `clock_is_right`: somebody's word for the system's clock, however far it
        is from the last record. `waiting` is told until when the clock is waited for, if it is.

        It doesn't wait for read models that are far behind: what needs them is refused until they are there.

        Raises:
            JournalError: it could not be recovered or written, or another process has it; subclasses say why.
            ClockDoubtful: nothing was recorded.
            StateDoubtful: what was recovered did not hold.
        """
        if backup.is_backup(data_dir):
            raise BackupError(
                f"{data_dir} is a backup, and would be none any more: exchange restore puts it into a new data folder"
            )
        outbox, ending = Outbox(), Ending()
        writer = await WriterClient.start(data_dir, outbox.release, ending.journal_failed, witness_dir)
        life = None
        try:
            # With the writer's lock held nobody else can add to what is recovered here.
            now_us = clock.now_us if clock is not None else None
            recovered = await asyncio.to_thread(recover, data_dir, progress, witness_dir=witness_dir, now_us=now_us)
            if not recovered.seq:
                raise NoJournal(f"the journal in {data_dir} has no first record: the venue was not founded")
            outbox.begin(recovered.seq)
            outbox.backlog_bytes = lambda: writer.backlog_bytes
            life_clock = clock or await clock_after(recovered.state.time_us, confirmed=clock_is_right, waiting=waiting)
            life = cls(data_dir, recovered, life_clock, writer, outbox, ending, bounds or Bounds())
            await life._begin_unless_ended()
        except BaseException:
            await (writer.close() if life is None else life.close())
            raise
        return life

    async def settled(self) -> int:
        """The seq of the live state as it is now, once it is durable."""
        seq = self.state.seq
        await self._outbox.durable(seq)
        return seq

    # --- starting ---

    async def _begin_unless_ended(self) -> None:
        beginning = asyncio.create_task(self._begin())
        ending = asyncio.create_task(self._ending.wait())
        try:
            await asyncio.wait((beginning, ending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ending.cancel()
            if not beginning.done():
                beginning.cancel()
                await asyncio.wait((beginning,))
        if not beginning.cancelled():
            beginning.result()
            return
        end = await self._ending.wait()
        raise (WriterFailed if end.reason is Reason.JOURNAL_FAILED else StateDoubtful)(end.message)

    async def _begin(self) -> None:
        """The start's own records, then the past of the markets' data, then business."""
        recovered = self._recovered
        follower = await FollowerClient.start(self.data_dir, self._mismatch, self._follower_fault)
        self._follower = self._history.follower = follower
        follower.on_proof = self._read_models_proof
        self._outbox.on_durable = follower.durable
        follower.durable(recovered.seq)
        self._add_gauges()
        watchdog = Watchdog(
            self._bounds,
            self._outbox,
            follower,
            self.venue.intake,
            self._public,
            self._ending,
            self.clock.now_us,
            lambda: self._started and self._streams.early is not None,
        )
        watchdog.add_gauges(self._metrics)
        self._tasks.append(asyncio.create_task(watchdog.run(), name="watchdog"))
        for skipped in recovered.skipped:
            _log.warning("snapshot_skipped", reason=skipped)
        fault = self._last_fault()
        # After a loss nobody knows what the lost records began with.
        restarted = self.state.started_seq > 0 or self.state.epoch > 1
        restored_seq = backup.restored_seq(self.data_dir)
        self._committer.commit(StartProcess(build_id(), recovered.clean))
        if restored_seq is not None:
            # Seqs behind the backup's end were acknowledged, and will be given again: people decide about that.
            self._committer.commit(
                DropToCancelOnly(
                    f"restored from a backup that ends at record {restored_seq}; what came after it is not here"
                )
            )
        if fault is not None and fault.market is not None:
            self._committer.commit(ReportFault(fault.market, fault.error_id))
        await run_all_due(self._committer)
        await self._wait_for_past(follower)
        # A fault that no market answers for, damaged snapshots and doubts are a person's to look at first; and that
        # is on record, or the next start would know nothing of it.
        if recovered.skipped or self._doubted or (fault is not None and fault.market is None):
            self._committer.commit(DropToCancelOnly("what was found at the start is to be looked at first"))
        elif restored_seq is None:
            self._committer.commit(ResumeModes())
            if abs(self.clock.divergence_us()) > MAX_DIVERGENCE_US:
                self._committer.commit(
                    DropToCancelOnly("time stands still until the clock has reached the last record")
                )
        await self._outbox.durable(self.state.seq)
        if restored_seq is not None:
            backup.started(self.data_dir)
        timers = Timers(self.state, self.clock, self._committer, self._streams, follower, self._ending)
        self._tasks.append(asyncio.create_task(timers.run(), name="timers"))
        self._started = True
        self.venue.take_commands(restarted=restarted)
        _log.info("started", seq=self.state.seq, snapshot_seq=recovered.snapshot_seq, mode=str(self.state.venue_mode))

    def _last_fault(self) -> Faulted | None:
        """The fault that ended the last process, if one did: its record is the last."""
        seq = self._recovered.seq
        with JournalReader(self.data_dir) as journal:
            for record in journal.records(seq, seq):
                for event in record.events:
                    if isinstance(event, Faulted):
                        return event
        return None

    async def _wait_for_past(self, follower: FollowerClient) -> None:
        """Candles and tickers with their past, if they can have it soon."""
        loading = asyncio.create_task(self._load_past(follower), name="past")
        self._tasks.append(loading)
        failing = asyncio.create_task(follower.ended.wait())
        await asyncio.wait((loading, failing), timeout=PAST_WAIT_S, return_when=asyncio.FIRST_COMPLETED)
        failing.cancel()
        if not loading.done():
            _log.warning("started_without_past", reached=follower.reached, seq=self.state.seq)

    async def _load_past(self, follower: FollowerClient) -> None:
        """Candles and tickers go on from where the read models say they were."""
        streams, read_models = self._streams, self._history.read_models
        while (early := streams.early) is not None:
            if not await follower.wait_for(early.complete_after, _SAY_EVERY_S):
                _log.info("waiting_for_read_models", reached=follower.reached, seq=early.complete_after)
                continue
            now_us = self.clock.now_us()
            wanted = wanted_from(early.first_us(now_us))
            try:
                seq, past = await asyncio.to_thread(read_models.past, tuple(streams.feeds), wanted, now_us)
            except sqlite3.Error:
                _log.exception("past_not_read")
                await asyncio.sleep(_SAY_EVERY_S)
                continue
            if seq >= early.complete_after:
                streams.take_up_past(past, seq, self.clock.now_us())

    def _add_gauges(self) -> None:
        state, outbox = self.state, self._outbox
        self._metrics.gauges |= {
            "seq": ("Last record", lambda: state.seq),
            "read_models_proved_seq": (
                "Record up to which this process has found the history that is shown to be what the records say",
                self._proved_seq,
            ),
            "durable_lag_records": ("Records made and not durable yet", lambda: state.seq - outbox.durable_seq),
        }

    # --- doubts ---

    def _mismatch(self, mismatch: Mismatch) -> None:
        """The follower found a difference: where it is in our memory, the process ends; elsewhere, business."""
        _log.critical(
            "mismatch", check=str(mismatch.check), seq=mismatch.seq, expected=mismatch.expected, found=mismatch.found
        )
        self._doubted = True
        if self._ending.come:
            return
        message = f"the {mismatch.check} check found a difference at record {mismatch.seq}"
        if mismatch.check in (Check.DIGEST, Check.INVARIANT):
            self._outbox.seal()
            self._ending.end(Reason.STATE_DOUBTFUL, message)
        else:
            self._committer.commit(DropToCancelOnly(message))

    def _read_models_proof(self, proof: Proof) -> None:
        if proof.differences:
            _log.critical("read_models_untrue", differences=proof.differences)
        elif proof.gave_up:
            _log.warning("read_models_not_proved", reason=proof.gave_up)
        else:
            _log.info("read_models_proved", seq=proof.seq)

    def _proved_seq(self) -> int:
        proof = None if self._follower is None else self._follower.proof
        return 0 if proof is None or proof.differences else proof.seq

    def _vouched(self) -> Vouched | None:
        return None if self._follower is None else self._follower.vouched()

    def _follower_fault(self, message: str) -> None:
        _log.error("follower_fault", message=message)

    # --- ending ---

    async def ended(self) -> End:
        """Why the process must end, once it must; call `close` then."""
        return await self._ending.wait()

    @property
    def failed(self) -> bool:
        """Whether the process ends for another reason than that it was asked to."""
        return self._ending.failed

    async def stop(self, reason: str) -> None:
        """End in order: take nothing more, finish what waits, say so in the journal, have a snapshot made."""
        finishing = asyncio.create_task(self._finish(reason))
        failing = asyncio.create_task(self._ending.wait())
        await asyncio.wait((finishing, failing), timeout=STOP_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        if not finishing.done() and not failing.done():
            _log.error("stop_timed_out", seq=self.state.seq, durable_seq=self._outbox.durable_seq)
            if self._outbox.durable_seq < self.state.seq:
                self._ending.journal_failed(f"the last records were not durable after {STOP_TIMEOUT_S:.0f} s")
        failing.cancel()
        finishing.cancel()
        await asyncio.wait((finishing,))
        if not finishing.cancelled():
            finishing.result()  # a bug of ours is told, not passed over
        self._ending.end(Reason.STOPPED, reason)
        await self.close()

    async def _finish(self, reason: str) -> None:
        await self.venue.drain()
        if self._ending.come:
            return
        try:
            self._committer.commit(StopProcess(reason))
        except StateDoubtful:
            return  # `Ending` has the reason
        await self._outbox.durable(self.state.seq)
        if self._follower is None:
            return
        # A snapshot only makes the next start quicker: a follower far behind is not waited for.
        if await self._follower.wait_for(self.state.seq, CATCH_UP_S):
            await self._follower.snapshot()
        else:
            _log.warning("no_snapshot", reached=self._follower.reached, seq=self.state.seq)

    async def close(self) -> None:
        """End the processes beside us; what was handed to the writer becomes durable first, if it can."""
        if self._closed:
            return
        self._closed = True
        for task in self._tasks:
            task.cancel()
        failed = self._ending.come and (await self._ending.wait()).reason is Reason.JOURNAL_FAILED
        await (self._writer.close(FAILED_WRITER_S) if failed else self._writer.close())
        if self._follower is not None:
            await self._follower.close()
        self._history.close()
