"""How one WebSocket connection sends: what is free of charge, and when it isn't to be read for a while."""

from typing import Final

from exchange.gateway.session.limits import WsLimits

#: A connection that isn't logged in rests so many times, each within a minute of the one before; then it is closed.
RESTS: Final = 4
_MINUTE_S: Final = 60.0


class Pace:
    """Times are in seconds of the event loop's clock."""

    __slots__ = ("_limits", "_minute_s", "_rested_s", "_small_frames", "refused_in_a_row", "rests")

    def __init__(self, limits: WsLimits, now_s: float) -> None:
        self._limits = limits
        #: Control frames and fragments of the minute that began then.
        self._small_frames = 0
        self._minute_s = now_s
        #: Frames that were too many, since one that was not.
        self.refused_in_a_row = 0
        #: Of which each began within a minute of the one before.
        self.rests = 0
        self._rested_s = now_s

    def is_free(self, now_s: float) -> bool:
        """Whether one more control frame or fragment is."""
        if now_s - self._minute_s >= _MINUTE_S:
            self._minute_s, self._small_frames = now_s, 0
        self._small_frames += 1
        return self._small_frames <= self._limits.control_frames_per_minute

    def one_refused(self, now_s: float, *, is_logged_in: bool) -> bool:
        """Whether it was one too many in a row, so that a rest begins."""
        limits = self._limits
        self.refused_in_a_row += 1
        if self.refused_in_a_row < (limits.session_refused_in_a_row if is_logged_in else limits.refused_in_a_row):
            return False
        self.refused_in_a_row = 0
        self.rests = self.rests + 1 if now_s - self._rested_s < _MINUTE_S else 1
        self._rested_s = now_s
        return True
