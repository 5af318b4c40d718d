"""A window as it is planned, and the stages it goes through."""

from enum import StrEnum, unique
from typing import NewType

import msgspec

WindowId = NewType("WindowId", int)


@unique
class WindowStage(StrEnum):
    """Where a window stands; the words are those of the public status."""

    SCHEDULED = "scheduled"
    ONGOING = "ongoing"
    VERIFYING = "verifying"
    PRE_OPEN = "pre-open"
    COMPLETED = "completed"
    DELAYED = "delayed"
    CANCELLED = "cancelled"


ENDED_STAGES = frozenset({WindowStage.COMPLETED, WindowStage.CANCELLED})


class WindowPlan(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """A planned stop. Times (µs since 1970) are the earliest moments, never a promise to open unproven.

    `markets` empty: the whole venue. `freeze_timers`: dead-man's switches stand still while the venue
    is shut (whole-venue windows only). `canary` opens first, and alone until it has reached FULL. What a plan says is
    done, so one with a field of a newer build is refused.
    """

    offline_at_us: int
    post_only_at_us: int
    full_at_us: int
    reason: str
    markets: tuple[str, ...] = ()
    freeze_timers: bool = True
    canary: str | None = None
