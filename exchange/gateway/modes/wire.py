"""Whether the venue takes orders, as clients read it."""

from typing import Final, Literal

from exchange.gateway.windows.wire import announcement
from exchange.gateway.wire.base import Wire
from exchange.values.enums import Mode
from exchange.values.modes.views import StatusView

#: In these no order is taken, whatever its kind; cancels may be.
_NO_ORDERS: Final = (Mode.OFFLINE, Mode.CANCEL_ONLY)


class Status(Wire, frozen=True):
    """Maintenance while the venue as a whole takes no orders; the message says any mode below FULL, and the plan."""

    status: Literal["Ok", "Maintenance"]
    message: str | None


def status_to_wire(status: StatusView) -> Status:
    planned = announcement(status.maintenance) or ""
    conditions = sorted(status.conditions, key=lambda condition: not condition.stops_orders)
    said = [condition.message for condition in conditions]
    if status.mode is Mode.FULL:
        said.append(planned)
    else:
        reason = "" if status.reason in planned else status.reason
        said.append(f"{status.mode}: {_joined(reason, planned)}".removesuffix(": "))
    shut = status.mode in _NO_ORDERS or any(condition.stops_orders for condition in conditions)
    return Status("Maintenance" if shut else "Ok", _joined(*said) or None)


def _joined(*texts: str) -> str:
    return "; ".join(filter(None, texts))
