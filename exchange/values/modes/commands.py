"""Modes and pauses: what is open."""

from exchange.values.base import Command
from exchange.values.enums import (
    Mode,
    Pause,
)
from exchange.values.ids import AdminId


class ResumeModes(Command, frozen=True):
    """Step the venue back to the mode it had before the start; the core takes it only from the
    same build, under the `auto_resume` policy, before anything else changed."""


class DropToCancelOnly(Command, frozen=True):
    """The venue's own brake: its clock has left its bounds, or a check of its own failed."""

    reason: str


class SetMode(Command, frozen=True):
    """Change the mode of one market, or of the whole venue (`market` None)."""

    admin: AdminId
    mode: Mode
    reason: str
    market: str | None = None


class SetPause(Command, frozen=True):
    """Throw one of the switches beside the modes, for one asset or for all (`asset` None)."""

    admin: AdminId
    pause: Pause
    paused: bool
    reason: str
    asset: str | None = None


class SetAutoResume(Command, frozen=True):
    admin: AdminId
    auto_resume: bool
    reason: str


AdminCommand = SetMode | SetPause | SetAutoResume
SystemCommand = ResumeModes | DropToCancelOnly
#: Those that can wait for a second person (their rows say when).
TwoPeopleCommand = SetAutoResume
