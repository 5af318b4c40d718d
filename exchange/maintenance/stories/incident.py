"""The draft of a post-mortem: what the records of a span say of the venue, its gates and its accounts.

Facts are filled in; cause, impact in words and what changes are left to people. What the gateway
refused before it became a command is in no record, and the draft says so.
"""

from collections import Counter, deque
from pathlib import Path
from typing import Final

import msgspec

from exchange.core import State
from exchange.core.invariants import violations
from exchange.core.ledger import postings
from exchange.journal.errors import JournalDamaged
from exchange.journal.recovery import Progress
from exchange.journal.show import Units
from exchange.maintenance.evidence.messages import Finding, GatesReport
from exchange.maintenance.evidence.reading import Span, read
from exchange.maintenance.evidence.statements import totals
from exchange.maintenance.stories.incident_report import (
    Affected,
    Fault,
    GateRun,
    Happening,
    IncidentReport,
    Issued,
    ModeSpan,
    NetChange,
    Outage,
    RefusedCode,
)
from exchange.maintenance.stories.words import routine, say
from exchange.values.actors import account_of, actor
from exchange.values.enums import CancelReason
from exchange.values.events import AnyEvent
from exchange.values.ids import AccountId
from exchange.values.orders.events import OrderDone, Traded
from exchange.values.process.events import Faulted, ProcessStarted, Refused
from exchange.values.record import Record, placed_order
from exchange.values.windows.certificate import AssetTotal, read_certificate
from exchange.values.windows.events import CertificateIssued, GatesFailed

#: Lines of the timeline, faults and gate runs kept of each; the latest, the rest is counted.
MAX_LINES: Final = 10_000
#: Accounts listed: those hit hardest first.
MAX_ACCOUNTS: Final = 10_000


def investigate(data_dir: Path, span: Span, progress: Progress | None = None) -> IncidentReport:
    """Damaged records end it early, and are named in it.

    Raises:
        JournalError: the records before the span can't be read.
    """
    found = _Investigation(data_dir)
    damage = ""
    try:
        state = read(data_dir, span, found.see, progress)
    except JournalDamaged as error:
        if found.state is None:
            raise
        state, damage = found.state, str(error)
    return found.report(state, span, damage)


class _Account:
    """What is counted of an account."""

    __slots__ = ("ended", "faulted", "fills", "moved", "placed", "refused")

    def __init__(self) -> None:
        self.faulted = self.placed = self.fills = 0
        self.refused: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.moved: Counter[tuple[str, str]] = Counter()

    @property
    def weight(self) -> tuple[int, int, int, int]:
        """Faults first, then orders ended for them, then refusals, then the rest."""
        return self.faulted, self.ended.total(), self.refused.total(), self.fills


class _Code:
    __slots__ = ("accounts", "commands", "first_seq", "last_seq")

    def __init__(self, seq: int) -> None:
        self.commands = 0
        self.accounts: dict[AccountId, None] = {}
        self.first_seq = self.last_seq = seq


class _Investigation:
    """Takes in record after record."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        #: The state as it is folded, once there was a record.
        self.state: State | None = None
        self._units = Units()
        self._records = self._from_us = self._timeline_count = 0
        self._timeline: deque[Happening] = deque(maxlen=MAX_LINES)
        self._modes: list[ModeSpan] = []
        self._modes_may_differ = True
        self._outages: deque[Outage] = deque(maxlen=MAX_LINES)
        self._gate_runs: deque[GateRun] = deque(maxlen=MAX_LINES)
        self._issued: list[Issued] = []
        self._faults: deque[Fault] = deque(maxlen=MAX_LINES)
        self._codes: dict[str, _Code] = {}
        self._accounts: dict[AccountId, _Account] = {}
        self._totals: tuple[AssetTotal, ...] = ()
        self._losses_before = 0

    def see(self, state: State, record: Record) -> None:
        if self.state is None:
            self.state, self._totals, self._from_us = state, totals(state), record.time_us
            self._losses_before = len(state.losses)
        self._records += 1
        self._note_modes(state)
        for event in record.events:
            if not routine(event):
                self._note(state, record, event)
            self._count(state, record, event)
        placed = placed_order(record.command, record.events)
        if placed is not None:
            self._account(placed.account).placed += 1

    # --- the venue ---

    def _note(self, state: State, record: Record, event: AnyEvent) -> None:
        command, seq, time_us = record.command, record.seq, record.time_us
        self._modes_may_differ = True
        match event:
            case Refused():
                self._refused(seq, account_of(command), event)
            case ProcessStarted() if state.seq:
                self._outages.append(Outage(state.time_us, time_us, event.clean, event.build))
            case Faulted():
                account = account_of(command)
                self._faults.append(Fault(seq, type(command).__name__, account, event.market, event.error_id))
                if account is not None:
                    self._account(account).faulted += 1
            case GatesFailed():
                findings = self._findings(event.report)
                run = GateRun(seq, time_us, event.window, False, event.results, event.report, findings)
                self._gate_runs.append(run)
            case CertificateIssued():
                made = read_certificate(event.text)
                self._issued.append(Issued(event.certificate_id, seq, made))
                if made.gates:
                    self._gate_runs.append(GateRun(seq, time_us, made.window, True, made.gates))
        if type(event) is not Refused or account_of(command) is None:
            self._units.learn_state(state)
            self._timeline_count += 1
            said = say(event, self._units)
            self._timeline.append(Happening(seq, time_us, actor(command), type(command).__name__, said))

    def _findings(self, report: str) -> tuple[Finding, ...]:
        """The operators' report of a run, if it is still there."""
        try:
            return msgspec.json.decode(
                (self._data_dir / "reports" / f"{report}.json").read_bytes(), type=GatesReport
            ).findings
        except (OSError, msgspec.MsgspecError):
            return ()

    def _note_modes(self, state: State) -> None:
        """The modes in force after the last record."""
        if not self._modes_may_differ:
            return
        self._modes_may_differ = False
        now = {"": (state.venue_mode, state.mode_reason)}
        now |= {symbol: (market.mode, market.mode_reason) for symbol, market in state.markets.items()}
        last = {each.market: index for index, each in enumerate(self._modes)}
        for symbol, (mode, reason) in now.items():
            if symbol in last:
                before = self._modes[last[symbol]]
                if (before.mode, before.reason) == (mode, reason):
                    continue
                self._modes[last[symbol]] = msgspec.structs.replace(before, to_us=state.time_us)
            self._modes.append(ModeSpan(symbol, mode, reason, state.seq, state.time_us, None))

    def _refused(self, seq: int, account: AccountId | None, event: Refused) -> None:
        code = self._codes.setdefault(event.code, _Code(seq))
        code.commands += 1
        code.last_seq = seq
        if account is not None:
            code.accounts[account] = None
            self._account(account).refused[event.code] += 1

    # --- accounts ---

    def _account(self, account: AccountId) -> _Account:
        found = self._accounts.get(account)
        if found is None:
            found = self._accounts[account] = _Account()
        return found

    def _count(self, state: State, record: Record, event: AnyEvent) -> None:
        for _, leg in postings(state, event):
            self._account(leg.account).moved[leg.asset, leg.bucket] += leg.atoms
        if type(event) is Traded:
            self._account(event.taker_account).fills += 1
            self._account(event.maker_account).fills += 1
        elif type(event) is OrderDone and event.cancel_reason not in (None, CancelReason.USER):
            self._account(event.account).ended[str(event.cancel_reason)] += 1

    # --- the end ---

    def report(self, state: State, span: Span, damage: str) -> IncidentReport:
        self._modes_may_differ = True
        self._note_modes(state)
        self._units.learn_state(state)
        hardest = sorted(self._accounts.items(), key=lambda item: item[1].weight, reverse=True)
        return IncidentReport(
            venue=state.venue,
            from_seq=span.from_seq,
            to_seq=state.seq,
            from_us=self._from_us,
            to_us=state.time_us,
            records=self._records,
            damage=damage,
            timeline=tuple(self._timeline),
            timeline_omitted=self._timeline_count - len(self._timeline),
            modes=tuple(self._modes),
            outages=tuple(self._outages),
            gate_runs=tuple(self._gate_runs),
            certificates=tuple(self._issued),
            faults=tuple(self._faults),
            losses=state.losses[self._losses_before :],
            refusals=tuple(
                RefusedCode(code, of.commands, len(of.accounts), of.first_seq, of.last_seq)
                for code, of in sorted(self._codes.items())
            ),
            accounts=tuple(self._affected(account, of) for account, of in hardest[:MAX_ACCOUNTS]),
            accounts_omitted=max(0, len(hardest) - MAX_ACCOUNTS),
            totals_before=self._totals,
            totals_after=totals(state),
            violations=tuple(violations(state)),
        )

    def _affected(self, account: AccountId, of: _Account) -> Affected:
        moved = tuple(
            NetChange(asset, bucket, atoms, self._units.amount(asset, atoms))
            for (asset, bucket), atoms in sorted(of.moved.items())
            if atoms
        )
        return Affected(account, of.faulted, dict(of.refused), dict(of.ended), of.placed, of.fills, moved)
