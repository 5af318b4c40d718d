"""What all WebSocket sessions of a process share."""

import msgspec

from exchange.gateway.addresses import TrustedProxies
from exchange.gateway.admission import Admission
from exchange.gateway.auth import Authenticator
from exchange.gateway.hub import Hub
from exchange.gateway.ws_limits import WsLimits
from exchange.runtime.port import Exchange


class Services(msgspec.Struct, frozen=True, eq=False):
    """One of each per process; authenticator and admission are those of the HTTP side."""

    exchange: Exchange
    hub: Hub
    authenticator: Authenticator
    admission: Admission
    limits: WsLimits
    #: Whose connections are for the clients they name.
    proxies: TrustedProxies = TrustedProxies()
