"""One entry to each half: `decide` a command, `evolve` an event, `fold` a record."""

from collections.abc import Callable
from typing import Any, Final, get_args

from exchange.core import (
    agreement,
    decide_accounts,
    decide_evidence,
    decide_orders,
    decide_venue,
    decide_windows,
    evolve_orders,
    evolve_venue,
    evolve_windows,
    refuse,
)
from exchange.core.state import State
from exchange.values import commands, events
from exchange.values.actors import senders
from exchange.values.commands import AnyCommand
from exchange.values.events import AnyEvent
from exchange.values.record import Record

_Decide = Callable[[State, int, Any], list[AnyEvent]]

_UNREAD: Final[dict[type, _Decide]] = {
    commands.PlaceOrder: decide_orders.place_order,
    commands.CancelOrder: decide_orders.cancel_order,
    commands.CancelAll: decide_orders.cancel_all,
    commands.CancelForAccount: decide_orders.cancel_for_account,
    commands.SetCancelAllAfter: decide_orders.set_cancel_all_after,
    commands.SetCancelOnDisconnect: decide_orders.set_cancel_on_disconnect,
    commands.UpdateAccount: decide_accounts.update_account,
    commands.Genesis: decide_venue.genesis,
    commands.StartProcess: decide_venue.start_process,
    commands.StopProcess: decide_venue.stop_process,
    commands.ResumeModes: decide_venue.resume_modes,
    commands.ReportFault: decide_venue.report_fault,
    commands.DropToCancelOnly: decide_venue.drop_to_cancel_only,
    commands.SetMode: decide_venue.set_mode,
    commands.SetPause: decide_venue.set_pause,
    commands.ListAsset: decide_venue.list_asset,
    commands.ListMarket: decide_venue.list_market,
    commands.SetFilters: decide_venue.set_filters,
    commands.SetFeeTiers: decide_venue.set_fee_tiers,
    commands.SetUserTier: decide_venue.set_user_tier,
    commands.SetLimits: decide_venue.set_limits,
    commands.SetAutoResume: decide_venue.set_auto_resume,
    commands.ActivateRule: decide_venue.activate_rule,
    commands.OpenAccount: decide_accounts.open_account,
    commands.AddKey: decide_accounts.add_key,
    commands.RevokeKey: decide_accounts.revoke_key,
    commands.AddAdmin: decide_accounts.add_admin,
    commands.ChangeAdmin: decide_accounts.change_admin,
    commands.RevokeAdmin: decide_accounts.revoke_admin,
    commands.WithdrawProposal: agreement.withdraw_proposal,
    commands.CreditDeposit: decide_accounts.credit_deposit,
    commands.PlanWindow: decide_windows.plan_window,
    commands.ChangeWindow: decide_windows.change_window,
    commands.CancelWindow: decide_windows.cancel_window,
    commands.BeginWindow: decide_windows.begin_window,
    commands.CancelAtClose: decide_windows.cancel_at_close,
    commands.BeginVerifying: decide_evidence.begin_verifying,
    commands.Certify: decide_evidence.certify,
    commands.ReportGates: decide_evidence.report_gates,
    commands.ApproveOpening: decide_evidence.approve_opening,
    commands.WaiveGate: decide_evidence.waive_gate,
    commands.StepWindow: decide_windows.step_window,
    commands.DelayWindow: decide_windows.delay_window,
    commands.RotateVenueKey: decide_evidence.rotate_venue_key,
    commands.AcceptLoss: decide_evidence.accept_loss,
}

#: Commands with text that people write.
WRITTEN: Final[tuple[type, ...]] = (*get_args(commands.AdminCommand), commands.Genesis, commands.AcceptLoss)


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
    events.OrderRested: evolve_orders.order_rested,
    events.Traded: evolve_orders.traded,
    events.OrderDone: evolve_orders.order_done,
    events.CancelAllAfterSet: evolve_orders.cancel_all_after_set,
    events.CancelOnDisconnectSet: evolve_orders.cancel_on_disconnect_set,
    events.Posted: evolve_venue.posted,
    events.AccountOpened: evolve_venue.account_opened,
    events.AccountSettingsChanged: evolve_venue.account_settings_changed,
    events.KeyAdded: evolve_venue.key_added,
    events.KeyRevoked: evolve_venue.key_revoked,
    events.AdminAdded: evolve_venue.admin_added,
    events.AdminChanged: evolve_venue.admin_changed,
    events.AdminRevoked: evolve_venue.admin_revoked,
    events.CommandProposed: evolve_venue.command_proposed,
    events.ProposalEnded: evolve_venue.proposal_ended,
    events.UserTierChanged: evolve_venue.user_tier_changed,
    events.VenueFounded: evolve_venue.venue_founded,
    events.AssetListed: evolve_venue.asset_listed,
    events.MarketListed: evolve_venue.market_listed,
    events.FiltersChanged: evolve_venue.filters_changed,
    events.FeeTiersChanged: evolve_venue.fee_tiers_changed,
    events.LimitsChanged: evolve_venue.limits_changed,
    events.AutoResumeChanged: evolve_venue.auto_resume_changed,
    events.RuleActivated: evolve_venue.rule_activated,
    events.ModeChanged: evolve_venue.mode_changed,
    events.PauseChanged: evolve_venue.pause_changed,
    events.ProcessStarted: evolve_venue.process_started,
    events.ProcessStopped: evolve_venue.process_stopped,
    events.WindowPlanned: evolve_windows.window_planned,
    events.WindowBegun: evolve_windows.window_begun,
    events.WindowClosed: evolve_windows.window_closed,
    events.WindowStageChanged: evolve_windows.window_stage_changed,
    events.CanaryOpened: evolve_windows.canary_opened,
    events.TimersFrozen: evolve_windows.timers_frozen,
    events.TimersThawed: evolve_windows.timers_thawed,
    events.CertificateIssued: evolve_windows.certificate_issued,
    events.GatesFailed: evolve_windows.gates_failed,
    events.OpeningApproved: evolve_windows.opening_approved,
    events.GateWaived: evolve_windows.gate_waived,
    events.VenueKeyRotated: evolve_windows.venue_key_rotated,
    events.EpochStarted: evolve_windows.epoch_started,
    events.Refused: evolve_venue.nothing,
    events.Faulted: evolve_venue.nothing,
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
    return command.lost_to_seq + 1 if type(command) is commands.AcceptLoss else state.seq + 1


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
