"""Two people: what one asks for and another confirms by asking for the same. Nothing here changes state.

A proposal is a fact in the state, bounded in number and in time. It counts only while whoever made it may still make
it, and is over once it is confirmed, withdrawn or late; late ones are swept out with the next proposal.
"""

from typing import Final

import msgspec

from exchange.core import refuse
from exchange.core.state import State
from exchange.rules.limits import MAX_PROPOSALS, MAX_PROPOSALS_PER_ADMIN, PROPOSAL_LIFE_US
from exchange.rules.people import TAKES_TWO
from exchange.values.commands import TwoPeopleCommand
from exchange.values.enums import ProposalEnd, Role
from exchange.values.events import AnyEvent
from exchange.values.ids import AdminId, ProposalId, id_at
from exchange.values.people.commands import AddAdmin, WithdrawProposal
from exchange.values.people.events import CommandProposed, ProposalEnded
from exchange.values.refusals import Code, Refusal

_NOBODY: Final = AdminId(0)


def holds(state: State, admin: AdminId, role: Role) -> bool:
    """Whether this is an admin in force with the role."""
    spec = state.admins.get(admin)
    return spec is not None and role in spec.roles


def approvers_in_force(state: State) -> list[AdminId]:
    return [admin for admin in state.admins if holds(state, admin, Role.APPROVER)]


def one_person(state: State) -> bool:
    """There is nobody to ask for a second opinion."""
    return len(approvers_in_force(state)) < 2


def asker(state: State, command: TwoPeopleCommand) -> Refusal | None:
    """Why somebody may neither propose nor confirm the command; None: they may."""
    if holds(state, command.admin, Role.APPROVER):
        return refuse.reason(command.reason)
    return refuse.admin(state, command.admin, TAKES_TWO[type(command)]) or refuse.reason(command.reason)


def people(state: State, time_us: int, command: TwoPeopleCommand) -> tuple[AdminId, ...]:
    """Who has asked for the command, the one who asks now last."""
    first = _proposed(state, time_us, command)
    return (command.admin,) if first is None else (first.command.admin, command.admin)


def by_two(state: State, time_us: int, command: TwoPeopleCommand, carried_out: list[AnyEvent]) -> list[AnyEvent]:
    """`carried_out` if another person has asked for the same, else that it is proposed. The asker may ask (`asker`)."""
    first = _proposed(state, time_us, command)
    if first is None:
        return _propose(state, time_us, command)
    if first.command.admin == command.admin:
        return refuse.precondition(f"You have proposed this already ({first.proposal}): it takes another person")
    role = TAKES_TWO[type(command)]
    two = (first.command.admin, command.admin)
    if not any(holds(state, one, role) and holds(state, other, Role.APPROVER) for one, other in (two, reversed(two))):
        missing = role if holds(state, command.admin, Role.APPROVER) else Role.APPROVER
        return refuse.refused(Refusal(Code.FORBIDDEN, f"Proposal {first.proposal} waits for the role {missing}"))
    return [ProposalEnded(first.proposal, ProposalEnd.CONFIRMED), *carried_out]


def by_two_if_there_are(
    state: State, time_us: int, command: TwoPeopleCommand, carried_out: list[AnyEvent]
) -> list[AnyEvent]:
    """`by_two`, but of a venue with one approver that one acts alone, with the command's role: it has nobody else."""
    if one_person(state) and all(holds(state, command.admin, r) for r in (Role.APPROVER, TAKES_TWO[type(command)])):
        return carried_out
    return by_two(state, time_us, command, carried_out)


def counts(state: State, time_us: int, proposal: CommandProposed) -> bool:
    """It is in time, and whoever made it could make it now."""
    command = proposal.command
    may = holds(state, command.admin, Role.APPROVER) or holds(state, command.admin, TAKES_TWO[type(command)])
    return may and time_us < proposal.expires_us


def reserved(state: State, time_us: int, public_key: str) -> Refusal | None:
    """A key that waits to become an admin's is nobody else's meanwhile: Support alone could spoil it for good."""
    for proposal in state.proposals.values():
        proposed = proposal.command
        if (
            isinstance(proposed, AddAdmin)
            and proposed.added.public_key == public_key
            and counts(state, time_us, proposal)
        ):
            return Refusal(
                Code.PRECONDITION_FAILED, f"The public key is that of an admin-to-be (proposal {proposal.proposal})"
            )
    return None


def _terms(command: TwoPeopleCommand) -> TwoPeopleCommand:
    """What two people have to agree on: each has reasons of their own."""
    return msgspec.structs.replace(command, admin=_NOBODY, reason="")


def _proposed(state: State, time_us: int, command: TwoPeopleCommand) -> CommandProposed | None:
    terms = _terms(command)
    for proposal in state.proposals.values():
        if counts(state, time_us, proposal) and _terms(proposal.command) == terms:
            return proposal
    return None


def _propose(state: State, time_us: int, command: TwoPeopleCommand) -> list[AnyEvent]:
    events: list[AnyEvent] = []
    makers: list[AdminId] = []
    for proposal in state.proposals.values():
        if counts(state, time_us, proposal):
            makers.append(proposal.command.admin)
        else:
            how = ProposalEnd.VOID if time_us < proposal.expires_us else ProposalEnd.EXPIRED
            events.append(ProposalEnded(proposal.proposal, how))
    if makers.count(command.admin) >= MAX_PROPOSALS_PER_ADMIN:
        return refuse.precondition(f"At most {MAX_PROPOSALS_PER_ADMIN} proposals of one admin wait at a time")
    if len(makers) >= MAX_PROPOSALS:
        return refuse.precondition(f"At most {MAX_PROPOSALS} proposals wait at a time")
    return [*events, CommandProposed(ProposalId(id_at(state.seq + 1)), command, time_us + PROPOSAL_LIFE_US)]


def withdraw_proposal(state: State, time_us: int, command: WithdrawProposal) -> list[AnyEvent]:
    if command.admin not in state.admins:
        return refuse.refused(refuse.UNKNOWN_ADMIN)
    refusal = refuse.reason(command.reason)
    if refusal is not None:
        return refuse.refused(refusal)
    proposal = state.proposals.get(command.proposal)
    if proposal is None:
        return refuse.refused(refuse.NOT_FOUND)
    if command.admin != proposal.command.admin and not holds(state, command.admin, Role.APPROVER):
        return refuse.refused(Refusal(Code.FORBIDDEN, "Whoever made a proposal withdraws it, or an approver does"))
    return [ProposalEnded(command.proposal, ProposalEnd.WITHDRAWN)]
