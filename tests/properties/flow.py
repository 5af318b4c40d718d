"""Random flows of commands for a small venue: few prices, few traders, so that everything meets everything.

Half of them are of orders, accounts and people as they meet most; the other half is of every command there is, each as
its subject's probes make it, so a new one is in them by itself.
"""

import random
from collections.abc import Iterator
from importlib import import_module
from typing import Final

from hypothesis import strategies as st

from exchange.core.machine import COMMANDS, SUBJECTS
from exchange.core.orders.client_ids import HELD_US
from exchange.values.accounts.commands import AddKey, SetUserTier
from exchange.values.commands import AnyCommand
from exchange.values.enums import Mode, Role, Scope, SelfTradePrevention, Side, TimeInForce
from exchange.values.ids import AccountId, AdminId, OrderId, ProposalId, user_of
from exchange.values.listings.commands import SetFeeTiers
from exchange.values.modes.commands import SetAutoResume, SetMode
from exchange.values.orders.commands import SetCancelAllAfter
from exchange.values.people.admins import AdminSpec
from exchange.values.people.commands import AddAdmin, ChangeAdmin, RevokeAdmin, WithdrawProposal
from tests.core.windows.by_hand import second_approver
from tests.probes import Numbers, Probe, Scene
from tests.venue import ADMIN, TIERS, Venue, public_key

#: What hypothesis chooses for one command: a kind and small numbers, so that shrinking works.
Choice = tuple[int, int, int, int, int]
#: Kinds below this are those of `command`; from here on they are the commands, in the order of their rows.
EVERY_COMMAND: Final = 16


def _flows(last_kind: int) -> st.SearchStrategy[list[Choice]]:
    numbers = (st.integers(0, 3), st.integers(0, 1), st.integers(-6, 6), st.integers(1, 12))
    return st.lists(st.tuples(st.integers(0, last_kind), *numbers), min_size=1, max_size=60)


#: By command, all subjects' together.
PROBES: Final[dict[type, Probe]] = {
    probe.kind: probe
    for subject in SUBJECTS
    for probe in import_module(subject.__name__.replace("exchange.", "tests.").replace(".rows", ".probes")).PROBES
}
ORDER_FLOWS = _flows(EVERY_COMMAND - 1)
FLOWS = ORDER_FLOWS | _flows(EVERY_COMMAND + len(COMMANDS) - 1)

START = {"SOL": 3 * 10**9, "USDC": 300 * 10**6}


def open_venue() -> tuple[Venue, list[AccountId]]:
    """An open venue of two people with four accounts, the last two of one user, the second in the tier without fees."""
    venue = Venue().open()
    accounts = [venue.account(START) for _ in range(3)]
    accounts.append(venue.account(START, accounts[2], 1))
    venue.expect(SetUserTier(ADMIN, user_of(accounts[1]), 1, "test"))
    second_approver(venue)
    return venue, accounts


def command(venue: Venue, accounts: list[AccountId], choice: Choice) -> AnyCommand:
    """The command a choice stands for, in the venue as it is."""
    kind, who, which, offset, lots = choice
    if kind >= EVERY_COMMAND:
        probe = PROBES[list(COMMANDS)[kind - EVERY_COMMAND]]
        return probe.flow(Scene(venue, accounts, second_approver(venue)), Numbers(who, which, offset, lots))
    account = accounts[who]
    side = (Side.BID, Side.ASK)[which]
    price = 10_000 + offset * 5
    lots *= 7
    client_id = lots % 20 if kind in (1, 5, 8) else None
    stp = tuple(SelfTradePrevention)[lots % 3]
    if kind <= 4:
        return venue.limit(account, side, price, lots, client_id=client_id, stp=stp)
    if kind == 5:
        return venue.limit(account, side, price, lots, TimeInForce.IOC, client_id=client_id, stp=stp)
    if kind == 6:
        return venue.limit(account, side, price, lots, TimeInForce.FOK, stp=stp)
    if kind == 7:
        return venue.limit(account, side, price, lots, post_only=True)
    if kind == 8:
        return venue.market(account, side, lots, stp=stp, slippage_ticks=abs(offset) * 5, client_id=client_id)
    if kind == 9:
        return venue.market(account, side, quote_atoms=lots * 1_000_003, stp=stp)
    orders = sorted(venue.state.accounts[account].orders)
    if kind == 10:
        return venue.cancel(account, orders[lots % len(orders)] if orders else OrderId(10))
    if kind == 11:
        return venue.cancel_client_id(account, lots % 20) if which else venue.cancel_all(account)
    if kind == 12:
        return SetCancelAllAfter(account, venue.key(account), lots * 1_000)
    if kind == 14:
        venue.time_us += HELD_US // 8 * lots  # so that an ended order's client id may become free again
        return SetCancelAllAfter(account, venue.key(account), 0)
    if kind == 15:
        return _of_people(venue, account, who + 4 * which, lots)
    # From below these, only evidence leads up again: see test_windows.
    mode = (Mode.POST_ONLY, Mode.LIMIT_ONLY, Mode.FULL)[lots % 3]
    return SetMode(ADMIN, mode, "test", None if which else "SOL_USDC")


def _of_people(venue: Venue, account: AccountId, which: int, number: int) -> AnyCommand:
    """What takes two, by either of the two: few terms, so that they meet; nobody but those it has added goes."""
    state = venue.state
    admin = (ADMIN, second_approver(venue))[number % 2]
    added = [each for each, spec in sorted(state.admins.items()) if spec.name == "flow"]
    target = added[number % len(added)] if added else AdminId(number)
    waiting = sorted(state.proposals)
    of_flow = number % 5
    made = (
        AddAdmin(admin, AdminSpec("flow", public_key(900_000 + of_flow), (Role.AUDITOR,)), "test"),
        ChangeAdmin(admin, target, (Role.AUDITOR, Role.SUPPORT)[: 1 + of_flow % 2], "test"),
        RevokeAdmin(admin, target, "test"),
        AddKey(admin, account, public_key(901_000 + of_flow), (Scope.READ,), reason="test"),
        SetFeeTiers(admin, (*TIERS, TIERS[of_flow % 2]), "test"),
        SetAutoResume(admin, True, "test"),
        SetAutoResume(admin, False, "test"),
        WithdrawProposal(admin, waiting[number % len(waiting)] if waiting else ProposalId(1), "test"),
    )
    return made[which]


def random_choices(seed: int, count: int) -> Iterator[Choice]:
    """A long flow without hypothesis, the same for the same seed in every process."""
    source = random.Random(seed)
    for _ in range(count):
        kind = 14 if not source.randrange(300) else source.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 11, 12, 15))
        yield kind, source.randrange(4), source.randrange(2), source.randrange(-6, 7), source.randrange(1, 13)
