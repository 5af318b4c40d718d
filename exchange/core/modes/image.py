"""What is open, as it is written down."""

from collections.abc import Mapping
from typing import Final

from exchange.core.images import Form, Image, Table
from exchange.values.enums import Mode, Pause


class ModesImage(Image, frozen=True):
    """`pauses` are (switch, asset or "", reason)."""

    mode_reason: str
    venue_mode: Mode = Mode.OFFLINE
    mode_changed_us: int = 0
    mode_seq: int = 0
    auto_resume: bool = False
    resume_mode: Mode | None = None
    pauses: tuple[tuple[Pause, str, str], ...] = ()


def _pauses(held: Mapping[tuple[Pause, str], str]) -> tuple[tuple[Pause, str, str], ...]:
    return tuple(sorted((pause, asset, reason) for (pause, asset), reason in held.items()))


MODES: Final = Table(
    ModesImage,
    {"pauses": Form(_pauses, lambda image: {(pause, asset): reason for pause, asset, reason in image})},
)
