"""The rows of modes and pauses."""

from typing import Final

from exchange.core.modes import decide, evolve, words
from exchange.core.rows import Admin, CommandRow, EventRow, Itself, TwoAdmins, Words
from exchange.values.enums import Role
from exchange.values.modes.commands import DropToCancelOnly, ResumeModes, SetAutoResume, SetMode, SetPause
from exchange.values.modes.events import AutoResumeChanged, ModeChanged, PauseChanged

COMMANDS: Final = (
    # A step up takes more, which `rules.modes` says by the step.
    CommandRow(SetMode, decide.set_mode, Admin(Role.OPERATOR)),
    CommandRow(SetPause, decide.set_pause, Admin(Role.OPERATOR)),
    CommandRow(SetAutoResume, decide.set_auto_resume, TwoAdmins(Role.OPERATOR, harmless=decide.resume_off)),
    CommandRow(ResumeModes, decide.resume_modes, Itself()),
    CommandRow(DropToCancelOnly, decide.drop_to_cancel_only, Itself()),
)

EVENTS: Final = (
    EventRow(ModeChanged, evolve.mode_changed, words.mode_changed, shown=True),
    EventRow(PauseChanged, evolve.pause_changed, words.pause_changed, shown=True),
    EventRow(AutoResumeChanged, evolve.auto_resume_changed, Words.PLAIN),
)
