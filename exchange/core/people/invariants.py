"""What holds of admins and public keys at every seq."""

from collections.abc import Iterator
from typing import Final

from exchange.core.state import State


def keys_are_one_persons(state: State) -> Iterator[str]:
    """No public key in force is another's, or was revoked."""
    seen = set(state.key_ids)
    for spec in state.admins.values():
        if spec.public_key in seen:
            yield f"the public key {spec.public_key} is more than one person's"
        seen.add(spec.public_key)
    for public_key in state.spent_keys:
        if public_key in seen:
            yield f"the public key {public_key} was revoked, and is in force"
    revoked = [key for account in state.accounts.values() for key in account.spent_keys]
    if sorted((*revoked, *state.spent_admin_keys)) != sorted(state.spent_keys):
        yield "the keys that were revoked and those whose they were do not agree"


def makers_are_known(state: State) -> Iterator[str]:
    """Of every admin it is known who added them, and nobody is unheard who was not added by one person alone."""
    if state.added_by.keys() != state.admins.keys():
        yield "the admins and those who added them do not agree"
    if any(len(state.added_by.get(admin, ())) != 1 for admin in state.unheard):
        yield "somebody who was not added by one person alone is not heard of"
    if any(proposal.proposal != proposal_id for proposal_id, proposal in state.proposals.items()):
        yield "a proposal stands under another id"


INVARIANTS: Final = (keys_are_one_persons, makers_are_known)
