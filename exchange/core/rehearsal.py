"""Deciding the past again: what the running build would have decided, held against what was."""

from exchange.core.machine import decide
from exchange.core.state import State
from exchange.values.events import AnyEvent
from exchange.values.process.events import Faulted
from exchange.values.record import Record


def decided_otherwise(state: State, record: Record) -> list[AnyEvent] | Exception | None:
    """What this build decides of a recorded command instead of what was recorded; None: the same.

    `state` is that before the record, and is only read. An exception is what deciding raised.
    A command that faulted, and so caused nothing else, is never decided again.
    """
    recorded = record.events
    if len(recorded) == 1 and type(recorded[0]) is Faulted:
        return None
    try:
        decided = decide(state, record.time_us, record.command)
    except Exception as error:
        return error
    return None if decided == recorded else decided
