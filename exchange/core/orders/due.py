"""Orders whose end is due: a session ended with its process, or a dead-man's switch ran out. Only reads."""

from exchange.core.state import State
from exchange.values.enums import CancelReason
from exchange.values.orders.commands import CancelForAccount


def cancel_for_account(state: State, time_us: int) -> CancelForAccount | None:
    for account, session in state.orphaned:
        return CancelForAccount(account, CancelReason.DISCONNECT, session)
    if state.deadlines and state.deadlines[0][0] <= state.timer_us(time_us):
        return CancelForAccount(state.deadlines[0][1], CancelReason.CANCEL_ALL_AFTER)
    return None
