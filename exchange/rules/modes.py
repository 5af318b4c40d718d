"""The modes: what each permits, and which steps between them there are.

One table of permissions and one of transitions; code asks `permits` and `transition` and never
compares modes. The tables in the documents are checked against these.
"""

from collections.abc import Container
from typing import Final

import msgspec

from exchange.values.enums import Action, Mode, Pause, Role

#: From the most shut to the most open; the place in it decides which of two modes rules.
LADDER: Final = (Mode.OFFLINE, Mode.CANCEL_ONLY, Mode.POST_ONLY, Mode.LIMIT_ONLY, Mode.FULL)
_RANK: Final = {mode: rank for rank, mode in enumerate(LADDER)}

#: Money and prices move in every mode; pauses are what stops them.
_ALWAYS: Final = frozenset({Action.QUERY, Action.DEPOSIT, Action.WITHDRAW, Action.BORROW, Action.PRICE_UPDATE})
_CANCEL: Final = _ALWAYS | {Action.CANCEL}
_POST: Final = _CANCEL | {Action.REST, Action.TRIGGER_PLACE}
_LIMIT: Final = _POST | {Action.TAKE_LIMIT}

PERMITTED: Final[dict[Mode, frozenset[Action]]] = {
    Mode.OFFLINE: _ALWAYS,
    Mode.CANCEL_ONLY: _CANCEL,
    Mode.POST_ONLY: _POST,
    Mode.LIMIT_ONLY: _LIMIT,
    Mode.FULL: _LIMIT | {Action.TAKE_MARKET, Action.TRIGGER_FIRE},
}

#: The pause that stops an action whatever the mode.
PAUSED_BY: Final[dict[Action, Pause]] = {Action.DEPOSIT: Pause.DEPOSITS}


class Transition(msgspec.Struct, frozen=True):
    """A step between modes: the role it takes."""

    role: Role


_STEPS_UP: Final = (
    (Mode.OFFLINE, Mode.CANCEL_ONLY),
    (Mode.OFFLINE, Mode.POST_ONLY),
    (Mode.CANCEL_ONLY, Mode.POST_ONLY),
    (Mode.CANCEL_ONLY, Mode.FULL),
    (Mode.POST_ONLY, Mode.LIMIT_ONLY),
    (Mode.POST_ONLY, Mode.FULL),
    (Mode.LIMIT_ONLY, Mode.FULL),
)
#: Down is always there, at once, for one operator; up is a step at a time.
TRANSITIONS: Final[dict[tuple[Mode, Mode], Transition]] = {
    **{(above, below): Transition(Role.OPERATOR) for rank, below in enumerate(LADDER) for above in LADDER[rank + 1 :]},
    **{step: Transition(Role.OPERATOR) for step in _STEPS_UP},
}


def permits(mode: Mode, pauses: Container[Pause], action: Action) -> bool:
    """Whether `action` may happen in `mode` while `pauses` are on."""
    return action in PERMITTED[mode] and PAUSED_BY.get(action) not in pauses


def lower(one: Mode, other: Mode) -> Mode:
    """The mode that rules where the venue's and the market's differ: the more shut."""
    return one if _RANK[one] <= _RANK[other] else other


def is_step_up(before: Mode, after: Mode) -> bool:
    return _RANK[after] > _RANK[before]


def transition(before: Mode, after: Mode) -> Transition | None:
    """The step from `before` to `after`, or None if there is none."""
    return TRANSITIONS.get((before, after))
