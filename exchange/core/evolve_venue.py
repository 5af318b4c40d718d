"""Applying events of accounts, keys, money, listings, modes and process life; decides nothing."""

import msgspec

from exchange.core.state import Key, Market, State
from exchange.values.enums import Bucket
from exchange.values.events import (
    AccountOpened,
    AccountSettingsChanged,
    AdminAdded,
    AdminChanged,
    AdminRevoked,
    AssetListed,
    AutoResumeChanged,
    CommandProposed,
    Faulted,
    FeeTiersChanged,
    FiltersChanged,
    KeyAdded,
    KeyRevoked,
    LimitsChanged,
    MarketListed,
    ModeChanged,
    PauseChanged,
    Posted,
    ProcessStarted,
    ProcessStopped,
    ProposalEnded,
    Refused,
    RuleActivated,
    UserTierChanged,
    VenueFounded,
)
from exchange.values.maintenance import VenueKey


def posted(state: State, event: Posted) -> None:
    for leg in event.legs:
        account = state.accounts[leg.account]
        account.changed_seq = state.seq
        balance = account.balance(leg.asset)
        if leg.bucket is Bucket.AVAILABLE:
            balance.available_atoms += leg.atoms
        else:
            balance.locked_atoms += leg.atoms
    state.posted_seq = state.seq
    if event.reference:
        state.references[event.reference] = state.seq


def account_opened(state: State, event: AccountOpened) -> None:
    state.open_account(event.account, event.label)


def account_settings_changed(state: State, event: AccountSettingsChanged) -> None:
    state.accounts[event.account].settings = event.settings


def key_added(state: State, event: KeyAdded) -> None:
    account = state.accounts[event.account]
    key = Key(event.key_id, account, event.public_key, event.scopes, event.label)
    state.keys[event.key_id] = account.keys[event.key_id] = key
    state.key_ids[event.public_key] = event.key_id
    account.user.keyed = True


def key_revoked(state: State, event: KeyRevoked) -> None:
    key = state.keys.pop(event.key_id)
    del key.account.keys[event.key_id]
    del state.key_ids[key.public_key]
    state.spent_keys[key.public_key] = None


def admin_added(state: State, event: AdminAdded) -> None:
    state.admins[event.admin] = event.added
    state.admin_ids[event.added.public_key] = event.admin
    state.added_by[event.admin] = event.by
    if len(event.by) == 1:
        state.unheard[event.admin] = None


def admin_changed(state: State, event: AdminChanged) -> None:
    state.admins[event.admin] = msgspec.structs.replace(state.admins[event.admin], roles=event.roles)


def admin_revoked(state: State, event: AdminRevoked) -> None:
    public_key = state.admins.pop(event.admin).public_key
    del state.admin_ids[public_key]
    del state.added_by[event.admin]
    state.unheard.pop(event.admin, None)
    state.spent_keys[public_key] = None


def command_proposed(state: State, event: CommandProposed) -> None:
    state.proposals[event.proposal] = event


def proposal_ended(state: State, event: ProposalEnded) -> None:
    del state.proposals[event.proposal]


def user_tier_changed(state: State, event: UserTierChanged) -> None:
    state.users[event.user].tier = event.tier


def venue_founded(state: State, event: VenueFounded) -> None:
    state.venue = event.venue
    state.venue_public_key = event.venue_public_key
    state.venue_keys = (VenueKey(event.venue_public_key, state.seq),)


def asset_listed(state: State, event: AssetListed) -> None:
    state.assets[event.asset.symbol] = event.asset


def market_listed(state: State, event: MarketListed) -> None:
    state.markets[event.spec.symbol] = Market(event.spec, event.filters, state.time_us)


def filters_changed(state: State, event: FiltersChanged) -> None:
    state.markets[event.market].filters = event.filters


def fee_tiers_changed(state: State, event: FeeTiersChanged) -> None:
    state.fee_tiers = event.fee_tiers


def limits_changed(state: State, event: LimitsChanged) -> None:
    state.limits = event.limits


def auto_resume_changed(state: State, event: AutoResumeChanged) -> None:
    state.auto_resume = event.auto_resume


def rule_activated(state: State, event: RuleActivated) -> None:
    state.rules[event.rule] = None


def mode_changed(state: State, event: ModeChanged) -> None:
    if event.market is None:
        state.venue_mode = event.mode
        state.mode_reason = event.reason
        state.mode_changed_us = state.time_us
        state.mode_seq = state.seq
        state.resume_mode = None
    else:
        market = state.markets[event.market]
        market.mode = event.mode
        market.mode_reason = event.reason
        market.mode_changed_us = state.time_us
        market.mode_seq = state.seq


def pause_changed(state: State, event: PauseChanged) -> None:
    switch = (event.pause, event.asset or "")
    if event.paused:
        state.pauses[switch] = event.reason
    else:
        state.pauses.pop(switch, None)


def process_started(state: State, event: ProcessStarted) -> None:
    state.build = event.build
    state.stopped = False
    state.started_seq = state.seq
    state.failed_gates = None
    # A waiver without a window was for what failed at one start: not for what fails at this one.
    state.waivers = {(window, gate): said for (window, gate), said in state.waivers.items() if window}
    state.resume_mode = event.resume_mode
    # By id: the order in which accounts stand in memory is not the same after loading a snapshot.
    for account_id in sorted(held for held, account in state.accounts.items() if account.armed_sessions):
        for session in state.accounts[account_id].armed_sessions:
            state.orphaned[(account_id, session)] = None


def process_stopped(state: State, event: ProcessStopped) -> None:
    state.stopped = True


def nothing(state: State, event: Refused | Faulted) -> None:
    """A refusal and a fault are facts, and change nothing."""
