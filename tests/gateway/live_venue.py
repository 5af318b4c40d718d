"""The running exchange of `runtime`, real but for its disk: what is appended is durable a turn of the loop later."""

import asyncio
import base64
from collections.abc import Callable, Sequence
from typing import Any, cast

from nacl.signing import SigningKey

from exchange.gateway.addresses import TrustedProxies
from exchange.gateway.admission import Admission, GatewayLimits
from exchange.gateway.auth import Authenticator
from exchange.gateway.session.hub import Hub
from exchange.gateway.session.limits import WsLimits
from exchange.gateway.session.services import Services
from exchange.journal.client import WriterClient
from exchange.runtime.clock import Clock, SystemClock
from exchange.runtime.core.commit import Committer
from exchange.runtime.core.ending import Ending
from exchange.runtime.core.outbox import Outbox
from exchange.runtime.core.venue import Venue
from exchange.runtime.feeds.public_state import PublicState
from exchange.runtime.feeds.streams import Streams
from exchange.runtime.follower.history import History
from exchange.runtime.metrics import Metrics
from exchange.values.accounts.commands import AddKey, OpenAccount, RevokeKey
from exchange.values.commands import AnyCommand
from exchange.values.enums import Scope
from exchange.values.ids import AccountId, KeyId
from exchange.values.record import Record, decode
from tests import venue as core


class _Writer:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.bodies: list[bytes] = []

    def append(self, first_seq: int, bodies: Sequence[bytes]) -> None:
        self.bodies += bodies
        asyncio.get_running_loop().call_soon(self._outbox.release, first_seq + len(bodies) - 1)


class _NoHistory:
    """Histories need the follower's files; here nothing that has ended is found again."""

    def __init__(self) -> None:
        self.read_models = self

    def order(self) -> None: ...

    async def ask(self, asker: object, seq: int, query: Callable[[], Any]) -> None:
        return None


class Trader:
    """An account with its key."""

    def __init__(self, account: AccountId, key_id: KeyId, signing_key: SigningKey) -> None:
        self.account = account
        self.key_id = key_id
        self._signing_key = signing_key
        self.api_key = base64.b64encode(bytes(signing_key.verify_key)).decode()

    def sign(self, text: str) -> str:
        return base64.b64encode(self._signing_key.sign(text.encode()).signature).decode()

    def signature(self, instruction: str, timestamp_ms: int, window_ms: int = 5_000) -> list[str]:
        """The four texts of a signed frame."""
        text = f"instruction={instruction}&timestamp={timestamp_ms}&window={window_ms}"
        return [self.api_key, self.sign(text), str(timestamp_ms), str(window_ms)]


class LiveVenue:
    """A venue with SOL_USDC in mode FULL. `exchange` implements `port.Exchange`."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.core = core.Venue().open()
        state = self.core.state
        clock = clock or SystemClock(state.time_us)
        outbox, ending, metrics = Outbox(), Ending(), Metrics()
        outbox.begin(state.seq)
        self._outbox = outbox
        public = PublicState(state, outbox)
        self.streams = Streams(state, outbox, public)
        self.streams.take_up_past({}, state.seq, clock.now_us())
        self._writer = _Writer(outbox)
        writer = cast("WriterClient", self._writer)
        self.committer = Committer(state, clock, writer, outbox, self.streams, metrics, ending)
        history = cast("History", _NoHistory())
        self.exchange = Venue(state, clock, outbox, self.streams, public, self.committer, history, metrics, ending)
        self.exchange.take_commands(restarted=False)
        self._keys = 0
        self._later_us = 0

    def trader(self, *scopes: Scope, account: AccountId | None = None) -> Trader:
        """An account with 1,000 SOL and 100,000 USDC, or a further key of one; it may read and trade unless scopes are
        named."""
        if account is None:
            self.commit(OpenAccount(core.ADMIN))
            account = list(self.core.state.accounts)[-1]
            for asset, atoms in (("SOL", 1_000 * 10**9), ("USDC", 100_000 * 10**6)):
                self.commit(core.deposit(self.core.state, account, asset, atoms, f"{asset} {account}"))
        self._keys += 1
        signing_key = SigningKey(self._keys.to_bytes(32, "big"))
        public_key = base64.b64encode(bytes(signing_key.verify_key)).decode()
        self.commit(AddKey(core.ADMIN, account, public_key, scopes or (Scope.READ, Scope.TRADE), reason="test"))
        return Trader(account, self.core.state.key_ids[public_key], signing_key)

    def revoke(self, trader: Trader) -> None:
        self.commit(RevokeKey(core.ADMIN, trader.key_id, "test"))

    def commit(self, command: AnyCommand) -> None:
        outcome = self.committer.commit(command)
        assert outcome.refusal is None, outcome.refusal
        self._outbox.release(self.core.state.seq)

    def records(self) -> list[Record]:
        """Those made since the start."""
        return [decode(body) for body in self._writer.bodies]

    def tick(self, later_s: float) -> None:
        """Time passes: streams paced by it show what they have gathered. The records' clock doesn't notice."""
        self._later_us += int(later_s * 1e6)
        self.streams.tick(self.exchange.now_us() + self._later_us)

    def services(
        self,
        limits: WsLimits | None = None,
        requests: GatewayLimits | None = None,
        proxies: TrustedProxies | None = None,
    ) -> Services:
        exchange = self.exchange
        admission = Admission(requests or GatewayLimits(requests_per_minute=1_000_000))
        return Services(exchange, Hub(exchange), Authenticator(exchange), admission, limits or WsLimits(), proxies)
