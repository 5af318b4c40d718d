"""What each admin command takes, found out by trying it on the real core: every role, pair and, where it takes as many,
three people, each with one role, in a venue with other approvers who keep still."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement
from typing import Final

from exchange.core import State, decide, fold, next_seq
from exchange.core.modes.clearance import waived_by
from exchange.core.snapshot import dump, load
from exchange.rules.versions import BAND_BY_SIDE
from exchange.values.accounts.commands import AddKey, OpenAccount, RevokeKey, SetUserTier
from exchange.values.commands import AnyCommand
from exchange.values.enums import Mode, Pause, Role, Scope, Side
from exchange.values.ids import AccountId, AdminId, ProposalId, UserId, account_id, user_of
from exchange.values.listings.commands import ListAsset, ListMarket, SetFeeTiers, SetFilters, SetLimits
from exchange.values.listings.specs import AssetSpec, FeeTier, Limits, ListedMarket, MarketFilters, spot_market
from exchange.values.modes.commands import DropToCancelOnly, SetAutoResume, SetMode, SetPause
from exchange.values.money.commands import CreditDeposit
from exchange.values.people.admins import AdminSpec
from exchange.values.people.commands import AddAdmin, ChangeAdmin, RevokeAdmin, WithdrawProposal
from exchange.values.people.events import AdminAdded, CommandProposed
from exchange.values.process.commands import ActivateRule
from exchange.values.process.events import Refused
from exchange.values.record import Record
from exchange.values.windows.certificate import Gate
from exchange.values.windows.commands import (
    ApproveOpening,
    CancelWindow,
    ChangeWindow,
    PlanWindow,
    RotateVenueKey,
    StepWindow,
    WaiveGate,
)
from exchange.values.windows.plan import WindowId, WindowPlan, WindowStage
from tests.core.windows import by_hand as m
from tests.venue import ADMIN, FILTERS, SOL_USDC, TIERS, USDC, Venue, deposit, public_key

BTC: Final = AssetSpec("BTC", 8, "Bitcoin")
BTC_USDC: Final = spot_market(BTC, USDC, 100_000_000, 10_000)
ETH: Final = AssetSpec("ETH", 8, "Ether")
ETH_USDC: Final = spot_market(ETH, USDC, 100_000_000, 10_000)
WIDE: Final = MarketFilters(reference_price_ticks=1)
NEW_KEYS: Final = tuple(public_key(number) for number in (990, 993, 994))
NEW_ADMIN: Final = AdminSpec("a friend", public_key(991), tuple(Role))
HOUR_US: Final = 3_600_000_000
WHY: Final = "test"
UNHEARD: Final = "mistyped"

Roles = tuple[Role, ...]


class Staff:
    """An open venue that has traded; of each role three people with that role alone, and one with all of them."""

    def __init__(self) -> None:
        self.venue = venue = Venue()
        second = m.second_approver(venue)
        venue.agree(ListAsset(ADMIN, BTC, WHY), second)
        venue.agree(ListMarket(ADMIN, ListedMarket(BTC_USDC, FILTERS), WHY), second)
        self.second = second
        self.of: dict[Role, list[AdminId]] = {
            role: [self._add(f"{role} {n}", (role,)) for n in range(3)] for role in Role
        }
        self.everything = self._add("everything", tuple(Role))
        venue.open()
        ann, bob = (venue.account({"USDC": 10**12, "SOL": 10**12}) for _ in range(2))
        venue.expect(venue.limit(ann, Side.BID, 10_000, 10))
        venue.expect(venue.limit(bob, Side.ASK, 10_000, 5))

    def _add(self, name: str, roles: Roles) -> AdminId:
        spec = AdminSpec(name, public_key(800 + self.venue.state.seq), roles)
        [added] = self.venue.agree(AddAdmin(ADMIN, spec, WHY), self.second)
        assert isinstance(added, AdminAdded)
        return added.admin


Asked = Callable[[State, AdminId], Iterable[AnyCommand]]


@dataclass(frozen=True)
class Power:
    """One thing to bring about: what somebody sends for it in a venue made ready, and how one sees that it happened."""

    row: str
    command: type
    asked: Asked
    happened: Callable[[State], bool]
    ready: Callable[[Staff], object] = lambda staff: None


@dataclass(frozen=True)
class Ready:
    """A venue made ready, as a snapshot to start each try from."""

    power: Power
    image: bytes
    time_us: int
    staff: Staff


@cache
def ready(power: Power) -> Ready:
    staff = Staff()
    power.ready(staff)
    return Ready(power, dump(staff.venue.state), staff.venue.time_us, staff)


def tried(start: Ready, people: Sequence[AdminId], asked: Sequence[Asked], rounds: int = 2) -> bool:
    """Whether these people ever bring it about by sending all of that, each in turn, over and over."""
    state, time_us = load(start.image), start.time_us
    for _ in range(rounds):
        for person in people:
            for ask in asked:
                for command in ask(state, person):
                    time_us += 1_000
                    events = decide(state, time_us, command)
                    if any(isinstance(event, Refused) for event in events):
                        continue
                    fold(state, Record(next_seq(state, command), time_us, command, events))
                    if start.power.happened(state):
                        return True
    return False


def people_with(staff: Staff, roles: Roles) -> list[AdminId]:
    """So many different people, each with one of the roles."""
    return [staff.of[role][roles[:index].count(role)] for index, role in enumerate(roles)]


@cache
def takes(power: Power) -> tuple[Roles, ...]:
    """The least sets of people, by their roles, who bring it about."""
    start = ready(power)
    found: list[Roles] = []
    for size in (1, 2, 3):
        for roles in combinations_with_replacement(Role, size):
            if any(all(roles.count(role) >= less.count(role) for role in less) for less in found):
                continue
            if tried(start, people_with(start.staff, roles), [power.asked]):
                found.append(roles)
        if found and size > 1:
            break
    return tuple(found)


# --- what there is to bring about ------------------------------------------------------------------------------


def _approve(state: State, admin: AdminId) -> Iterable[AnyCommand]:
    return [ApproveOpening(admin, each, WHY) for each in list(state.certificates)[-1:]]


def _up(mode: Mode) -> Asked:
    return lambda state, admin: [*_approve(state, admin), SetMode(admin, mode, WHY)]


def _approve_and_step(state: State, admin: AdminId) -> Iterable[AnyCommand]:
    """The venue steps by itself once it may."""
    return [*_approve(state, admin), *(StepWindow(window) for window in state.windows)]


def _venue_is(*modes: Mode) -> Callable[[State], bool]:
    return lambda state: state.venue_mode in modes


def _shut(mode: Mode) -> Callable[[Staff], None]:
    """An operator has shut it, and its gates have passed since."""

    def shut(staff: Staff) -> None:
        staff.venue.expect(SetMode(ADMIN, mode, WHY))
        if mode in (Mode.OFFLINE, Mode.CANCEL_ONLY):
            m.certify(staff.venue)

    return shut


def _window_proved(staff: Staff) -> None:
    window = m.plan(staff.venue)
    m.shut(staff.venue, window)
    m.certify(staff.venue, window)
    staff.venue.time_us = staff.venue.state.windows[window].plan.full_at_us + HOUR_US


def _window_braked(staff: Staff) -> None:
    """It has opened to POST_ONLY; then the venue braked by itself, and its gates passed again."""
    _window_proved(staff)
    venue = staff.venue
    m.approve(venue, list(venue.state.certificates)[-1], ADMIN, staff.second)
    venue.expect(StepWindow(list(venue.state.windows)[-1]))
    venue.expect(DropToCancelOnly(WHY))
    m.certify(venue, list(venue.state.windows)[-1])


def _window_planned(staff: Staff) -> None:
    m.plan(staff.venue)


def _gate_failed(staff: Staff) -> None:
    m.fail(staff.venue, WindowId(0), Gate.CUSTODY)


def _two_approvers_left(staff: Staff) -> None:
    first, last, _ = staff.of[Role.APPROVER]
    staff.venue.expect(RevokeAdmin(ADMIN, staff.second, WHY))
    for each in (staff.of[Role.APPROVER][2], staff.everything):
        staff.venue.expect(RevokeAdmin(ADMIN, each, WHY))
    staff.venue.expect(RevokeAdmin(first, ADMIN, WHY))
    assert last in staff.venue.state.admins


def _second_unheard(staff: Staff) -> None:
    """The first of the approvers was alone, and has added another."""
    _two_approvers_left(staff)
    first, last, _ = staff.of[Role.APPROVER]
    staff.venue.agree(RevokeAdmin(first, last, WHY), last)
    spec = AdminSpec(UNHEARD, public_key(995), (Role.APPROVER,))
    staff.venue.expect(AddAdmin(first, spec, WHY))


def _added_alone(state: State) -> list[AdminId]:
    return [admin for admin, spec in state.admins.items() if spec.name == UNHEARD]


def _proposed(staff: Staff) -> None:
    [event] = staff.venue.expect(AddAdmin(ADMIN, AdminSpec("x", public_key(992), (Role.AUDITOR,)), WHY))
    assert isinstance(event, CommandProposed)


def _waiting(state: State) -> list[ProposalId]:
    return [each.proposal for each in state.proposals.values() if each.command.admin == ADMIN]


def _named(state: State, role: Role) -> list[AdminId]:
    """Those who were added with one role, in that order, whatever theirs is now."""
    return [admin for admin, spec in state.admins.items() if spec.name.startswith(role)]


def _last_auditor(state: State) -> list[AdminId]:
    return _named(state, Role.AUDITOR)[2:]


def _last_approver(state: State) -> list[AdminId]:
    return _named(state, Role.APPROVER)[1:2]


def _plan_at(offline_at_us: int) -> WindowPlan:
    return WindowPlan(offline_at_us, offline_at_us + HOUR_US, offline_at_us + HOUR_US, "upgrade")


def _first_user(state: State) -> UserId:
    return min(user for user in state.users if user)


def _account(state: State) -> AccountId:
    return account_id(_first_user(state))


def _fresh_account(staff: Staff) -> None:
    staff.venue.expect(OpenAccount(ADMIN))


def _fresh(state: State) -> AccountId:
    return max(state.accounts)


POWERS: Final = (
    Power(
        "`mode` down",
        SetMode,
        lambda s, a: [SetMode(a, Mode.CANCEL_ONLY, WHY)],
        _venue_is(Mode.CANCEL_ONLY),
    ),
    Power(
        "`mode` up from OFFLINE, once the gates have passed",
        SetMode,
        _up(Mode.POST_ONLY),
        _venue_is(Mode.POST_ONLY),
        _shut(Mode.OFFLINE),
    ),
    Power(
        "`mode` up from CANCEL_ONLY, once the gates have passed",
        SetMode,
        _up(Mode.FULL),
        _venue_is(Mode.FULL),
        _shut(Mode.CANCEL_ONLY),
    ),
    Power("`mode` up from POST_ONLY", SetMode, _up(Mode.FULL), _venue_is(Mode.FULL), _shut(Mode.POST_ONLY)),
    Power(
        "`mode` up, a market that has never traded",
        SetMode,
        lambda s, a: [SetMode(a, Mode.POST_ONLY, WHY, "BTC_USDC")],
        lambda s: s.markets["BTC_USDC"].mode is Mode.POST_ONLY,
    ),
    Power(
        "`pause`",
        SetPause,
        lambda s, a: [SetPause(a, Pause.DEPOSITS, True, WHY)],
        lambda s: bool(s.pauses),
    ),
    Power(
        "`pause --off`",
        SetPause,
        lambda s, a: [SetPause(a, Pause.DEPOSITS, False, WHY)],
        lambda s: not s.pauses,
        lambda staff: staff.venue.expect(SetPause(ADMIN, Pause.DEPOSITS, True, WHY)),
    ),
    Power(
        "`account open`",
        OpenAccount,
        lambda s, a: [OpenAccount(a, label="a friend")],
        lambda s: any(account.label == "a friend" for account in s.accounts.values()),
    ),
    Power(
        "`key add`, a new user's first one, on an empty account",
        AddKey,
        lambda s, a: [AddKey(a, _fresh(s), NEW_KEYS[0], (Scope.TRADE,), reason=WHY)],
        lambda s: NEW_KEYS[0] in s.key_ids,
        _fresh_account,
    ),
    Power(
        "`key add`, any other",
        AddKey,
        lambda s, a: [AddKey(a, _account(s), NEW_KEYS[1], (Scope.TRADE,), reason=WHY)],
        lambda s: NEW_KEYS[1] in s.key_ids,
    ),
    Power(
        "`key revoke`",
        RevokeKey,
        lambda s, a: [RevokeKey(a, key, WHY) for key in s.accounts[_account(s)].keys],
        lambda s: not s.accounts[_account(s)].keys,
    ),
    Power(
        "`deposit`",
        CreditDeposit,
        lambda s, a: [deposit(s, _account(s), "SOL", 10**9, "a gift", a)],
        lambda s: "a gift" in s.sources[""].references if s.sources else False,
    ),
    Power(
        "`user-tier`",
        SetUserTier,
        lambda s, a: [SetUserTier(a, user_of(_account(s)), 1, WHY)],
        lambda s: s.users[_first_user(s)].tier == 1,
    ),
    Power(
        "`fee-tiers`",
        SetFeeTiers,
        lambda s, a: [SetFeeTiers(a, (FeeTier("all", 100_000, 100_000), *TIERS[1:]), WHY)],
        lambda s: s.fee_tiers[0].name == "all",
    ),
    Power(
        "`list-asset`",
        ListAsset,
        lambda s, a: [ListAsset(a, ETH, WHY)],
        lambda s: "ETH" in s.assets,
    ),
    Power(
        "`list-market`",
        ListMarket,
        lambda s, a: [ListMarket(a, ListedMarket(ETH_USDC, FILTERS), WHY)],
        lambda s: "ETH_USDC" in s.markets,
        lambda staff: staff.venue.agree(ListAsset(ADMIN, ETH, WHY), staff.second),
    ),
    Power(
        "`filters`, a market that has never traded",
        SetFilters,
        lambda s, a: [SetFilters(a, "BTC_USDC", WIDE, WHY)],
        lambda s: s.markets["BTC_USDC"].filters == WIDE,
    ),
    Power(
        "`filters`, any other",
        SetFilters,
        lambda s, a: [SetFilters(a, SOL_USDC.symbol, WIDE, WHY)],
        lambda s: s.markets[SOL_USDC.symbol].filters == WIDE,
    ),
    Power(
        "`limits`",
        SetLimits,
        lambda s, a: [SetLimits(a, Limits(7), WHY)],
        lambda s: s.limits == Limits(7),
    ),
    Power(
        "`auto-resume --off`",
        SetAutoResume,
        lambda s, a: [SetAutoResume(a, False, WHY)],
        lambda s: not s.auto_resume,
        lambda staff: staff.venue.agree(SetAutoResume(ADMIN, True, WHY), staff.second),
    ),
    Power(
        "`auto-resume --on`",
        SetAutoResume,
        lambda s, a: [SetAutoResume(a, True, WHY)],
        lambda s: s.auto_resume,
    ),
    Power(
        "`rule activate`",
        ActivateRule,
        lambda s, a: [ActivateRule(a, BAND_BY_SIDE, WHY)],
        lambda s: bool(s.rules),
    ),
    Power(
        "`admin add`",
        AddAdmin,
        lambda s, a: [AddAdmin(a, NEW_ADMIN, WHY)],
        lambda s: s.admin_of(NEW_ADMIN.public_key) is not None,
    ),
    Power(
        "`admin change`",
        ChangeAdmin,
        lambda s, a: [ChangeAdmin(a, each, (Role.APPROVER,), WHY) for each in _last_auditor(s)],
        lambda s: any(Role.APPROVER in s.admins[each].roles for each in _last_auditor(s)),
    ),
    Power(
        "`admin revoke`, two approvers stay",
        RevokeAdmin,
        lambda s, a: [RevokeAdmin(a, each, WHY) for each in _last_auditor(s)],
        lambda s: not _last_auditor(s),
    ),
    Power(
        "`admin revoke`, one of the last two approvers",
        RevokeAdmin,
        lambda s, a: [RevokeAdmin(a, each, WHY) for each in _last_approver(s)],
        lambda s: not _last_approver(s),
        _two_approvers_left,
    ),
    Power(
        "`admin revoke`, the second approver, by who added them alone, if never heard of",
        RevokeAdmin,
        lambda s, a: [RevokeAdmin(a, each, WHY) for each in _added_alone(s)],
        lambda s: not _added_alone(s),
        _second_unheard,
    ),
    Power(
        "`withdraw`, another's proposal",
        WithdrawProposal,
        lambda s, a: [WithdrawProposal(a, each, WHY) for each in _waiting(s)],
        lambda s: not _waiting(s),
        _proposed,
    ),
    Power(
        "`window plan`",
        PlanWindow,
        lambda s, a: [PlanWindow(a, _plan_at(s.time_us + HOUR_US))],
        lambda s: bool(s.windows),
    ),
    Power(
        "`window change`",
        ChangeWindow,
        lambda s, a: [ChangeWindow(a, each, _plan_at(s.time_us + 50 * HOUR_US)) for each in s.windows],
        lambda s: any(w.plan.offline_at_us > s.time_us + 49 * HOUR_US for w in s.windows.values()),
        _window_planned,
    ),
    Power(
        "`window cancel`",
        CancelWindow,
        lambda s, a: [CancelWindow(a, each, WHY) for each in s.windows],
        lambda s: any(w.stage is WindowStage.CANCELLED for w in s.windows.values()),
        _window_planned,
    ),
    Power(
        "`approve`, until a window opens",
        ApproveOpening,
        _approve_and_step,
        _venue_is(Mode.POST_ONLY, Mode.FULL),
        _window_proved,
    ),
    Power(
        "`approve`, until a window goes on after the venue braked",
        ApproveOpening,
        _approve_and_step,
        _venue_is(Mode.FULL),
        _window_braked,
    ),
    Power(
        "`waive`",
        WaiveGate,
        lambda s, a: [WaiveGate(a, WindowId(0), Gate.CUSTODY, WHY)],
        lambda s: bool(waived_by(s, WindowId(0), Gate.CUSTODY)),
        _gate_failed,
    ),
    Power(
        "`rotate-key`",
        RotateVenueKey,
        lambda s, a: [RotateVenueKey(a, NEW_KEYS[2], True, WHY)],
        lambda s: s.venue_public_key == NEW_KEYS[2],
    ),
)
