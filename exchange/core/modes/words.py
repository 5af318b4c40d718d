"""What becomes of modes and pauses, told in a line."""

from exchange.values.modes.events import ModeChanged, PauseChanged


def mode_changed(event: ModeChanged) -> str:
    return f"{event.market or 'venue'}: {event.previous} to {event.mode} ({event.reason})"


def pause_changed(event: PauseChanged) -> str:
    switch = f"{event.pause} of {event.asset or 'all assets'}"
    return f"{switch} {'stopped' if event.paused else 'go on'} ({event.reason})"
