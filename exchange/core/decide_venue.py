"""Deciding on accounts, keys, money, listings, modes and process life. Nothing here changes state."""

from binascii import Error as Base64Error
from binascii import a2b_base64

from exchange.core import refuse
from exchange.core.state import State
from exchange.rules.limits import MAX_KEYS_PER_ACCOUNT, MAX_SUBACCOUNT, MAX_TEXT
from exchange.rules.modes import is_step_up, lower, permits, transition
from exchange.rules.versions import RULES
from exchange.values.commands import (
    ActivateRule,
    AddAdmin,
    AddKey,
    AdminSpec,
    CreditDeposit,
    DropToCancelOnly,
    Genesis,
    ListAsset,
    ListedMarket,
    ListMarket,
    OpenAccount,
    ReportFault,
    ResumeModes,
    RevokeAdmin,
    RevokeKey,
    SetAutoResume,
    SetFeeTiers,
    SetFilters,
    SetLimits,
    SetMode,
    SetPause,
    SetUserTier,
    StartProcess,
    StopProcess,
    UpdateAccount,
)
from exchange.values.enums import Action, Mode, Pause, Role, Scope
from exchange.values.events import (
    AccountOpened,
    AccountSettingsChanged,
    AdminAdded,
    AdminRevoked,
    AnyEvent,
    AssetListed,
    AutoResumeChanged,
    FeeTiersChanged,
    FiltersChanged,
    KeyAdded,
    KeyRevoked,
    Leg,
    LimitsChanged,
    MarketListed,
    ModeChanged,
    PauseChanged,
    Posted,
    ProcessStarted,
    ProcessStopped,
    RuleActivated,
    UserTierChanged,
    VenueFounded,
)
from exchange.values.ids import CUSTODY, AdminId, KeyId, UserId, account_id, id_at, user_of
from exchange.values.numbers import E9, MAX_ATOMS
from exchange.values.refusals import Code, Refusal
from exchange.values.specs import AssetSpec, FeeTier, SpecError, spot_market

Decision = list[AnyEvent]


def _invalid(message: str) -> Decision:
    return refuse.refused(Refusal(Code.INVALID_CLIENT_REQUEST, message))


def _precondition(message: str) -> Decision:
    return refuse.refused(Refusal(Code.PRECONDITION_FAILED, message))


def _ed25519_key(text: str) -> bool:
    """Whether this is the canonical base64 of 32 bytes."""
    try:
        return len(text) == 44 and len(a2b_base64(text, strict_mode=True)) == 32
    except (Base64Error, ValueError):
        return False


# --- founding ------------------------------------------------------------------------------------------


def genesis(state: State, time_us: int, command: Genesis) -> Decision:
    """The first record. Markets start open under a venue that is OFFLINE until an admin opens it."""
    if state.seq:
        return _precondition("Genesis is the first record, and there is one")
    if not command.admins or not _ed25519_key(command.venue_public_key) or not command.fee_tiers:
        return _invalid("Genesis needs a venue key, an admin and a fee tier")
    events: Decision = [VenueFounded(command.venue, command.venue_public_key)]
    assets: dict[str, AssetSpec] = {}
    symbols: set[str] = set()
    keys: set[str] = set()
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
        return _invalid(str(error))
    events += [
        FeeTiersChanged(command.fee_tiers),
        LimitsChanged(command.limits),
        AutoResumeChanged(command.auto_resume),
    ]
    if len(command.admins) > 9:
        return _invalid("At most nine admins at genesis")
    for index, spec in enumerate(command.admins):
        if spec.public_key in keys or not _good_admin(spec):
            return _invalid(f"Admin {spec.name}: a name, a public key of its own and a role are needed")
        keys.add(spec.public_key)
        events.append(AdminAdded(AdminId(id_at(1, index + 1)), spec))
    return events


def _good_admin(spec: AdminSpec) -> bool:
    return bool(spec.name) and len(spec.name) <= MAX_TEXT and bool(spec.roles) and _ed25519_key(spec.public_key)


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


def start_process(state: State, time_us: int, command: StartProcess) -> Decision:
    """Every start puts the venue OFFLINE; the mode before is kept for `ResumeModes` where the build is the same."""
    open_before = state.venue_mode if state.venue_mode is not Mode.OFFLINE else state.resume_mode
    resume = open_before if command.build == state.build else None
    events: Decision = []
    if state.venue_mode is not Mode.OFFLINE:
        events.append(ModeChanged(Mode.OFFLINE, state.venue_mode, "the exchange is starting"))
    events.append(ProcessStarted(command.build, state.seq, command.clean, resume))
    return events


def stop_process(state: State, time_us: int, command: StopProcess) -> Decision:
    return [ProcessStopped(command.reason)]


def resume_modes(state: State, time_us: int, command: ResumeModes) -> Decision:
    if not state.auto_resume:
        return _precondition("The venue's policy is that an admin opens it after a start")
    if state.resume_mode is None:
        return _precondition("Another build, or a mode set since the start: an admin opens the venue")
    if state.orphaned:
        return _precondition("Orders of sessions that ended with the last process are still to be cancelled")
    return [ModeChanged(state.resume_mode, state.venue_mode, "resumed after a restart of the same build")]


def report_fault(state: State, time_us: int, command: ReportFault) -> Decision:
    market = state.markets.get(command.market)
    if market is None:
        return refuse.refused(refuse.UNKNOWN_MARKET)
    if market.mode is Mode.OFFLINE:
        return []
    return [ModeChanged(Mode.OFFLINE, market.mode, f"fault {command.error_id}", command.market)]


def drop_to_cancel_only(state: State, time_us: int, command: DropToCancelOnly) -> Decision:
    after = lower(state.venue_mode, Mode.CANCEL_ONLY)
    if after is state.venue_mode:
        return []
    return [ModeChanged(after, state.venue_mode, command.reason)]


def set_mode(state: State, time_us: int, command: SetMode) -> Decision:
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
        return _precondition(f"The mode is {before} already")
    step = transition(before, command.mode)
    if step is None:
        return _precondition(f"There is no step from {before} to {command.mode}")
    if command.market is None and is_step_up(before, command.mode) and state.orphaned:
        return _precondition("Orders of sessions that ended with the last process are still to be cancelled")
    refusal = refuse.admin(state, command.admin, step.role)
    if refusal is not None:
        return refuse.refused(refusal)
    return [ModeChanged(command.mode, before, command.reason, command.market)]


def set_pause(state: State, time_us: int, command: SetPause) -> Decision:
    refusal = refuse.admin(state, command.admin, Role.OPERATOR) or refuse.reason(command.reason)
    if refusal is not None:
        return refuse.refused(refusal)
    if command.asset is not None and command.asset not in state.assets:
        return _unknown_asset()
    if command.paused is ((command.pause, command.asset or "") in state.pauses):
        return _precondition(f"{command.pause} {'are paused' if command.paused else 'are not paused'} already")
    return [PauseChanged(command.pause, command.paused, command.reason, command.asset)]


def _unknown_asset() -> Decision:
    return refuse.refused(Refusal(Code.INVALID_ASSET, "Unknown asset"))


# --- listings and configuration ---------------------------------------------------------------------------


def list_asset(state: State, time_us: int, command: ListAsset) -> Decision:
    refusal = refuse.admin(state, command.admin, Role.OPERATOR)
    if refusal is not None:
        return refuse.refused(refusal)
    try:
        command.asset.check()
    except SpecError as error:
        return _invalid(str(error))
    if command.asset.symbol in state.assets:
        return _precondition("The asset is listed already")
    return [AssetListed(command.asset)]


def list_market(state: State, time_us: int, command: ListMarket) -> Decision:
    refusal = refuse.admin(state, command.admin, Role.OPERATOR)
    if refusal is not None:
        return refuse.refused(refusal)
    try:
        _check_listing(state.assets, command.market)
    except SpecError as error:
        return _invalid(str(error))
    if command.market.spec.symbol in state.markets:
        return _precondition("The market is listed already")
    return [MarketListed(command.market.spec, command.market.filters)]


def set_filters(state: State, time_us: int, command: SetFilters) -> Decision:
    refusal = refuse.admin(state, command.admin, Role.OPERATOR) or refuse.reason(command.reason)
    if refusal is not None:
        return refuse.refused(refusal)
    if command.market not in state.markets:
        return refuse.refused(refuse.UNKNOWN_MARKET)
    try:
        command.filters.check()
    except SpecError as error:
        return _invalid(str(error))
    return [FiltersChanged(command.market, command.filters)]


def set_fee_tiers(state: State, time_us: int, command: SetFeeTiers) -> Decision:
    refusal = refuse.admin(state, command.admin, Role.OPERATOR) or refuse.reason(command.reason)
    if refusal is not None:
        return refuse.refused(refusal)
    return _fee_tiers(state, command.fee_tiers)


def _fee_tiers(state: State, tiers: tuple[FeeTier, ...]) -> Decision:
    try:
        for tier in tiers:
            tier.check()
    except SpecError as error:
        return _invalid(str(error))
    highest = max((user.tier for user in state.users.values()), default=0)
    if len(tiers) <= highest:
        return _invalid(f"There are users in tier {highest}")
    return [FeeTiersChanged(tiers)]


def set_user_tier(state: State, time_us: int, command: SetUserTier) -> Decision:
    refusal = refuse.admin(state, command.admin, Role.OPERATOR) or refuse.reason(command.reason)
    if refusal is not None:
        return refuse.refused(refusal)
    if command.user not in state.users or not command.user:
        return _invalid("Unknown user")
    if not 0 <= command.tier < len(state.fee_tiers):
        return _invalid("Unknown tier")
    return [UserTierChanged(command.user, command.tier)]


def set_limits(state: State, time_us: int, command: SetLimits) -> Decision:
    refusal = refuse.admin(state, command.admin, Role.OPERATOR) or refuse.reason(command.reason)
    if refusal is not None:
        return refuse.refused(refusal)
    try:
        command.limits.check()
    except SpecError as error:
        return _invalid(str(error))
    return [LimitsChanged(command.limits)]


def set_auto_resume(state: State, time_us: int, command: SetAutoResume) -> Decision:
    refusal = refuse.admin(state, command.admin, Role.OPERATOR) or refuse.reason(command.reason)
    if refusal is not None:
        return refuse.refused(refusal)
    return [AutoResumeChanged(command.auto_resume)]


def activate_rule(state: State, time_us: int, command: ActivateRule) -> Decision:
    refusal = refuse.admin(state, command.admin, Role.OPERATOR) or refuse.reason(command.reason)
    if refusal is not None:
        return refuse.refused(refusal)
    if command.rule not in RULES:
        return _invalid("This build knows no rule version of that name")
    if command.rule in state.rules:
        return _precondition("The rule version is active already")
    return [RuleActivated(command.rule)]


# --- accounts, keys, admins, money ---------------------------------------------------------------------------


def open_account(state: State, time_us: int, command: OpenAccount) -> Decision:
    refusal = refuse.admin(state, command.admin, Role.SUPPORT)
    if refusal is not None:
        return refuse.refused(refusal)
    if not permits_new_accounts(state):
        return _precondition("New accounts are paused")
    user = UserId(state.seq + 1) if command.user is None else command.user
    if command.user is not None and (not user or user not in state.users):
        return _invalid("Unknown user")
    if not 0 <= command.subaccount <= MAX_SUBACCOUNT or len(command.label) > MAX_TEXT:
        return _invalid(f"A sub-account is 0 to {MAX_SUBACCOUNT}, a label at most {MAX_TEXT} characters")
    account = account_id(user, command.subaccount)
    if account in state.accounts:
        return _precondition("The account is open already")
    return [AccountOpened(account, command.label)]


def permits_new_accounts(state: State) -> bool:
    return (Pause.NEW_ACCOUNTS, "") not in state.pauses


def update_account(state: State, time_us: int, command: UpdateAccount) -> Decision:
    account = refuse.trader(state, command.account, command.key_id, Scope.TRADE)
    if isinstance(account, Refusal):
        return refuse.refused(account)
    if not E9 <= command.settings.leverage_limit_e9 <= 100 * E9:
        return _invalid("`leverageLimit` must be 1 to 100")
    return [AccountSettingsChanged(command.account, command.settings)]


def add_key(state: State, time_us: int, command: AddKey) -> Decision:
    refusal = refuse.admin(state, command.admin, Role.SUPPORT)
    if refusal is not None:
        return refuse.refused(refusal)
    account = state.accounts.get(command.account)
    if account is None or not user_of(command.account):
        return _invalid("Unknown account")
    if not _ed25519_key(command.public_key):
        return _invalid("A public key is the base64 of 32 bytes")
    if command.public_key in state.key_ids:
        return _precondition("The public key is in use")
    if not command.scopes or len(set(command.scopes)) != len(command.scopes) or len(command.label) > MAX_TEXT:
        return _invalid("Scopes are needed, each once")
    if len(account.keys) >= MAX_KEYS_PER_ACCOUNT:
        return _precondition(f"An account has at most {MAX_KEYS_PER_ACCOUNT} keys")
    key_id = KeyId(id_at(state.seq + 1))
    return [KeyAdded(key_id, command.account, command.public_key, command.scopes, command.label)]


def revoke_key(state: State, time_us: int, command: RevokeKey) -> Decision:
    refusal = refuse.admin(state, command.admin, Role.SUPPORT) or refuse.reason(command.reason)
    if refusal is not None:
        return refuse.refused(refusal)
    if command.key_id not in state.keys:
        return refuse.refused(refuse.NOT_FOUND)
    return [KeyRevoked(command.key_id)]


def add_admin(state: State, time_us: int, command: AddAdmin) -> Decision:
    refusal = refuse.admin(state, command.admin, Role.APPROVER) or refuse.reason(command.reason)
    if refusal is not None:
        return refuse.refused(refusal)
    if not _good_admin(command.added):
        return _invalid("A name, a public key and a role are needed")
    if command.added.public_key in state.admin_ids:
        return _precondition("The public key is in use")
    return [AdminAdded(AdminId(id_at(state.seq + 1)), command.added)]


def revoke_admin(state: State, time_us: int, command: RevokeAdmin) -> Decision:
    refusal = refuse.admin(state, command.admin, Role.APPROVER) or refuse.reason(command.reason)
    if refusal is not None:
        return refuse.refused(refusal)
    if command.revoked not in state.admins:
        return refuse.refused(refuse.NOT_FOUND)
    if len(state.admins) == 1:
        return _precondition("The last admin can't be revoked")
    return [AdminRevoked(command.revoked)]


def credit_deposit(state: State, time_us: int, command: CreditDeposit) -> Decision:
    refusal = refuse.admin(state, command.admin, Role.TREASURER)
    if refusal is not None:
        return refuse.refused(refusal)
    if command.asset not in state.assets:
        return _unknown_asset()
    if command.account not in state.accounts or not user_of(command.account):
        return _invalid("Unknown account")
    if not permits(state.venue_mode, state.paused(command.asset), Action.DEPOSIT):
        return _precondition(f"Deposits of {command.asset} are paused")
    if not 0 < len(command.reference) <= MAX_TEXT:
        return _invalid("A reference is needed")
    if command.reference in state.references:
        return _precondition("A deposit with this reference has been credited")
    custody = state.accounts[CUSTODY].balances.get(command.asset)
    held = -custody.available_atoms if custody is not None else 0
    if command.atoms <= 0 or held + command.atoms > MAX_ATOMS:
        return _invalid("The amount must be above zero, and all holdings of an asset below 2^62 atoms")
    legs = (
        Leg(command.account, command.asset, command.atoms),
        Leg(CUSTODY, command.asset, -command.atoms),
    )
    return [Posted("deposit", legs, command.reference)]
