"""What is open, as it is shown."""

from exchange.core.state import State
from exchange.core.windows.view import maintenance_view
from exchange.values.modes.views import PauseView, StatusView


def status_view(state: State) -> StatusView:
    return StatusView(
        state.venue,
        state.venue_mode,
        state.mode_reason,
        state.mode_changed_us,
        {symbol: (state.ruling_mode(market), state.ruling_reason(market)) for symbol, market in state.markets.items()},
        tuple(PauseView(pause, asset or None, reason) for (pause, asset), reason in sorted(state.pauses.items())),
        state.build,
        state.epoch,
        maintenance_view(state),
    )
