"""The rows of maintenance windows."""

from typing import Final

from exchange.core.rows import Admin, CommandRow, EventRow, Itself, TwoAdmins, Words
from exchange.core.windows import decide, due, evidence, evolve, words
from exchange.values.enums import Role
from exchange.values.windows.commands import (
    ApproveOpening,
    BeginVerifying,
    BeginWindow,
    CancelAtClose,
    CancelWindow,
    Certify,
    ChangeWindow,
    DelayWindow,
    PlanWindow,
    ReportGates,
    RotateVenueKey,
    StepWindow,
    WaiveGate,
)
from exchange.values.windows.events import (
    CanaryOpened,
    CertificateIssued,
    GatesFailed,
    GateWaived,
    OpeningApproved,
    TimersFrozen,
    TimersThawed,
    VenueKeyRotated,
    WindowBegun,
    WindowClosed,
    WindowPlanned,
    WindowStageChanged,
)

COMMANDS: Final = (
    CommandRow(PlanWindow, decide.plan_window, Admin(Role.OPERATOR, reason="plan.reason")),
    CommandRow(ChangeWindow, decide.change_window, Admin(Role.OPERATOR, reason="plan.reason")),
    CommandRow(CancelWindow, decide.cancel_window, Admin(Role.OPERATOR)),
    CommandRow(ApproveOpening, evidence.approve_opening, Admin(Role.APPROVER)),
    CommandRow(WaiveGate, evidence.waive_gate, Admin(Role.APPROVER)),
    CommandRow(RotateVenueKey, evidence.rotate_venue_key, TwoAdmins(Role.APPROVER)),
    CommandRow(BeginWindow, decide.begin_window, Itself()),
    CommandRow(CancelAtClose, decide.cancel_at_close, Itself(), due=due.cancel_at_close),
    CommandRow(BeginVerifying, evidence.begin_verifying, Itself()),
    CommandRow(Certify, evidence.certify, Itself()),
    CommandRow(ReportGates, evidence.report_gates, Itself()),
    CommandRow(StepWindow, decide.step_window, Itself()),
    CommandRow(DelayWindow, decide.delay_window, Itself()),
)

EVENTS: Final = (
    EventRow(WindowPlanned, evolve.window_planned, words.window_planned, shown=True),
    EventRow(WindowBegun, evolve.window_begun, words.window_begun, shown=True),
    EventRow(WindowClosed, evolve.window_closed, words.window_closed, shown=True),
    EventRow(WindowStageChanged, evolve.window_stage_changed, words.window_stage_changed, shown=True),
    EventRow(CanaryOpened, evolve.canary_opened, words.canary_opened, shown=True),
    EventRow(TimersFrozen, evolve.timers_frozen, Words.PLAIN),
    EventRow(TimersThawed, evolve.timers_thawed, Words.PLAIN),
    EventRow(CertificateIssued, evolve.certificate_issued, words.certificate_issued, shown=True),
    EventRow(GatesFailed, evolve.gates_failed, words.gates_failed, shown=True),
    EventRow(OpeningApproved, evolve.opening_approved, words.opening_approved, shown=True),
    EventRow(GateWaived, evolve.gate_waived, words.gate_waived, shown=True),
    EventRow(VenueKeyRotated, evolve.venue_key_rotated, Words.PLAIN),
)
