"""Query parameters that many operations share."""

from typing import Annotated, Final, Literal

import msgspec

from exchange.gateway.wire.base import Payload
from exchange.runtime.port import Page

MAX_PAGE: Final = 1_000
#: The last moment a date can hold, and far below what a journal of ours could number.
_MAX_MS: Final = 253_402_300_799_999

Limit = Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)]
#: Of an account's history: all rows before an offset are read for it.
MAX_OFFSET: Final = 100_000
_TOO_DEEP: Final = f"`offset` is at most {MAX_OFFSET}: go on by time, with `from` and `to`"

Offset = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=_MAX_MS)]
SortDirection = Literal["Asc", "Desc"]


class PageQuery(Payload, frozen=True, kw_only=True):
    """Which rows of a list that is empty here."""

    limit: Limit = 100
    offset: Offset = 0
    sort_direction: SortDirection = "Desc"


class SpanQuery(Payload, frozen=True, kw_only=True):
    """Which rows of a list: `from` and `to` in ms, both inclusive. Without `sortDirection`, what has a `from` is oldest
    first, as whoever goes forward in time needs it, and anything else newest first.

    A page that goes forward from a time, without `offset`, is never cut within a millisecond: it may be longer
    than `limit` by the rows of its last one, so nothing is missed by going on from the next.
    """

    limit: Limit = 100
    offset: Offset | None = None
    sort_direction: SortDirection | None = None
    from_ms: Milliseconds | None = msgspec.field(name="from", default=None)
    to_ms: Milliseconds | None = msgspec.field(name="to", default=None)

    def __post_init__(self) -> None:
        if self.offset is not None and self.offset > MAX_OFFSET:
            raise ValueError(_TOO_DEEP)

    def page(self) -> Page:
        from_ms, to_ms = self.from_ms, self.to_ms
        ascending = self.sort_direction == "Asc" or (self.sort_direction is None and from_ms is not None)
        return Page(
            limit=self.limit,
            offset=self.offset or 0,
            ascending=ascending,
            from_us=None if from_ms is None else from_ms * 1_000,
            to_us=None if to_ms is None else (to_ms + 1) * 1_000,
            whole_ms=ascending and from_ms is not None and self.offset is None,
        )
