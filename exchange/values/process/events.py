"""What becomes of the venue's own life, and of a command that came to nothing."""

from exchange.values.base import Event, Part
from exchange.values.enums import (
    Mode,
)
from exchange.values.ids import DepositId, UserId
from exchange.values.refusals import Code


class VenueFounded(Event, frozen=True):
    venue: str
    venue_public_key: str


class RuleActivated(Event, frozen=True):
    rule: str


class ProcessStarted(Event, frozen=True):
    """`resume_mode` is the mode `ResumeModes` may step back to; None: only an admin opens the venue."""

    build: str
    recovered_seq: int
    clean: bool
    resume_mode: Mode | None = None


class ProcessStopped(Event, frozen=True):
    reason: str


class Faulted(Event, frozen=True):
    """A bug of ours stopped this command; it has done nothing and is never decided again."""

    error_id: str
    market: str | None = None


class Refused(Event, frozen=True):
    """The command was refused, and nothing has changed."""

    code: Code
    message: str


class MarketCounters(Part, frozen=True):
    """Ids a market goes on from."""

    market: str
    trade_id: int
    update_id: int


class EpochStarted(Event, frozen=True):
    """Records `lost_from_seq` to `lost_to_seq` are lost; counters go on beyond anything they can have used."""

    epoch: int
    lost_from_seq: int
    lost_to_seq: int
    counters: tuple[MarketCounters, ...]
    last_user: UserId
    last_deposit: DepositId


Events = VenueFounded | RuleActivated | ProcessStarted | ProcessStopped | Faulted | Refused | EpochStarted
