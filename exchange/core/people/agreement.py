"""Two people: what one asks for and another confirms by asking for the same. Nothing here changes state.

So that no one person alone can make somebody else, take what is another's, or do what stays. One of the two holds the
command's role, which its row names, the other is an APPROVER, and they are not the same person. Everything else is one
person's to do, with its role. The operators' page shows what comes of it; a test tries every command for it.

A proposal is a fact in the state, bounded in number and in time. It counts only while whoever made it may still make
it, and is over once it is confirmed, withdrawn or late; late ones are swept out with the next proposal.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from exchange.core import refuse
from exchange.core.state import State
from exchange.rules.limits import MAX_PROPOSALS, MAX_PROPOSALS_PER_ADMIN, PROPOSAL_LIFE_US
from exchange.values.commands import TwoPeopleCommand
from exchange.values.enums import ProposalEnd, Role
from exchange.values.events import AnyEvent
from exchange.values.ids import AdminId, ProposalId, id_at
from exchange.values.people.commands import AddAdmin
from exchange.values.people.events import CommandProposed, ProposalEnded
from exchange.values.refusals import Code, Refusal

#: Of every command that takes two, the role of the one, beside the other's APPROVER.
Roles = Mapping[type, Role]

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


def asker(state: State, command: TwoPeopleCommand, role: Role) -> Refusal | None:
    """Why somebody may neither propose nor confirm the command; None: they may."""
    if holds(state, command.admin, Role.APPROVER):
        return refuse.reason(command.reason)
    return refuse.admin(state, command.admin, role) or refuse.reason(command.reason)


def people(state: State, time_us: int, command: AddAdmin) -> tuple[AdminId, ...]:
    """Who has asked for the command, the one who asks now last."""
    first = _proposed(state, time_us, command, Role.APPROVER)
    return (command.admin,) if first is None else (first.command.admin, command.admin)


def by_two(
    state: State, time_us: int, command: TwoPeopleCommand, carried_out: list[AnyEvent], roles: Roles
) -> list[AnyEvent]:
    """`carried_out` if another person has asked for the same, else that it is proposed. The asker may ask (`asker`).

    Of a venue with one approver that one acts alone, with the command's role: it has nobody else.
    """
    role = roles[type(command)]
    if one_person(state) and all(holds(state, command.admin, needed) for needed in (Role.APPROVER, role)):
        return carried_out
    first = _proposed(state, time_us, command, role)
    if first is None:
        return _propose(state, time_us, command, roles)
    if first.command.admin == command.admin:
        return refuse.precondition(f"You have proposed this already ({first.proposal}): it takes another person")
    two = (first.command.admin, command.admin)
    if not any(holds(state, one, role) and holds(state, other, Role.APPROVER) for one, other in (two, reversed(two))):
        missing = role if holds(state, command.admin, Role.APPROVER) else Role.APPROVER
        return refuse.refused(Refusal(Code.FORBIDDEN, f"Proposal {first.proposal} waits for the role {missing}"))
    return [ProposalEnded(first.proposal, ProposalEnd.CONFIRMED), *carried_out]


def counts(state: State, time_us: int, proposal: CommandProposed, role: Role) -> bool:
    """It is in time, and whoever made it could make it now; `role` is that of its command."""
    admin = proposal.command.admin
    return time_us < proposal.expires_us and (holds(state, admin, Role.APPROVER) or holds(state, admin, role))


def reserved(state: State, time_us: int, public_key: str) -> Refusal | None:
    """A key that waits to become an admin's is nobody else's meanwhile: Support alone could spoil it for good."""
    for proposal in state.proposals.values():
        proposed = proposal.command
        if (
            isinstance(proposed, AddAdmin)
            and proposed.added.public_key == public_key
            and counts(state, time_us, proposal, Role.APPROVER)
        ):
            return Refusal(
                Code.PRECONDITION_FAILED, f"The public key is that of an admin-to-be (proposal {proposal.proposal})"
            )
    return None


def _terms(command: TwoPeopleCommand) -> TwoPeopleCommand:
    """What two people have to agree on: each has reasons of their own."""
    return msgspec.structs.replace(command, admin=_NOBODY, reason="")


def _proposed(state: State, time_us: int, command: TwoPeopleCommand, role: Role) -> CommandProposed | None:
    terms = _terms(command)
    for proposal in state.proposals.values():
        if counts(state, time_us, proposal, role) and _terms(proposal.command) == terms:
            return proposal
    return None


def _propose(state: State, time_us: int, command: TwoPeopleCommand, roles: Roles) -> list[AnyEvent]:
    events: list[AnyEvent] = []
    makers: list[AdminId] = []
    for proposal in state.proposals.values():
        if counts(state, time_us, proposal, roles[type(proposal.command)]):
            makers.append(proposal.command.admin)
        else:
            how = ProposalEnd.VOID if time_us < proposal.expires_us else ProposalEnd.EXPIRED
            events.append(ProposalEnded(proposal.proposal, how))
    if makers.count(command.admin) >= MAX_PROPOSALS_PER_ADMIN:
        return refuse.precondition(f"At most {MAX_PROPOSALS_PER_ADMIN} proposals of one admin wait at a time")
    if len(makers) >= MAX_PROPOSALS:
        return refuse.precondition(f"At most {MAX_PROPOSALS} proposals wait at a time")
    return [*events, CommandProposed(ProposalId(id_at(state.seq + 1)), command, time_us + PROPOSAL_LIFE_US)]
