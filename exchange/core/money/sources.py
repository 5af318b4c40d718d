"""Where deposits come from, and what is kept of each source so that a deposit is credited once.

A source numbers its deposits, so what was credited is told by the last number: a cursor, which is as large after a
million deposits as after one. Whoever credits by hand asks for the next number, and would ask for another one after an
answer was lost; so the latest references are kept as well. Older ones stand in the journal.

The bounds are part of what the fold is: with others, records of the past would fold to another state.
"""

from typing import Final

#: Each is kept for ever.
MAX_SOURCES: Final = 20
#: Of one source.
MAX_REFERENCES: Final = 100


class Source:
    """`number` is the last deposit that was credited; `references` are the latest with the seq of their record."""

    __slots__ = ("number", "references", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self.number = 0
        #: The oldest in front.
        self.references: dict[str, int] = {}

    def credited(self, number: int, reference: str, seq: int) -> None:
        """For `evolve` alone."""
        self.number = number
        self.references[reference] = seq
        if len(self.references) > MAX_REFERENCES:
            del self.references[next(iter(self.references))]
