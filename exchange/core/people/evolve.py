"""Applying what becomes of admins and proposals."""

import msgspec

from exchange.core.state import State
from exchange.values.people.events import AdminAdded, AdminChanged, AdminRevoked, CommandProposed, ProposalEnded


def admin_added(state: State, event: AdminAdded) -> None:
    state.admins[event.admin] = event.added
    state.added_by[event.admin] = event.by
    if len(event.by) == 1:
        state.unheard[event.admin] = None


def admin_changed(state: State, event: AdminChanged) -> None:
    state.admins[event.admin] = msgspec.structs.replace(state.admins[event.admin], roles=event.roles)


def admin_revoked(state: State, event: AdminRevoked) -> None:
    public_key = state.admins.pop(event.admin).public_key
    del state.added_by[event.admin]
    state.unheard.pop(event.admin, None)
    state.spent_admin_keys[public_key] = state.spent_keys[public_key] = None


def command_proposed(state: State, event: CommandProposed) -> None:
    state.proposals[event.proposal] = event


def proposal_ended(state: State, event: ProposalEnded) -> None:
    del state.proposals[event.proposal]
