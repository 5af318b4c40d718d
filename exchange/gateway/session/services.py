"""What all WebSocket sessions of a process share."""

from weakref import WeakValueDictionary

from exchange.gateway.addresses import TrustedProxies
from exchange.gateway.admission import Admission, Quota
from exchange.gateway.auth import Authenticator
from exchange.gateway.session.hub import Hub
from exchange.gateway.session.limits import WsLimits
from exchange.runtime.port import Exchange
from exchange.values.ids import AccountId


class Waiting:
    """How many requests wait for their answer: of all sessions, or of one account's."""

    __slots__ = ("__weakref__", "count")

    def __init__(self) -> None:
        self.count = 0


class Services:
    """One of each per process; authenticator and admission are those of the HTTP side."""

    def __init__(
        self,
        exchange: Exchange,
        hub: Hub,
        authenticator: Authenticator,
        admission: Admission,
        limits: WsLimits,
        proxies: TrustedProxies | None = None,
    ) -> None:
        self.exchange = exchange
        self.hub = hub
        self.authenticator = authenticator
        self.admission = admission
        self.limits = limits
        #: Whose connections are for the clients they name.
        self.proxies = proxies or TrustedProxies()
        self.waiting = Waiting()
        self._waiting_of: WeakValueDictionary[AccountId, Waiting] = WeakValueDictionary()
        #: Streams that are read, by address.
        self.subscriptions: Quota[str] = Quota(limits.subscriptions_per_address, limits.subscriptions_total)

    def waiting_of(self, account: AccountId) -> Waiting:
        """The one count of the account; it is kept as long as a session has it."""
        return self._waiting_of.setdefault(account, Waiting())
