"""What is open, as it is shown."""

from exchange.values.base import View
from exchange.values.enums import (
    Mode,
    Pause,
)
from exchange.values.windows.views import MaintenanceView


class PauseView(View, frozen=True):
    pause: Pause
    asset: str | None
    reason: str


class ConditionView(View, frozen=True):
    """Something that keeps the running process from its full service.

    `part`: writer, history, loop or certificates. `message` is for everybody, `way_out` for operators. `stops_orders`:
    new orders are refused meanwhile.
    """

    part: str
    message: str
    way_out: str
    since_us: int
    stops_orders: bool


class StatusView(View, frozen=True):
    """The venue as a whole, and every market's ruling mode with its reason."""

    venue: str
    mode: Mode
    reason: str
    changed_us: int
    markets: dict[str, tuple[Mode, str]]
    pauses: tuple[PauseView, ...]
    build: str
    epoch: int
    maintenance: MaintenanceView
    conditions: tuple[ConditionView, ...] = ()
