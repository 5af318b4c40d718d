"""Applying what moves money without a trade."""

from exchange.core.state import State
from exchange.values.enums import Bucket
from exchange.values.money.events import Posted


def posted(state: State, event: Posted) -> None:
    for leg in event.legs:
        account = state.accounts[leg.account]
        account.changed_seq = state.seq
        balance = account.balance(leg.asset)
        if leg.bucket is Bucket.AVAILABLE:
            balance.available_atoms += leg.atoms
        else:
            balance.locked_atoms += leg.atoms
    state.posted_seq = state.seq
    if event.reference:
        state.references[event.reference] = state.seq
