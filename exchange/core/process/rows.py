"""The rows of the venue's own life."""

from typing import Final

from exchange.core.process import decide, evolve, words
from exchange.core.rows import BothAdmins, CommandRow, EventRow, Itself, LaneOf, TwoAdmins, Words
from exchange.values.enums import Role
from exchange.values.process.commands import AcceptLoss, ActivateRule, Genesis, ReportFault, StartProcess, StopProcess
from exchange.values.process.events import (
    EpochStarted,
    Faulted,
    ProcessStarted,
    ProcessStopped,
    Refused,
    RuleActivated,
    VenueFounded,
)

COMMANDS: Final = (
    CommandRow(Genesis, decide.genesis, Itself(written=True)),
    CommandRow(StartProcess, decide.start_process, Itself()),
    CommandRow(StopProcess, decide.stop_process, Itself()),
    CommandRow(ReportFault, decide.report_fault, Itself()),
    # For ever, and the build before can't go on with the journal.
    CommandRow(ActivateRule, decide.activate_rule, TwoAdmins(Role.OPERATOR)),
    CommandRow(AcceptLoss, decide.accept_loss, BothAdmins(Role.APPROVER), LaneOf.STANDSTILL),
)

EVENTS: Final = (
    EventRow(VenueFounded, evolve.venue_founded, Words.PLAIN, shown=True),
    EventRow(ProcessStarted, evolve.process_started, words.process_started, shown=True),
    EventRow(ProcessStopped, evolve.process_stopped, words.process_stopped),
    EventRow(RuleActivated, evolve.rule_activated, Words.PLAIN),
    EventRow(EpochStarted, evolve.epoch_started, words.epoch_started, shown=True),
    EventRow(Refused, evolve.nothing, words.refused),
    EventRow(Faulted, evolve.nothing, words.faulted),
)
