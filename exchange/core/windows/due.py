"""Orders whose end is due because a window has begun. Only reads."""

from exchange.core.state import State
from exchange.values.windows.commands import CancelAtClose


def cancel_at_close(state: State, time_us: int) -> CancelAtClose | None:
    for window in state.under_way.values():
        if not window.closed:
            return CancelAtClose(window.window_id)
    return None
