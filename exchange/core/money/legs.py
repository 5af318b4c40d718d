"""What a posting moves, leg by leg."""

from exchange.core.rows import Posting
from exchange.core.state import State
from exchange.values.money.events import Posted


def posted(state: State, event: Posted) -> list[Posting]:
    return [(event.kind, leg) for leg in event.legs]
