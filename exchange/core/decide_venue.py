"""Deciding on founding, process life, modes, listings and configuration. Nothing here changes state."""

from exchange.core import refuse
from exchange.core.agreement import asker, by_two_if_there_are
from exchange.core.clearance import clearance, untouched
from exchange.core.decide_accounts import ed25519_key, good_admin
from exchange.core.decide_windows import opening_problem
from exchange.core.state import State
from exchange.rules.modes import is_step_up, lower, transition
from exchange.rules.versions import RULES
from exchange.values.commands import (
    ActivateRule,
    DropToCancelOnly,
    Genesis,
    ListAsset,
    ListedMarket,
    ListMarket,
    ReportFault,
    ResumeModes,
    SetAutoResume,
    SetFeeTiers,
    SetFilters,
    SetLimits,
    SetMode,
    SetPause,
    SetUserTier,
    StartProcess,
    StopProcess,
)
from exchange.values.enums import Mode, Pause, Role
from exchange.values.events import (
    AdminAdded,
    AnyEvent,
    AssetListed,
    AutoResumeChanged,
    FeeTiersChanged,
    FiltersChanged,
    LimitsChanged,
    MarketListed,
    ModeChanged,
    PauseChanged,
    ProcessStarted,
    ProcessStopped,
    RuleActivated,
    UserTierChanged,
    VenueFounded,
    WindowBegun,
    WindowStageChanged,
)
from exchange.values.ids import AdminId, id_at
from exchange.values.maintenance import WindowStage
from exchange.values.refusals import Refusal
from exchange.values.specs import AssetSpec, SpecError, spot_market

# --- founding ------------------------------------------------------------------------------------------


def genesis(state: State, time_us: int, command: Genesis) -> list[AnyEvent]:
    """The first record. Markets start open under a venue that is OFFLINE until an admin opens it."""
    if state.seq:
        return refuse.precondition("Genesis is the first record, and there is one")
    approver = any(Role.APPROVER in spec.roles for spec in command.admins)
    if not approver or not ed25519_key(command.venue_public_key) or not command.fee_tiers:
        return refuse.invalid("Genesis needs a venue key, an approver and a fee tier")
    events: list[AnyEvent] = [VenueFounded(command.venue, command.venue_public_key)]
    assets: dict[str, AssetSpec] = {}
    symbols: set[str] = set()
    keys = {command.venue_public_key}
    try:
        for asset in command.assets:
            asset.check()
            if asset.symbol in assets:
                raise SpecError(f"{asset.symbol} is listed twice")
            assets[asset.symbol] = asset
            events.append(AssetListed(asset))
        for listed in command.markets:
            _check_listing(assets, listed)
            if listed.spec.symbol in symbols:
                raise SpecError(f"{listed.spec.symbol} is listed twice")
            symbols.add(listed.spec.symbol)
            events.append(MarketListed(listed.spec, listed.filters))
            events.append(ModeChanged(Mode.FULL, Mode.OFFLINE, "genesis", listed.spec.symbol))
        for tier in command.fee_tiers:
            tier.check()
        command.limits.check()
    except SpecError as error:
        return refuse.invalid(str(error))
    events += [
        FeeTiersChanged(command.fee_tiers),
        LimitsChanged(command.limits),
        AutoResumeChanged(command.auto_resume),
    ]
    if len(command.admins) > 9:
        return refuse.invalid("At most nine admins at genesis")
    for index, spec in enumerate(command.admins):
        if spec.public_key in keys or not good_admin(spec):
            return refuse.invalid(f"Admin {spec.name}: a name, a public key of its own and a role are needed")
        keys.add(spec.public_key)
        events.append(AdminAdded(AdminId(id_at(1, index + 1)), spec))
    return events


def _check_listing(assets: dict[str, AssetSpec], listed: ListedMarket) -> None:
    """Raises SpecError."""
    spec = listed.spec
    base, quote = assets.get(spec.base), assets.get(spec.quote)
    if base is None or quote is None or base is quote:
        raise SpecError(f"{spec.symbol}: both assets must be listed, and differ")
    if spec != spot_market(base, quote, spec.tick_e9, spec.step_e9):
        raise SpecError(f"{spec.symbol}: the derived sizes are wrong")
    listed.filters.check()


# --- process life and modes ------------------------------------------------------------------------------


def start_process(state: State, time_us: int, command: StartProcess) -> list[AnyEvent]:
    """Every start puts the venue OFFLINE; the mode before is kept for `ResumeModes` where the build is the same."""
    open_before = state.venue_mode if state.venue_mode is not Mode.OFFLINE else state.resume_mode
    shut_for_window = [w for w in state.windows.values() if w.under_way and not w.plan.markets]
    resume = open_before if command.build == state.build and not shut_for_window else None
    events: list[AnyEvent] = []
    if state.venue_mode is not Mode.OFFLINE:
        events.append(ModeChanged(Mode.OFFLINE, state.venue_mode, "the exchange is starting"))
    events.append(ProcessStarted(command.build, state.seq, command.clean, resume))
    # A window under way goes back to being shut: what opens it is evidence of this start.
    for window in shut_for_window:
        events.append(WindowBegun(window.window_id, window.waiting))
        if window.stage is not WindowStage.ONGOING:
            events.append(WindowStageChanged(window.window_id, WindowStage.ONGOING))
    return events


def stop_process(state: State, time_us: int, command: StopProcess) -> list[AnyEvent]:
    return [ProcessStopped(command.reason)]


def resume_modes(state: State, time_us: int, command: ResumeModes) -> list[AnyEvent]:
    if not state.auto_resume:
        return refuse.precondition("The venue's policy is that an admin opens it after a start")
    if state.resume_mode is None:
        return refuse.precondition("Another build, or a mode set since the start: an admin opens the venue")
    if state.orphaned:
        return refuse.precondition("Orders of sessions that ended with the last process are still to be cancelled")
    return [ModeChanged(state.resume_mode, state.venue_mode, "resumed after a restart of the same build")]


def report_fault(state: State, time_us: int, command: ReportFault) -> list[AnyEvent]:
    market = state.markets.get(command.market)
    if market is None:
        return refuse.refused(refuse.UNKNOWN_MARKET)
    if market.mode is Mode.OFFLINE:
        return []
    return [ModeChanged(Mode.OFFLINE, market.mode, f"fault {command.error_id}", command.market)]


def drop_to_cancel_only(state: State, time_us: int, command: DropToCancelOnly) -> list[AnyEvent]:
    """Of a venue that is shut already all that is left is that it doesn't resume by itself, now or at a later start."""
    after = lower(state.venue_mode, Mode.CANCEL_ONLY)
    if after is state.venue_mode and state.resume_mode is None:
        return []
    return [ModeChanged(after, state.venue_mode, command.reason)]


def set_mode(state: State, time_us: int, command: SetMode) -> list[AnyEvent]:
    refusal = refuse.admin(state, command.admin, Role.OPERATOR) or refuse.reason(command.reason)
    if refusal is not None:
        return refuse.refused(refusal)
    if command.market is None:
        before = state.venue_mode
    else:
        market = state.markets.get(command.market)
        if market is None:
            return refuse.refused(refuse.UNKNOWN_MARKET)
        before = market.mode
    if before is command.mode:
        return refuse.precondition(f"The mode is {before} already")
    step = transition(before, command.mode)
    if step is None:
        return refuse.precondition(f"There is no step from {before} to {command.mode}")
    if command.market is None and is_step_up(before, command.mode) and state.orphaned:
        return refuse.precondition("Orders of sessions that ended with the last process are still to be cancelled")
    refusal = refuse.admin(state, command.admin, step.role)
    if refusal is None and is_step_up(before, command.mode):
        refusal = clearance(state, command.market, before, command.admin)
        if refusal is None and before is Mode.POST_ONLY:
            problem = opening_problem(state, time_us, command.market)
            if problem is not None:
                return refuse.precondition(problem)
    if refusal is not None:
        return refuse.refused(refusal)
    return [ModeChanged(command.mode, before, command.reason, command.market)]


def set_pause(state: State, time_us: int, command: SetPause) -> list[AnyEvent]:
    refusal = refuse.admin(state, command.admin, Role.OPERATOR) or refuse.reason(command.reason)
    if refusal is not None:
        return refuse.refused(refusal)
    if command.asset is not None and command.asset not in state.assets:
        return refuse.unknown_asset()
    if command.pause is Pause.NEW_ACCOUNTS and command.asset is not None:
        return refuse.invalid("New accounts are paused as a whole, not for an asset")
    if command.paused is ((command.pause, command.asset or "") in state.pauses):
        return refuse.precondition(f"{command.pause} {'are paused' if command.paused else 'are not paused'} already")
    return [PauseChanged(command.pause, command.paused, command.reason, command.asset)]


# --- listings and configuration ---------------------------------------------------------------------------


def list_asset(state: State, time_us: int, command: ListAsset) -> list[AnyEvent]:
    refusal = asker(state, command)
    if refusal is not None:
        return refuse.refused(refusal)
    try:
        command.asset.check()
    except SpecError as error:
        return refuse.invalid(str(error))
    if command.asset.symbol in state.assets:
        return refuse.precondition("The asset is listed already")
    return by_two_if_there_are(state, time_us, command, [AssetListed(command.asset)])


def list_market(state: State, time_us: int, command: ListMarket) -> list[AnyEvent]:
    refusal = asker(state, command)
    if refusal is not None:
        return refuse.refused(refusal)
    try:
        _check_listing(state.assets, command.market)
    except SpecError as error:
        return refuse.invalid(str(error))
    if command.market.spec.symbol in state.markets:
        return refuse.precondition("The market is listed already")
    listed: list[AnyEvent] = [MarketListed(command.market.spec, command.market.filters)]
    return by_two_if_there_are(state, time_us, command, listed)


def set_filters(state: State, time_us: int, command: SetFilters) -> list[AnyEvent]:
    """They say at which prices everybody's orders may fill, so they take two once a market has been used."""
    harmless = command.market in state.markets and untouched(state, command.market)
    refusal = _by_operator(state, command) if harmless else asker(state, command)
    if refusal is not None:
        return refuse.refused(refusal)
    if command.market not in state.markets:
        return refuse.refused(refuse.UNKNOWN_MARKET)
    try:
        command.filters.check()
    except SpecError as error:
        return refuse.invalid(str(error))
    changed: list[AnyEvent] = [FiltersChanged(command.market, command.filters)]
    return changed if harmless else by_two_if_there_are(state, time_us, command, changed)


def _by_operator(state: State, command: SetFilters | SetFeeTiers | SetAutoResume) -> Refusal | None:
    return refuse.admin(state, command.admin, Role.OPERATOR) or refuse.reason(command.reason)


def set_fee_tiers(state: State, time_us: int, command: SetFeeTiers) -> list[AnyEvent]:
    """They take from everybody, so they take two once anybody has something here."""
    harmless = untouched(state, None)
    refusal = _by_operator(state, command) if harmless else asker(state, command)
    if refusal is not None:
        return refuse.refused(refusal)
    try:
        for tier in command.fee_tiers:
            tier.check()
    except SpecError as error:
        return refuse.invalid(str(error))
    highest = max((user.tier for user in state.users.values()), default=0)
    if len(command.fee_tiers) <= highest:
        return refuse.invalid(f"There are users in tier {highest}")
    changed: list[AnyEvent] = [FeeTiersChanged(command.fee_tiers)]
    return changed if harmless else by_two_if_there_are(state, time_us, command, changed)


def set_user_tier(state: State, time_us: int, command: SetUserTier) -> list[AnyEvent]:
    refusal = refuse.admin(state, command.admin, Role.OPERATOR) or refuse.reason(command.reason)
    if refusal is not None:
        return refuse.refused(refusal)
    if command.user not in state.users or not command.user:
        return refuse.invalid("Unknown user")
    if not 0 <= command.tier < len(state.fee_tiers):
        return refuse.invalid("Unknown tier")
    return [UserTierChanged(command.user, command.tier)]


def set_limits(state: State, time_us: int, command: SetLimits) -> list[AnyEvent]:
    refusal = refuse.admin(state, command.admin, Role.OPERATOR) or refuse.reason(command.reason)
    if refusal is not None:
        return refuse.refused(refusal)
    try:
        command.limits.check()
    except SpecError as error:
        return refuse.invalid(str(error))
    return [LimitsChanged(command.limits)]


def set_auto_resume(state: State, time_us: int, command: SetAutoResume) -> list[AnyEvent]:
    """Off at once; on, a start opens the venue without anybody's approval."""
    harmless = not command.auto_resume
    refusal = _by_operator(state, command) if harmless else asker(state, command)
    if refusal is not None:
        return refuse.refused(refusal)
    changed: list[AnyEvent] = [AutoResumeChanged(command.auto_resume)]
    return changed if harmless else by_two_if_there_are(state, time_us, command, changed)


def activate_rule(state: State, time_us: int, command: ActivateRule) -> list[AnyEvent]:
    """For ever, and the build before can't go on with the journal: two say so."""
    refusal = asker(state, command)
    if refusal is not None:
        return refuse.refused(refusal)
    if command.rule not in RULES:
        return refuse.invalid("This build knows no rule version of that name")
    if command.rule in state.rules:
        return refuse.precondition("The rule version is active already")
    return by_two_if_there_are(state, time_us, command, [RuleActivated(command.rule)])
