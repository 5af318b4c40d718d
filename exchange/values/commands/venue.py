"""What the venue asks of itself: timers, process life, faults."""

from exchange.values.commands.base import Command
from exchange.values.enums import (
    CancelReason,
)
from exchange.values.ids import AccountId


class CancelForAccount(Command, frozen=True):
    """Cancel orders of an account on all markets because a timer ran out or a session ended.

    Bounded: one command ends at most `rules.limits.MAX_CANCELS_PER_COMMAND` orders; the due work
    stays in state until none is left.
    """

    account: AccountId
    reason: CancelReason
    session: str | None = None


class StartProcess(Command, frozen=True):
    """First command of every process: the venue goes OFFLINE.

    `clean` says whether the process before ended with `StopProcess`.
    """

    build: str
    clean: bool


class StopProcess(Command, frozen=True):
    """Last command of a process that ends in order."""

    reason: str


class ResumeModes(Command, frozen=True):
    """Step the venue back to the mode it had before the start; the core takes it only from the
    same build, under the `auto_resume` policy, before anything else changed."""


class ReportFault(Command, frozen=True):
    """Take a market OFFLINE because a command on it met a bug of ours."""

    market: str
    error_id: str


class DropToCancelOnly(Command, frozen=True):
    """The venue's own brake: its clock has left its bounds, or a check of its own failed."""

    reason: str
