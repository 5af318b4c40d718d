"""What happened to the venue, in words: the events of a timeline."""

from exchange.core.machine import EVENTS
from exchange.core.rows import Words
from exchange.journal.show import Units
from exchange.values.events import AnyEvent
from exchange.values.text import visible


def routine(event: AnyEvent) -> bool:
    """Whether it is a fact of trading or of a single account: those are counted, not told one by one."""
    return EVENTS[type(event)].words is Words.ROUTINE


def say(event: AnyEvent, units: Units) -> str:
    """One line for a person."""
    words = EVENTS[type(event)].words
    return visible(units.statement(event) if isinstance(words, Words) else words(event))
