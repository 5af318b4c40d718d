"""Two people are two people: who makes whom, what a proposal is worth and how long, whose a public key is."""

import pytest
from msgspec.structs import replace

from exchange.core import State, decide
from exchange.core.modes.clearance import clearance
from exchange.core.people.view import people_view
from exchange.core.snapshot import dump, load
from exchange.rules.limits import MAX_ADMINS, MAX_PROPOSALS, MAX_PROPOSALS_PER_ADMIN, PROPOSAL_LIFE_US
from exchange.values.accounts.commands import AddKey, OpenAccount, RevokeKey
from exchange.values.accounts.events import KeyAdded
from exchange.values.commands import AnyCommand, TwoPeopleCommand
from exchange.values.enums import Mode, Pause, ProposalEnd, Role, Scope, Side
from exchange.values.ids import AdminId, ProposalId
from exchange.values.listings.commands import SetFeeTiers
from exchange.values.listings.events import FeeTiersChanged
from exchange.values.modes.commands import DropToCancelOnly, SetMode, SetPause
from exchange.values.people.admins import AdminSpec
from exchange.values.people.commands import AddAdmin, ChangeAdmin, RevokeAdmin, WithdrawProposal
from exchange.values.people.events import AdminAdded, AdminChanged, AdminRevoked, CommandProposed, ProposalEnded
from exchange.values.process.events import Refused
from exchange.values.refusals import Code
from exchange.values.windows.commands import RotateVenueKey
from exchange.values.windows.events import VenueKeyRotated
from tests.core.windows import by_hand as m
from tests.venue import ADMIN, ALL_ROLES, TIERS, Venue, deposit, genesis, public_key

AUDITOR = AdminSpec("auditor", public_key(601), (Role.AUDITOR,))


def approver(number: int, *roles: Role) -> AdminSpec:
    return AdminSpec(f"approver {number}", public_key(610 + number), (Role.APPROVER, *roles))


def refused(venue: Venue, command: AnyCommand) -> Code:
    [event] = venue.do(command)
    assert isinstance(event, Refused), event
    return event.code


def added(venue: Venue, spec: AdminSpec, second: AdminId) -> AdminId:
    [event] = venue.agree(AddAdmin(ADMIN, spec, "test"), second)
    assert isinstance(event, AdminAdded)
    assert event.by == (ADMIN, second)
    return event.admin


def proposed(venue: Venue, command: TwoPeopleCommand) -> ProposalId:
    [event] = venue.expect(command)
    assert isinstance(event, CommandProposed), event
    return event.proposal


@pytest.fixture
def two() -> tuple[Venue, AdminId]:
    """An open venue with a past, and its second approver."""
    venue = Venue().open()
    ann, bob = (venue.account({"USDC": 10**12, "SOL": 10**12}) for _ in range(2))
    venue.expect(venue.limit(ann, Side.BID, 10_000, 10))
    venue.expect(venue.limit(bob, Side.ASK, 10_000, 5))
    return venue, m.second_approver(venue)


def test_one_approver_alone_makes_nobody_who_asks_for_them(two: tuple[Venue, AdminId]) -> None:
    """The step from CANCEL_ONLY to FULL, and money, by an admin of one's own making."""
    venue, _ = two
    venue.expect(DropToCancelOnly("a doubt"))
    certificate = m.certify(venue)
    friend = AdminSpec("friend", public_key(620), (Role.OPERATOR, Role.TREASURER, Role.SUPPORT))
    for _ in range(3):
        venue.do(AddAdmin(ADMIN, friend, "mine"))
        venue.do(ChangeAdmin(ADMIN, ADMIN, tuple(Role), "mine"))
    m.approve(venue, certificate, ADMIN)
    assert len(venue.state.admins) == 2
    assert refused(venue, SetMode(ADMIN, Mode.FULL, "alone")) is Code.PRECONDITION_FAILED


def test_the_first_approver_adds_the_second_and_nobody_else() -> None:
    venue = Venue()
    assert people_view(venue.state).standing.startswith("one person")
    assert refused(venue, AddAdmin(ADMIN, AUDITOR, "help")) is Code.PRECONDITION_FAILED
    [event] = venue.expect(AddAdmin(ADMIN, approver(1), "the second"))
    assert isinstance(event, AdminAdded)
    assert people_view(venue.state).standing == f"2 approvers; {event.admin} was added by {ADMIN} alone"
    assert venue.expect(AddAdmin(ADMIN, AUDITOR, "help"))[0] == CommandProposed(
        ProposalId(10 * venue.state.seq), AddAdmin(ADMIN, AUDITOR, "help"), venue.time_us + PROPOSAL_LIFE_US
    )
    assert len(venue.state.admins) == 2


def test_the_second_gets_no_role_the_first_has_not() -> None:
    founder = AdminSpec("founder", public_key(2), (Role.APPROVER, Role.OPERATOR))
    venue = Venue(founders=(founder,))
    assert refused(venue, AddAdmin(ADMIN, approver(1, Role.TREASURER), "x")) is Code.PRECONDITION_FAILED
    venue.expect(AddAdmin(ADMIN, approver(1, Role.OPERATOR), "x"))


def test_the_one_approver_of_a_venue_acts_alone_but_makes_no_people_and_no_keys() -> None:
    """A laptop's venue: its terms are one person's, who the venue is isn't."""
    venue = Venue().open()
    account = venue.account({"USDC": 5})
    [changed] = venue.expect(SetFeeTiers(ADMIN, TIERS[:1], "mine"))
    assert isinstance(changed, FeeTiersChanged)
    [key] = venue.expect(AddKey(ADMIN, account, public_key(630), (Scope.READ,), reason="mine"))
    assert isinstance(key, KeyAdded)
    for command in (
        RotateVenueKey(ADMIN, public_key(631), True, "stolen"),
        ChangeAdmin(ADMIN, ADMIN, (Role.APPROVER,), "x"),
        RevokeAdmin(ADMIN, ADMIN, "x"),
    ):
        assert refused(venue, command) is Code.PRECONDITION_FAILED


def test_an_operator_beside_the_one_approver_asks_them() -> None:
    founders = (
        AdminSpec("founder", public_key(2), (Role.APPROVER, Role.SUPPORT, Role.TREASURER)),
        AdminSpec("operator", public_key(3), (Role.OPERATOR,)),
    )
    venue = Venue(founders=founders)
    operator = AdminId(12)
    account = venue.account({"USDC": 5})
    assert account
    [event] = venue.agree(SetFeeTiers(operator, TIERS[:1], "cheaper"), ADMIN)
    assert isinstance(event, FeeTiersChanged)


def test_a_venue_without_an_approver_is_not_founded() -> None:
    command = replace(genesis(), admins=(AUDITOR,))
    [refusal] = decide(State(), 1, command)
    assert isinstance(refusal, Refused)


def test_the_same_is_asked_for_by_two_each_for_reasons_of_their_own(two: tuple[Venue, AdminId]) -> None:
    venue, second = two
    rotate = RotateVenueKey(ADMIN, public_key(640), True, "stolen")
    first = proposed(venue, rotate)
    assert refused(venue, replace(rotate, reason="again")) is Code.PRECONDITION_FAILED
    other = proposed(venue, replace(rotate, admin=second, revoke=False))
    ended, rotated = venue.expect(replace(rotate, admin=second, reason="I saw it too"))
    assert ended == ProposalEnded(first, ProposalEnd.CONFIRMED)
    assert isinstance(rotated, VenueKeyRotated)
    assert list(venue.state.proposals) == [other]
    assert refused(venue, replace(rotate, revoke=False)) is Code.PRECONDITION_FAILED


def test_whoever_has_neither_role_may_not_even_ask(two: tuple[Venue, AdminId]) -> None:
    venue, second = two
    auditor = added(venue, AUDITOR, second)
    treasurer = added(venue, AdminSpec("treasurer", public_key(650), (Role.TREASURER,)), second)
    for admin in (auditor, treasurer):
        assert refused(venue, SetFeeTiers(admin, TIERS, "x")) is Code.FORBIDDEN
        assert refused(venue, AddAdmin(admin, approver(5), "x")) is Code.FORBIDDEN
    assert refused(venue, SetFeeTiers(AdminId(999), TIERS, "x")) is Code.UNAUTHORIZED
    assert refused(venue, WithdrawProposal(AdminId(999), ProposalId(1), "x")) is Code.UNAUTHORIZED
    # Two with the role are not an approver.
    supports = [added(venue, AdminSpec(f"s{n}", public_key(651 + n), (Role.SUPPORT,)), second) for n in range(2)]
    account = min(account for account in venue.state.accounts if account > 100)
    key = AddKey(supports[0], account, public_key(660), (Scope.TRADE,), reason="they lost theirs")
    proposed(venue, key)
    assert refused(venue, replace(key, admin=supports[1])) is Code.FORBIDDEN
    _, event = venue.expect(replace(key, admin=second))
    assert isinstance(event, KeyAdded)


def test_a_proposal_is_late_after_its_time_and_swept_out_with_the_next(two: tuple[Venue, AdminId]) -> None:
    venue, second = two
    command = AddAdmin(ADMIN, AUDITOR, "x")
    first = proposed(venue, command)
    venue.time_us += PROPOSAL_LIFE_US
    ended, event = venue.expect(replace(command, admin=second))
    assert ended == ProposalEnded(first, ProposalEnd.EXPIRED)
    assert isinstance(event, CommandProposed)
    assert people_view(venue.state).proposals[0].command.admin == second
    [_, event] = venue.expect(command)
    assert isinstance(event, AdminAdded)


def test_a_proposal_of_somebody_who_may_not_any_more_counts_for_nothing(two: tuple[Venue, AdminId]) -> None:
    venue, second = two
    third = added(venue, approver(3), second)
    command = AddAdmin(third, AUDITOR, "x")
    first = proposed(venue, command)
    venue.expect(RevokeAdmin(second, third, "the key was stolen"))
    assert not people_view(venue.state).proposals
    ended, event = venue.expect(replace(command, admin=second))
    assert ended == ProposalEnded(first, ProposalEnd.VOID)
    assert isinstance(event, CommandProposed)


def test_a_proposal_is_withdrawn_by_whoever_made_it_or_an_approver(two: tuple[Venue, AdminId]) -> None:
    venue, second = two
    support = added(venue, AdminSpec("support", public_key(670), (Role.SUPPORT,)), second)
    account = min(account for account in venue.state.accounts if account > 100)
    key = AddKey(support, account, public_key(671), (Scope.TRADE,), reason="x")
    for admin in (support, second):
        assert venue.expect(WithdrawProposal(admin, proposed(venue, key), "x")) == [
            ProposalEnded(ProposalId(10 * (venue.state.seq - 1)), ProposalEnd.WITHDRAWN)
        ]
    waiting = proposed(venue, AddAdmin(ADMIN, AUDITOR, "x"))
    assert refused(venue, WithdrawProposal(support, waiting, "x")) is Code.FORBIDDEN
    assert refused(venue, WithdrawProposal(ADMIN, waiting, " ")) is Code.INVALID_CLIENT_REQUEST
    assert refused(venue, WithdrawProposal(ADMIN, ProposalId(7), "x")) is Code.RESOURCE_NOT_FOUND


def test_proposals_are_bounded_for_each_and_in_all(two: tuple[Venue, AdminId]) -> None:
    venue, second = two
    many = [ADMIN, second]
    many += [added(venue, approver(20 + n), second) for n in range(MAX_PROPOSALS // MAX_PROPOSALS_PER_ADMIN - 1)]
    numbers = iter(range(1_000_000, 2_000_000))
    for admin in many[:-1]:
        for _ in range(MAX_PROPOSALS_PER_ADMIN):
            proposed(venue, RotateVenueKey(admin, public_key(next(numbers)), False, "x"))
        command = RotateVenueKey(admin, public_key(next(numbers)), False, "x")
        assert refused(venue, command) is Code.PRECONDITION_FAILED
    assert len(venue.state.proposals) == MAX_PROPOSALS
    command = RotateVenueKey(many[-1], public_key(next(numbers)), False, "x")
    assert refused(venue, command) is Code.PRECONDITION_FAILED
    venue.expect(WithdrawProposal(second, next(iter(venue.state.proposals)), "room"))
    proposed(venue, command)
    image = dump(venue.state)
    assert dump(load(image)) == image
    venue.check()


def test_admins_are_bounded(two: tuple[Venue, AdminId]) -> None:
    venue, second = two
    for number in range(MAX_ADMINS - 2):
        added(venue, AdminSpec("x", public_key(5_000 + number), (Role.AUDITOR,)), second)
    assert refused(venue, AddAdmin(ADMIN, AUDITOR, "one more")) is Code.PRECONDITION_FAILED


def test_one_approver_revokes_another_at_once_but_never_to_be_alone(two: tuple[Venue, AdminId]) -> None:
    venue, second = two
    third = added(venue, approver(3), second)
    assert venue.expect(RevokeAdmin(ADMIN, third, "the key was stolen")) == [AdminRevoked(third)]
    revoke = RevokeAdmin(ADMIN, second, "alone again")
    proposed(venue, revoke)
    assert second in venue.state.admins
    ended, event = venue.expect(replace(revoke, admin=second, reason="I go"))
    assert isinstance(ended, ProposalEnded)
    assert event == AdminRevoked(second)
    assert people_view(venue.state).standing.startswith("one person")
    assert refused(venue, RevokeAdmin(ADMIN, ADMIN, "nobody")) is Code.PRECONDITION_FAILED


def test_a_second_approver_who_was_never_heard_of_is_revoked_by_who_added_them(two: tuple[Venue, AdminId]) -> None:
    """A mistyped key would else hold the venue for ever; one who has been heard of, even in vain, is a person."""
    venue, second = two
    venue.state = load(dump(venue.state))
    assert venue.expect(RevokeAdmin(ADMIN, second, "mistyped")) == [AdminRevoked(second)]
    assert people_view(venue.state).standing.startswith("one person")
    [added_again] = venue.expect(AddAdmin(ADMIN, approver(1), "spelt right"))
    assert isinstance(added_again, AdminAdded)
    assert refused(venue, RevokeAdmin(added_again.admin, AdminId(7), "in vain")) is Code.RESOURCE_NOT_FOUND
    proposed(venue, RevokeAdmin(ADMIN, added_again.admin, "alone again"))
    assert refused(venue, AddAdmin(ADMIN, approver(1), "the old key")) is Code.PRECONDITION_FAILED
    venue.check()


def test_nobody_who_was_never_heard_of_revokes_who_added_them(two: tuple[Venue, AdminId]) -> None:
    venue, second = two
    proposed(venue, RevokeAdmin(second, ADMIN, "mine now"))
    assert ADMIN in venue.state.admins


def test_whoever_one_person_adds_is_said_to_be_added_by_one(two: tuple[Venue, AdminId]) -> None:
    """Also if that one had proposed the same to somebody who is gone."""
    venue, second = two
    command = AddAdmin(ADMIN, approver(3), "x")
    proposed(venue, command)
    venue.expect(RevokeAdmin(ADMIN, second, "goes"))
    [event] = venue.expect(command)
    assert isinstance(event, AdminAdded)
    assert event.by == (ADMIN,)
    assert f"{event.admin} was added by {ADMIN} alone" in people_view(venue.state).standing


def test_roles_change_by_two_and_what_one_said_as_an_approver_counts_no_more(two: tuple[Venue, AdminId]) -> None:
    venue, second = two
    third = added(venue, approver(3), second)
    window = m.plan(venue)
    m.shut(venue, window)
    m.approve(venue, m.certify(venue, window), second, third)
    assert clearance(venue.state, None, Mode.OFFLINE) is None
    change = ChangeAdmin(ADMIN, third, (Role.SUPPORT,), "moves on")
    assert venue.agree(change, second) == [AdminChanged(third, (Role.SUPPORT,))]
    refusal = clearance(venue.state, None, Mode.OFFLINE)
    assert refusal is not None
    assert "1 of 2 approvals" in refusal.message
    assert refused(venue, ChangeAdmin(ADMIN, AdminId(7), (Role.SUPPORT,), "x")) is Code.RESOURCE_NOT_FOUND
    assert refused(venue, ChangeAdmin(ADMIN, third, (), "x")) is Code.INVALID_CLIENT_REQUEST


def test_a_public_key_is_one_persons_for_good(two: tuple[Venue, AdminId]) -> None:
    """A trader's, an admin's or the venue's, in force or revoked: nobody else's, and of no other kind."""
    venue, second = two
    account = venue.state.accounts[min(account for account in venue.state.accounts if account > 100)]
    key = next(iter(account.keys.values()))
    auditor = added(venue, AUDITOR, second)
    used = [key.public_key, AUDITOR.public_key, venue.state.venue_public_key]
    revoked_key, revoked_admin = public_key(680), public_key(681)
    [made] = venue.agree(AddKey(ADMIN, account.account_id, revoked_key, (Scope.READ,), reason="x"), second)
    assert isinstance(made, KeyAdded)
    venue.expect(RevokeKey(ADMIN, made.key_id, "lost"))
    venue.expect(RevokeAdmin(ADMIN, added(venue, replace(AUDITOR, public_key=revoked_admin), second), "left"))
    venue.agree(RotateVenueKey(ADMIN, public_key(682), False, "yearly"), second)
    venue.state = load(dump(venue.state))
    assert auditor in venue.state.admins
    for taken in (*used, public_key(682), revoked_key, revoked_admin):
        for command in (
            AddKey(ADMIN, account.account_id, taken, (Scope.READ,), reason="x"),
            AddAdmin(ADMIN, AdminSpec("x", taken, (Role.AUDITOR,)), "x"),
            RotateVenueKey(ADMIN, taken, False, "x"),
        ):
            assert refused(venue, command) is Code.PRECONDITION_FAILED, command
    for keys in (("a", "a"), ("v", "b")):
        named = {"a": public_key(2), "b": public_key(3), "v": public_key(1)}
        admins = tuple(AdminSpec(str(n), named[name], ALL_ROLES) for n, name in enumerate(keys))
        [refusal] = decide(State(), 1, replace(genesis(), admins=admins))
        assert isinstance(refusal, Refused)


def test_a_key_that_is_proposed_for_an_admin_is_reserved_as_long_as_the_proposal_lives(
    two: tuple[Venue, AdminId],
) -> None:
    """Support alone could else spoil the second approver's answer, and the key for good."""
    venue, second = two
    command = AddAdmin(ADMIN, AUDITOR, "x")
    waiting = proposed(venue, command)
    [opened] = venue.expect(OpenAccount(ADMIN))
    add = AddKey(ADMIN, opened.account, AUDITOR.public_key, (Scope.READ,))  # type: ignore[union-attr]
    assert refused(venue, add) is Code.PRECONDITION_FAILED
    ended, event = venue.expect(replace(command, admin=second))
    assert isinstance(event, AdminAdded)
    assert isinstance(ended, ProposalEnded)
    for withdrawn in (True, False):
        key = public_key(700 + withdrawn)
        waiting = proposed(venue, replace(command, added=replace(AUDITOR, public_key=key)))
        [opened] = venue.expect(OpenAccount(ADMIN))
        add = AddKey(ADMIN, opened.account, key, (Scope.READ,))  # type: ignore[union-attr]
        assert refused(venue, add) is Code.PRECONDITION_FAILED
        if withdrawn:
            venue.expect(WithdrawProposal(ADMIN, waiting, "no"))
        else:
            venue.time_us += PROPOSAL_LIFE_US
        venue.expect(add)
        again = replace(command, admin=second, added=replace(AUDITOR, public_key=key))
        assert refused(venue, again) is Code.PRECONDITION_FAILED


def test_only_a_new_users_first_key_is_one_persons_to_add(two: tuple[Venue, AdminId]) -> None:
    """Not the first of a further sub-account, nor one after the last was revoked, nor one onto money."""
    venue, second = two
    numbers = iter(range(690, 720))

    def add(account: int) -> AddKey:
        return AddKey(ADMIN, account, public_key(next(numbers)), (Scope.TRADE,), reason="x")  # type: ignore[arg-type]

    [fresh] = venue.expect(OpenAccount(ADMIN))
    account = fresh.account  # type: ignore[union-attr]
    [first] = venue.expect(replace(add(account), reason=""))
    assert isinstance(first, KeyAdded)
    venue.expect(RevokeKey(ADMIN, first.key_id, "lost"))
    proposed(venue, add(account))
    [further] = venue.expect(OpenAccount(ADMIN, account // 100_000, 1))  # type: ignore[arg-type]
    proposed(venue, add(further.account))  # type: ignore[union-attr]
    venue.state = load(dump(venue.state))
    proposed(venue, add(account))
    [funded] = venue.expect(OpenAccount(ADMIN))
    venue.expect(deposit(venue.state, funded.account, "USDC", 5, "before the key"))  # type: ignore[union-attr]
    proposed(venue, add(funded.account))  # type: ignore[union-attr]
    assert refused(venue, replace(add(account), reason="")) is Code.INVALID_CLIENT_REQUEST
    assert second


def test_there_is_no_switch_for_what_the_venue_does_not_do() -> None:
    """One that stopped nothing would be taken for a stop."""
    assert set(Pause) == {Pause.DEPOSITS, Pause.NEW_ACCOUNTS}
    venue = Venue()
    command = SetPause(ADMIN, Pause.NEW_ACCOUNTS, True, "busy", "SOL")
    assert refused(venue, command) is Code.INVALID_CLIENT_REQUEST
