"""One entry to each half: `decide` a command, `evolve` an event, `fold` a record."""

from collections.abc import Callable
from typing import Any, Final, get_args

from exchange.core import refuse
from exchange.core.accounts.decide import add_key, open_account, revoke_key, set_user_tier, update_account
from exchange.core.accounts.evolve import (
    account_opened,
    account_settings_changed,
    key_added,
    key_revoked,
    user_tier_changed,
)
from exchange.core.listings.decide import list_asset, list_market, set_fee_tiers, set_filters, set_limits
from exchange.core.listings.evolve import (
    asset_listed,
    fee_tiers_changed,
    filters_changed,
    limits_changed,
    market_listed,
)
from exchange.core.modes.decide import drop_to_cancel_only, resume_modes, set_auto_resume, set_mode, set_pause
from exchange.core.modes.evolve import auto_resume_changed, mode_changed, pause_changed
from exchange.core.money.decide import credit_deposit
from exchange.core.money.evolve import posted
from exchange.core.orders import decide as decide_orders
from exchange.core.orders import evolve as evolve_orders
from exchange.core.people import agreement
from exchange.core.people.decide import add_admin, change_admin, revoke_admin
from exchange.core.people.evolve import admin_added, admin_changed, admin_revoked, command_proposed, proposal_ended
from exchange.core.process.decide import accept_loss, activate_rule, genesis, report_fault, start_process, stop_process
from exchange.core.process.evolve import (
    epoch_started,
    nothing,
    process_started,
    process_stopped,
    rule_activated,
    venue_founded,
)
from exchange.core.state import State
from exchange.core.windows.decide import (
    begin_window,
    cancel_at_close,
    cancel_window,
    change_window,
    delay_window,
    plan_window,
    step_window,
)
from exchange.core.windows.evidence import (
    approve_opening,
    begin_verifying,
    certify,
    report_gates,
    rotate_venue_key,
    waive_gate,
)
from exchange.core.windows.evolve import (
    canary_opened,
    certificate_issued,
    gate_waived,
    gates_failed,
    opening_approved,
    timers_frozen,
    timers_thawed,
    venue_key_rotated,
    window_begun,
    window_closed,
    window_planned,
    window_stage_changed,
)
from exchange.values.accounts.commands import AddKey, OpenAccount, RevokeKey, SetUserTier, UpdateAccount
from exchange.values.accounts.events import AccountOpened, AccountSettingsChanged, KeyAdded, KeyRevoked, UserTierChanged
from exchange.values.actors import senders
from exchange.values.commands import AdminCommand, AnyCommand
from exchange.values.events import AnyEvent
from exchange.values.listings.commands import ListAsset, ListMarket, SetFeeTiers, SetFilters, SetLimits
from exchange.values.listings.events import AssetListed, FeeTiersChanged, FiltersChanged, LimitsChanged, MarketListed
from exchange.values.modes.commands import DropToCancelOnly, ResumeModes, SetAutoResume, SetMode, SetPause
from exchange.values.modes.events import AutoResumeChanged, ModeChanged, PauseChanged
from exchange.values.money.commands import CreditDeposit
from exchange.values.money.events import Posted
from exchange.values.orders.commands import (
    CancelAll,
    CancelForAccount,
    CancelOrder,
    PlaceOrder,
    SetCancelAllAfter,
    SetCancelOnDisconnect,
)
from exchange.values.orders.events import (
    CancelAllAfterSet,
    CancelOnDisconnectSet,
    OrderDone,
    OrderPlaced,
    OrderRested,
    Traded,
)
from exchange.values.people.commands import AddAdmin, ChangeAdmin, RevokeAdmin, WithdrawProposal
from exchange.values.people.events import AdminAdded, AdminChanged, AdminRevoked, CommandProposed, ProposalEnded
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
from exchange.values.record import Record
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

_Decide = Callable[[State, int, Any], list[AnyEvent]]

_UNREAD: Final[dict[type, _Decide]] = {
    PlaceOrder: decide_orders.place_order,
    CancelOrder: decide_orders.cancel_order,
    CancelAll: decide_orders.cancel_all,
    CancelForAccount: decide_orders.cancel_for_account,
    SetCancelAllAfter: decide_orders.set_cancel_all_after,
    SetCancelOnDisconnect: decide_orders.set_cancel_on_disconnect,
    UpdateAccount: update_account,
    Genesis: genesis,
    StartProcess: start_process,
    StopProcess: stop_process,
    ResumeModes: resume_modes,
    ReportFault: report_fault,
    DropToCancelOnly: drop_to_cancel_only,
    SetMode: set_mode,
    SetPause: set_pause,
    ListAsset: list_asset,
    ListMarket: list_market,
    SetFilters: set_filters,
    SetFeeTiers: set_fee_tiers,
    SetUserTier: set_user_tier,
    SetLimits: set_limits,
    SetAutoResume: set_auto_resume,
    ActivateRule: activate_rule,
    OpenAccount: open_account,
    AddKey: add_key,
    RevokeKey: revoke_key,
    AddAdmin: add_admin,
    ChangeAdmin: change_admin,
    RevokeAdmin: revoke_admin,
    WithdrawProposal: agreement.withdraw_proposal,
    CreditDeposit: credit_deposit,
    PlanWindow: plan_window,
    ChangeWindow: change_window,
    CancelWindow: cancel_window,
    BeginWindow: begin_window,
    CancelAtClose: cancel_at_close,
    BeginVerifying: begin_verifying,
    Certify: certify,
    ReportGates: report_gates,
    ApproveOpening: approve_opening,
    WaiveGate: waive_gate,
    StepWindow: step_window,
    DelayWindow: delay_window,
    RotateVenueKey: rotate_venue_key,
    AcceptLoss: accept_loss,
}

#: Commands with text that people write.
WRITTEN: Final[tuple[type, ...]] = (*get_args(AdminCommand), Genesis, AcceptLoss)


def _read_first(decide_it: _Decide) -> _Decide:
    """`decide_it`, but of what holds a text that can't be seen whole: nobody can judge it, so nobody may ask for it."""

    def decided(state: State, time_us: int, command: Any) -> list[AnyEvent]:
        refusal = refuse.text(command)
        return decide_it(state, time_us, command) if refusal is None else refuse.refused(refusal)

    return decided


_DECIDE: Final[dict[type, _Decide]] = {
    command: _read_first(decide_it) if command in WRITTEN else decide_it for command, decide_it in _UNREAD.items()
}

_EVOLVE: Final[dict[type, Callable[[State, Any], None]]] = {
    OrderPlaced: nothing,
    OrderRested: evolve_orders.order_rested,
    Traded: evolve_orders.traded,
    OrderDone: evolve_orders.order_done,
    CancelAllAfterSet: evolve_orders.cancel_all_after_set,
    CancelOnDisconnectSet: evolve_orders.cancel_on_disconnect_set,
    Posted: posted,
    AccountOpened: account_opened,
    AccountSettingsChanged: account_settings_changed,
    KeyAdded: key_added,
    KeyRevoked: key_revoked,
    AdminAdded: admin_added,
    AdminChanged: admin_changed,
    AdminRevoked: admin_revoked,
    CommandProposed: command_proposed,
    ProposalEnded: proposal_ended,
    UserTierChanged: user_tier_changed,
    VenueFounded: venue_founded,
    AssetListed: asset_listed,
    MarketListed: market_listed,
    FiltersChanged: filters_changed,
    FeeTiersChanged: fee_tiers_changed,
    LimitsChanged: limits_changed,
    AutoResumeChanged: auto_resume_changed,
    RuleActivated: rule_activated,
    ModeChanged: mode_changed,
    PauseChanged: pause_changed,
    ProcessStarted: process_started,
    ProcessStopped: process_stopped,
    WindowPlanned: window_planned,
    WindowBegun: window_begun,
    WindowClosed: window_closed,
    WindowStageChanged: window_stage_changed,
    CanaryOpened: canary_opened,
    TimersFrozen: timers_frozen,
    TimersThawed: timers_thawed,
    CertificateIssued: certificate_issued,
    GatesFailed: gates_failed,
    OpeningApproved: opening_approved,
    GateWaived: gate_waived,
    VenueKeyRotated: venue_key_rotated,
    EpochStarted: epoch_started,
    Refused: nothing,
    Faulted: nothing,
}


class OutOfOrder(AssertionError):
    """A record that is not the next one: a bug of ours, never a client's doing."""


def decide(state: State, time_us: int, command: AnyCommand) -> list[AnyEvent]:
    """Everything `command` would cause at `time_us` (µs, not below `state.time_us`), or one `Refused`. Only reads.

    The record it becomes has seq `state.seq + 1`. If this raises, nothing has happened.
    """
    return _DECIDE[type(command)](state, time_us, command)


def next_seq(state: State, command: AnyCommand) -> int:
    """The seq of the record that `command` becomes: the next one, except behind a range that is lost for good."""
    return command.lost_to_seq + 1 if type(command) is AcceptLoss else state.seq + 1


def fold(state: State, record: Record) -> None:
    """Apply a record's events: the one way state changes, live and in recovery.

    If this raises, the state is doubtful and must be thrown away.

    Raises:
        OutOfOrder: `record.seq` is not the next seq, or its time lies before the last one's.
    """
    if record.seq != next_seq(state, record.command) or record.time_us < state.time_us:
        raise OutOfOrder(f"record {record.seq} at {record.time_us} after {state.seq} at {state.time_us}")
    state.seq = record.seq
    state.time_us = record.time_us
    if state.unheard:
        for admin in senders(record.command):
            state.unheard.pop(admin, None)
    for event in record.events:
        _EVOLVE[type(event)](state, event)
