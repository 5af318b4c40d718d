"""What holds of windows at every seq."""

from collections.abc import Iterator
from typing import Final

from exchange.core.state import State


def windows_are_found(state: State) -> Iterator[str]:
    """Windows stand under their ids, and those under way are found as such, in the same order."""
    if any(window.window_id != window_id for window_id, window in state.windows.items()):
        yield "a window stands under another id"
    under_way = [window for window in state.windows.values() if window.under_way]
    if list(state.under_way.values()) != under_way:
        yield "the windows and those under way do not agree"


INVARIANTS: Final = (windows_are_found,)
