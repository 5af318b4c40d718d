"""Applying what moves money without a trade; its legs have moved it."""

from exchange.core.state import State
from exchange.values.money.events import Posted


def posted(state: State, event: Posted) -> None:
    state.posted_seq = state.seq
    if event.reference:
        state.references[event.reference] = state.seq
