"""Windows kept to time, and no opening without proof: the venue's own operator, beside the running venue.

Everything it does follows from the state alone, so after a crash in the middle of any step the next
process goes on from there. Times are the earliest moments: what is not proved by then is delayed.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import structlog

from exchange.core import decide, refuse
from exchange.core.digest import PARTITIONS, join, partition_digest
from exchange.core.modes.clearance import untouched, waived_by
from exchange.core.state import Window
from exchange.core.windows.scope import opening_problem, targets
from exchange.core.windows.view import in_post_only, opens_us, start_certificate, window_certificate
from exchange.maintenance.desk import Desk
from exchange.maintenance.evidence.messages import Progress, Request, Verdict
from exchange.maintenance.evidence.worker import CLOSING, GATES, WorkFailed, work
from exchange.maintenance.venue_key import VenueKeyError, seed_of
from exchange.runtime.core.life import Life
from exchange.values.commands import AnyCommand
from exchange.values.enums import Mode
from exchange.values.modes.views import ConditionView
from exchange.values.people.views import AdminView
from exchange.values.process.events import Refused
from exchange.values.refusals import Code, Refusal
from exchange.values.windows.certificate import CertificateKind
from exchange.values.windows.commands import BeginVerifying, BeginWindow, Certify, DelayWindow, ReportGates, StepWindow
from exchange.values.windows.plan import ENDED_STAGES, WindowId, WindowStage
from exchange.values.windows.views import VerificationView

#: How late a step may come.
TICK_S: Final = 0.2
#: Between two attempts at a certificate, where the process that makes it failed.
RETRY_S: Final = 30.0
#: How often it is seen whether the venue's key is at hand: before a window needs it, not when it does.
KEY_LOOK_S: Final = 10.0
#: How often a digest of the whole state is begun anew because something has happened meanwhile.
DIGEST_ATTEMPTS: Final = 5
#: A start without a window.
NO_WINDOW: Final = WindowId(0)

_NOT_UNDER_WAY: Final = Refusal(Code.PRECONDITION_FAILED, "The window is not shut and certified")
_WAITING_ALREADY: Final = Refusal(Code.PRECONDITION_FAILED, "The gates are running, or about to")

_NO_KEY: Final = "Certificates can't be made: the venue's key is not at hand"

_log = structlog.get_logger(__name__)


class Scheduler:
    """Moves windows on at their times and has certificates made, one at a time."""

    def __init__(self, life: Life, witness_dir: Path | None = None) -> None:
        self._life = life
        self._state = life.state
        self._witness_dir = witness_dir
        self._desk = Desk(life, self.run_gates)
        self._work: asyncio.Task[None] | None = None
        #: Windows whose gates somebody wants to run again, and those whose gates have failed in this process.
        self._asked: dict[WindowId, None] = {}
        self._failed: dict[WindowId, None] = {}
        self._retry_at: dict[WindowId, float] = {}
        self._key_look_at = 0.0
        #: Why no certificate can be signed, as it was said last; "" if one can.
        self._keyless = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """At work while the context lasts; what it had begun is ended with it."""
        watching = asyncio.create_task(self._run(), name="maintenance")
        self._life.venue.desk = self._desk
        try:
            yield
        finally:
            self._life.venue.desk = None
            for task in (watching, self._work):
                if task is not None:
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task

    def run_gates(self, window: WindowId, asked_by: AdminView, reason: str) -> Refusal | None:
        """Have the gates run again, for a window under way or (0) for the venue as it stands."""
        refusal = refuse.reason(reason)
        if refusal is not None:
            return refusal
        planned = self._state.windows.get(window)
        if window and (planned is None or not planned.under_way or not planned.closing_id):
            return _NOT_UNDER_WAY
        if window in self._asked:
            return _WAITING_ALREADY
        _log.info("gates_asked_for", window=window, admin=asked_by.admin, name=asked_by.name, reason=reason)
        self._asked[window] = None
        self._retry_at.pop(window, None)
        return None

    async def _run(self) -> None:
        while True:
            try:
                await self._tick()
            except Exception:
                _log.exception("maintenance_tick_failed")
            await asyncio.sleep(TICK_S)

    async def _tick(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._key_look_at:
            self._key_look_at = now_s + KEY_LOOK_S
            with suppress(VenueKeyError):
                self._seed()
        for window in tuple(self._state.windows.values()):
            if window.stage not in ENDED_STAGES:
                await self._move(window)
        if self._work is None or self._work.done():
            self._work = self._next_work()

    async def _execute(self, command: AnyCommand) -> bool:
        """Whether it was carried out; a refusal is on record with its reason."""
        outcome = await self._life.venue.execute(command)
        if outcome.refusal is not None:
            _log.warning("maintenance_refused", command=type(command).__name__, reason=outcome.refusal.message)
        return outcome.refusal is None

    # --- time ---

    async def _move(self, window: Window) -> None:
        """The step whose time has come, or a word on why it can't be taken."""
        state, now_us = self._state, self._life.clock.now_us()
        if not window.begun:
            if now_us >= window.plan.offline_at_us:
                await self._execute(BeginWindow(window.window_id))
            return
        if now_us < opens_us(state, window):
            return
        problem = self._problem(window, now_us)
        if problem is None:
            await self._execute(StepWindow(window.window_id))
        elif window.stage is not WindowStage.DELAYED or (not self._unproved(window) and window.reason != problem):
            # One that is delayed because it can't be proved goes on saying so.
            await self._execute(DelayWindow(window.window_id, problem))

    def _problem(self, window: Window, now_us: int) -> str | None:
        """Why the window can't take its next step now."""
        if in_post_only(self._state, window):
            for target in targets(window):
                problem = opening_problem(self._state, now_us, target)
                if problem is not None:
                    return problem
        match decide(self._state, now_us, StepWindow(window.window_id)):
            case [Refused(message=message)]:
                return message
        return None

    # --- evidence ---

    def _next_work(self) -> asyncio.Task[None] | None:
        """A closing certificate first, then the gates that are to run."""
        loop = asyncio.get_running_loop()
        shut = [window for window in self._state.windows.values() if window.under_way and window.closed]
        for window in shut:
            if not window.closing_id and self._retry_at.get(window.window_id, 0.0) <= loop.time():
                return loop.create_task(self._guarded(window.window_id, self._close(window)))
        if self._to_prove(NO_WINDOW, self._start_unproved()):
            return loop.create_task(self._guarded(NO_WINDOW, self._prove(NO_WINDOW, ())))
        # After the venue's own, since what counts for a market is the newest certificate that covers it.
        for window in shut:
            if window.closing_id and self._to_prove(window.window_id, self._unproved(window)):
                proof = self._prove(window.window_id, window.plan.markets)
                return loop.create_task(self._guarded(window.window_id, proof))
        return None

    async def _guarded(self, window: WindowId, work: Coroutine[Any, Any, None]) -> None:
        """A bug of ours in here keeps the scope shut, and is tried again, not at once."""
        try:
            await work
        except Exception:
            _log.exception("maintenance_work_failed", window=window)
            self._retry_later(window)

    def _unproved(self, window: Window) -> bool:
        return not in_post_only(self._state, window) and window_certificate(self._state, window) is None

    def _start_unproved(self) -> bool:
        """The venue is OFFLINE, no window will open it, and there is something to prove."""
        state = self._state
        return (
            state.venue_mode is Mode.OFFLINE
            and not untouched(state, None)
            and all(window.plan.markets for window in state.windows.values() if window.under_way)
            and start_certificate(state) is None
        )

    def _to_prove(self, window: WindowId, unproved: bool) -> bool:
        """By itself until they have failed in this process; then when somebody asks, or what failed has been waived."""
        if self._retry_at.get(window, 0.0) > asyncio.get_running_loop().time():
            return False
        failed = self._state.failed_gates
        waived = (
            failed is not None
            and failed.window == window
            and all(result.passed or waived_by(self._state, window, result.gate) for result in failed.results)
        )
        return window in self._asked or (unproved and (waived or window not in self._failed))

    async def _close(self, window: Window) -> None:
        verdict = await self._certificate(CertificateKind.CLOSING, window.window_id, window.plan.markets)
        if verdict is None:
            return
        if verdict.signed is not None:
            done = await self._execute(Certify(verdict.signed.text, verdict.signed.signature))
        else:
            done = False
            await self._execute(DelayWindow(window.window_id, verdict.reason))
        if not done:
            self._retry_later(window.window_id)

    async def _prove(self, window_id: WindowId, markets: tuple[str, ...]) -> None:
        window = self._state.windows.get(window_id)
        if window is not None and window.stage in (WindowStage.ONGOING, WindowStage.DELAYED):
            await self._execute(BeginVerifying(window_id))
        self._asked.pop(window_id, None)
        verdict = await self._certificate(CertificateKind.OPENING, window_id, markets)
        if verdict is None:
            return
        if verdict.signed is None:
            self._failed[window_id] = None
            await self._execute(ReportGates(window_id, verdict.results, verdict.reason, verdict.report))
            return
        self._failed.pop(window_id, None)
        if not await self._execute(Certify(verdict.signed.text, verdict.signed.signature)):
            self._retry_later(window_id)

    async def _certificate(self, kind: CertificateKind, window: WindowId, markets: tuple[str, ...]) -> Verdict | None:
        """What the process that makes the certificate says; None: it failed, and is tried again later."""
        life = self._life

        def show(progress: Progress) -> None:
            life.venue.show_progress(VerificationView(kind, window, progress.gate, progress.done, progress.total))

        life.venue.show_progress(VerificationView(kind, window))
        try:
            live_seq, live_digest = await self._live_digest()
            request = Request(
                data=str(life.data_dir),
                seed=self._seed(),
                time_us=life.clock.now_us(),
                witness=None if self._witness_dir is None else str(self._witness_dir),
                window=window,
                markets=markets,
                live_seq=live_seq,
                live_digest=live_digest,
            )
            return await work(CLOSING if kind is CertificateKind.CLOSING else GATES, request, show)
        except (WorkFailed, VenueKeyError, TimeoutError) as error:
            _log.error("certificate_failed", kind=str(kind), window=window, error=str(error))
            self._retry_later(window)
            if window:
                why = ": the venue's key is not at hand" if isinstance(error, VenueKeyError) else ""
                reason = f"the {kind} certificate could not be made{why}; it is tried again"
                await self._execute(DelayWindow(window, reason))
            return None
        finally:
            life.venue.show_progress(None)

    def _seed(self) -> str:
        """The seed of the venue's key in force; says in log and status when it goes, and when it is back.

        Raises:
            VenueKeyError
        """
        try:
            seed = seed_of(self._life.data_dir / "keys", self._state.venue_public_key)
        except VenueKeyError as error:
            self._say_key(str(error))
            raise
        self._say_key("")
        return seed

    def _say_key(self, problem: str) -> None:
        if problem == self._keyless:
            return
        self._keyless = problem
        shown: tuple[ConditionView, ...] = ()
        if problem:
            _log.warning("venue_key_not_at_hand", reason=problem)
            way_out = f"{problem}; put that key's file there: it is looked for every {KEY_LOOK_S:.0f} s"
            shown = (ConditionView("certificates", _NO_KEY, way_out, self._life.clock.now_us(), stops_orders=False),)
        else:
            _log.warning("venue_key_at_hand_again")
        self._life.venue.show_maintenance_conditions(shown)

    def _retry_later(self, window: WindowId) -> None:
        self._retry_at[window] = asyncio.get_running_loop().time() + RETRY_S

    async def _live_digest(self) -> tuple[int, str]:
        """(seq, digest) of the running state, taken part by part so that nothing waits for it.

        A venue that is shut stands still for it. Where other markets trade on it may not, and then
        (0, ""): the follower holds every part of the running state against the records all the time.
        """
        for _ in range(DIGEST_ATTEMPTS):
            seq = await self._life.settled()
            parts: list[str] = []
            while len(parts) < PARTITIONS and self._state.seq == seq:
                parts.append(partition_digest(self._state, len(parts)))
                await asyncio.sleep(0)
            if len(parts) == PARTITIONS and self._state.seq == seq:
                return seq, join(parts)
        return 0, ""
