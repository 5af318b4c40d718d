"""Applying what moves money without a trade; its legs have moved it."""

from exchange.core.money.sources import Source
from exchange.core.state import State
from exchange.values.money.events import Posted


def posted(state: State, event: Posted) -> None:
    state.posted_seq = state.seq
    if event.deposit:
        state.last_deposit = event.deposit
        source = state.sources.get(event.source)
        if source is None:
            source = state.sources[event.source] = Source(event.source)
        source.credited(event.number, event.reference, state.seq)
