"""Modes and pauses: what is open."""

from typing import ClassVar

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

    NAME: ClassVar[str] = "accept-missing-witness"

    reason: str


class SetMode(Command, frozen=True):
    """Change the mode of a market, or of the venue."""

    NAME: ClassVar[str] = "mode"

    admin: AdminId
    mode: Mode
    reason: str
    market: str | None = None


class SetPause(Command, frozen=True):
    """Throw one of the switches beside the modes, for one asset or for all."""

    NAME: ClassVar[str] = "pause"

    admin: AdminId
    pause: Pause
    paused: bool
    reason: str
    asset: str | None = None


class SetAutoResume(Command, frozen=True):
    """Whether a clean start of the same build steps back to the modes before it; on, an approver asks for the same."""

    NAME: ClassVar[str] = "auto-resume"

    admin: AdminId
    auto_resume: bool
    reason: str


AdminCommand = SetMode | SetPause | SetAutoResume
SystemCommand = ResumeModes | DropToCancelOnly
#: Those that can wait for a second person (their rows say when).
TwoPeopleCommand = SetAutoResume
