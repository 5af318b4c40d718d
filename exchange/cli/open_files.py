"""As many files may be open as there are places for connections, or strangers' sockets leave none for our own files."""

import resource
from typing import Final

import structlog

from exchange.gateway.admission import GatewayLimits
from exchange.gateway.rest.operators_port import LIMITS as OPS_LIMITS
from exchange.gateway.session.limits import WsLimits

#: Files and sockets of our own: journal, read models, children, what is accepted only to be refused.
OURS: Final = 512

_log: Final = structlog.get_logger(__name__)


def allow(limits: GatewayLimits, ws_limits: WsLimits) -> None:
    """Raise the limit on open files to what those on connections need, as far as the machine lets us."""
    needed = limits.connections + OPS_LIMITS.connections + ws_limits.connections + ws_limits.handshakes + OURS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < needed:
        _log.warning("fewer files may be open than there are places for connections", allowed=allowed, needed=needed)
