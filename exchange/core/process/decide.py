"""Deciding on founding, process life, rule versions and lost records. Nothing here changes state."""

from exchange.core import refuse
from exchange.core.accounts.decide import ed25519_key
from exchange.core.listings.decide import check_coin, check_listing
from exchange.core.people.decide import good_admin
from exchange.core.state import State
from exchange.core.windows.evidence import Decision
from exchange.rules.limits import MAX_MATCHES_PER_ORDER
from exchange.rules.versions import RULES
from exchange.values.enums import Mode, Role
from exchange.values.events import AnyEvent
from exchange.values.ids import AdminId, DepositId, UserId, id_at
from exchange.values.listings.events import AssetListed, FeeTiersChanged, LimitsChanged, MarketListed
from exchange.values.listings.specs import MAX_OPEN_ORDERS_PER_MARKET, AssetSpec, SpecError
from exchange.values.modes.events import AutoResumeChanged, ModeChanged
from exchange.values.people.events import AdminAdded
from exchange.values.process.commands import AcceptLoss, ActivateRule, Genesis, ReportFault, StartProcess, StopProcess
from exchange.values.process.events import (
    EpochStarted,
    MarketCounters,
    ProcessStarted,
    ProcessStopped,
    RuleActivated,
    VenueFounded,
)
from exchange.values.text import MAX_TEXT
from exchange.values.windows.events import (
    WindowBegun,
    WindowStageChanged,
)
from exchange.values.windows.plan import WindowStage


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
            check_coin(asset)
            if asset.symbol in assets:
                raise SpecError(f"{asset.symbol} is listed twice")
            assets[asset.symbol] = asset
            events.append(AssetListed(asset))
        for listed in command.markets:
            check_listing(assets, listed)
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


def report_fault(state: State, time_us: int, command: ReportFault) -> list[AnyEvent]:
    market = state.markets.get(command.market)
    if market is None:
        return refuse.refused(refuse.UNKNOWN_MARKET)
    if market.mode is Mode.OFFLINE:
        return []
    return [ModeChanged(Mode.OFFLINE, market.mode, f"fault {command.error_id}", command.market)]


def activate_rule(state: State, time_us: int, command: ActivateRule) -> list[AnyEvent]:
    if command.rule not in RULES:
        return refuse.invalid("This build knows no rule version of that name")
    if command.rule in state.rules:
        return refuse.precondition("The rule version is active already")
    return [RuleActivated(command.rule)]


def accept_loss(state: State, time_us: int, command: AcceptLoss) -> Decision:
    """The new epoch's counters lie beyond anything the lost records can have given away."""
    lost = command.lost_to_seq - state.seq
    if lost <= 0 or len(command.witness_chain) > MAX_TEXT:
        return refuse.precondition("Nothing is lost")
    counters = tuple(
        MarketCounters(
            market.symbol,
            market.trade_id + lost * MAX_MATCHES_PER_ORDER,
            market.update_id + lost * (MAX_OPEN_ORDERS_PER_MARKET + MAX_MATCHES_PER_ORDER),
        )
        for market in state.markets.values()
    )
    last_user, last_deposit = UserId(state.last_user + lost), DepositId(state.last_deposit + lost)
    events: Decision = [
        EpochStarted(state.epoch + 1, state.seq + 1, command.lost_to_seq, counters, last_user, last_deposit)
    ]
    if state.venue_mode is not Mode.OFFLINE:
        events.append(ModeChanged(Mode.OFFLINE, state.venue_mode, f"records were lost: {command.reason}"))
    return events
