"""What becomes of modes and pauses."""

from exchange.values.base import Event
from exchange.values.enums import (
    Mode,
    Pause,
)


class AutoResumeChanged(Event, frozen=True):
    auto_resume: bool


class ModeChanged(Event, frozen=True):
    """`market` None: the venue as a whole."""

    mode: Mode
    previous: Mode
    reason: str
    market: str | None = None


class PauseChanged(Event, frozen=True):
    pause: Pause
    paused: bool
    reason: str
    asset: str | None = None


Events = AutoResumeChanged | ModeChanged | PauseChanged
