"""Work that is due: consequences kept in state, each run as a system command of its own."""

from exchange.core.state import State
from exchange.values.enums import CancelReason
from exchange.values.orders.commands import CancelForAccount
from exchange.values.windows.commands import CancelAtClose


def next_due(state: State, time_us: int) -> CancelForAccount | CancelAtClose | None:
    """The next command to run before any client's, or None. Run it, and ask again: long work takes several."""
    for account, session in state.orphaned:
        return CancelForAccount(account, CancelReason.DISCONNECT, session)
    for window in state.windows.values():
        if window.under_way and not window.closed:
            return CancelAtClose(window.window_id)
    if state.deadlines and state.deadlines[0][0] <= state.timer_us(time_us):
        return CancelForAccount(state.deadlines[0][1], CancelReason.CANCEL_ALL_AFTER)
    return None
