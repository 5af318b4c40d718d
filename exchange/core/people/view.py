"""Admins and proposals, as they are shown."""

from exchange.core.machine import TAKES_TWO
from exchange.core.people.agreement import approvers_in_force, counts, one_person
from exchange.core.state import State
from exchange.values.ids import AdminId
from exchange.values.people.views import AdminView, PeopleView, ProposalView


def admin_view(state: State, admin: AdminId) -> AdminView:
    spec = state.admins[admin]
    return AdminView(admin, spec.name, spec.public_key, spec.roles, state.added_by[admin])


def people_view(state: State) -> PeopleView:
    approvers = approvers_in_force(state)
    alone = [f"{admin} was added by {by[0]} alone" for admin in approvers if len(by := state.added_by[admin]) == 1]
    count = "one person: the one approver acts alone" if one_person(state) else f"{len(approvers)} approvers"
    return PeopleView(
        "; ".join((count, *alone)),
        len(approvers),
        tuple(admin_view(state, admin) for admin in state.admins),
        tuple(
            ProposalView(each.proposal, each.command, each.expires_us)
            for each in state.proposals.values()
            if counts(state, state.time_us, each, TAKES_TWO[type(each.command)])
        ),
    )
