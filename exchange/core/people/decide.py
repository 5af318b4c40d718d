"""Deciding on admins. Nothing here changes state."""

from typing import Final

from exchange.core import refuse
from exchange.core.accounts.decide import ed25519_key
from exchange.core.people.agreement import approvers_in_force, holds, one_person, people
from exchange.core.state import State
from exchange.rules.limits import MAX_ADMINS, MAX_REVOKED_KEYS
from exchange.values.enums import ProposalEnd, Role
from exchange.values.events import AnyEvent
from exchange.values.ids import AdminId, id_at
from exchange.values.people.admins import AdminSpec
from exchange.values.people.commands import AddAdmin, ChangeAdmin, RevokeAdmin, WithdrawProposal
from exchange.values.people.events import AdminAdded, AdminChanged, AdminRevoked, ProposalEnded
from exchange.values.refusals import Code, Refusal
from exchange.values.text import MAX_TEXT

ONE_PERSON: Final = "This takes two approvers, and there is one: add the second one first"


def good_admin(spec: AdminSpec) -> bool:
    """Whether an admin has a name, a role and a public key."""
    return bool(spec.name) and len(spec.name) <= MAX_TEXT and bool(spec.roles) and ed25519_key(spec.public_key)


def add_admin(state: State, time_us: int, command: AddAdmin) -> list[AnyEvent]:
    if not good_admin(command.added):
        return refuse.invalid("A name, a public key and a role are needed")
    refusal = refuse.used_key(state, command.added.public_key)
    if refusal is not None:
        return refuse.refused(refusal)
    if len(state.admins) >= MAX_ADMINS:
        return refuse.precondition(f"There are at most {MAX_ADMINS} admins")
    if len(state.admins) + len(state.spent_admin_keys) >= MAX_REVOKED_KEYS:
        return refuse.precondition(f"There can have been at most {MAX_REVOKED_KEYS} admins")
    admin = AdminId(id_at(state.seq + 1))
    if not one_person(state):
        return [AdminAdded(admin, command.added, people(state, time_us, command))]
    # The only way out of being one person; nothing comes into the venue by it that this one couldn't do before.
    own = state.admins[command.admin].roles
    if Role.APPROVER not in command.added.roles or any(role not in own for role in command.added.roles):
        return refuse.precondition(
            "While there is one approver, they add the second one and nobody else, with no role but their own"
        )
    return [AdminAdded(admin, command.added, (command.admin,))]


def change_admin(state: State, time_us: int, command: ChangeAdmin) -> list[AnyEvent]:
    if command.changed not in state.admins:
        return refuse.refused(refuse.NOT_FOUND)
    if not command.roles:
        return refuse.invalid("A role is needed; all of them are taken away by revoking the admin")
    if one_person(state):
        return refuse.precondition(ONE_PERSON)
    return [AdminChanged(command.changed, command.roles)]


def leaves_two(state: State, command: RevokeAdmin) -> bool:
    """One approver may revoke: it must be quick. But not where one would be left, who could then act alone.

    Unless the other is somebody they added alone and who has not been heard of since: a key that was mistyped, say.
    That leaves who was alone before.
    """
    approvers = approvers_in_force(state)
    if command.revoked not in approvers or len(approvers) > 2:
        return True
    return command.revoked in state.unheard and state.added_by[command.revoked] == (command.admin,)


def revoke_admin(state: State, time_us: int, command: RevokeAdmin) -> list[AnyEvent]:
    if command.revoked not in state.admins:
        return refuse.refused(refuse.NOT_FOUND)
    if approvers_in_force(state) == [command.revoked]:
        return refuse.precondition("The last approver can't be revoked")
    return [AdminRevoked(command.revoked)]


def withdraw_proposal(state: State, time_us: int, command: WithdrawProposal) -> list[AnyEvent]:
    proposal = state.proposals.get(command.proposal)
    if proposal is None:
        return refuse.refused(refuse.NOT_FOUND)
    if command.admin != proposal.command.admin and not holds(state, command.admin, Role.APPROVER):
        return refuse.refused(Refusal(Code.FORBIDDEN, "Whoever made a proposal withdraws it, or an approver does"))
    return [ProposalEnded(command.proposal, ProposalEnd.WITHDRAWN)]
