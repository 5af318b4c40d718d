"""What becomes of the venue's own life, told in a line."""

from exchange.values.process.events import EpochStarted, Faulted, ProcessStarted, ProcessStopped, Refused


def process_started(event: ProcessStarted) -> str:
    ended = "in order" if event.clean else "WITHOUT a word"
    return f"process started, build {event.build}; the one before had ended {ended}"


def process_stopped(event: ProcessStopped) -> str:
    return f"process stopped ({event.reason})"


def epoch_started(event: EpochStarted) -> str:
    return f"records {event.lost_from_seq} to {event.lost_to_seq} are LOST; epoch {event.epoch} began"


def faulted(event: Faulted) -> str:
    return f"a bug of ours stopped the command: error {event.error_id} on {event.market or 'the venue'}"


def refused(event: Refused) -> str:
    return f"refused: {event.code}, {event.message}"
