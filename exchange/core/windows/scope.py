"""What a window is over, and what it waits for. Nothing here changes state."""

from exchange.core.state import Market, State, Window
from exchange.values.enums import Mode
from exchange.values.windows.plan import WindowPlan


def scope(state: State, plan: WindowPlan) -> list[Market]:
    return [market for market in state.markets.values() if not plan.markets or market.symbol in plan.markets]


def targets(window: Window) -> tuple[str | None, ...]:
    """Whose mode the next step changes: the venue's (None) or markets' own."""
    if window.canary_open:
        return window.waiting
    if window.plan.canary is not None and window.plan.markets:
        return (window.plan.canary,)
    return window.plan.markets or (None,)


def mode_of(state: State, target: str | None) -> Mode:
    return state.venue_mode if target is None else state.markets[target].mode


def opening_problem(state: State, time_us: int, market: str | None) -> str | None:
    """Why the scope may not leave POST_ONLY upwards yet, by what the core sees itself."""
    markets = state.markets.values() if market is None else (state.markets[market],)
    since_us = state.mode_changed_us if market is None else state.markets[market].mode_changed_us
    if time_us < since_us + state.limits.opening_grace_us:
        return "The grace period in POST_ONLY is not over"
    for each in markets:
        bid, ask = each.bids.best(), each.asks.best()
        if bid is not None and ask is not None and bid >= ask:
            return f"The book of {each.symbol} is crossed"
        if not each.active_price_ticks():
            return f"{each.symbol} has no reference price"
    return None
