"""A session without a socket, and what it has sent."""

import asyncio
import json
from typing import Any

from exchange.gateway.admission import GatewayLimits
from exchange.gateway.session.limits import WsLimits
from exchange.gateway.session.services import Services
from exchange.gateway.session.session import Session
from exchange.values.ids import AccountId
from tests.gateway.live_venue import LiveVenue, Trader

ORDER = {"symbol": "SOL_USDC", "side": "Bid", "orderType": "Limit", "price": "99.5", "quantity": "1.5"}


class Client:
    """Give several the same `services` to have them in one process."""

    def __init__(
        self,
        venue: LiveVenue,
        limits: WsLimits | None = None,
        requests: GatewayLimits | None = None,
        services: Services | None = None,
    ) -> None:
        self.venue = venue
        self.payloads: list[bytes] = []
        self.closed_with: int | None = None
        self.has_earned = False
        self.name = f"session {id(self)}"
        self.services = services or venue.services(limits, requests)
        self.session = Session(self.services, self.name, "192.0.2.1", self)

    def send(self, payload: bytes) -> None:
        self.payloads.append(payload)

    def send_latest(self, stream: str, payload: bytes) -> None:
        self.send(payload)

    def earned(self) -> None:
        self.has_earned = True

    def logged_in(self, account: AccountId) -> None:
        pass

    def close(self, code: int, reason: str) -> None:
        self.closed_with = code

    async def settle(self) -> list[Any]:
        """What has been sent since, once everything under way has landed."""
        for _ in range(20):
            await asyncio.sleep(0)
        payloads, self.payloads = self.payloads, []
        return [json.loads(payload) for payload in payloads]

    async def frame(self, frame: Any) -> list[Any]:
        self.session.receive(frame if isinstance(frame, bytes) else json.dumps(frame).encode())
        return await self.settle()

    async def call(self, method: str, params: Any, request_id: Any = 1) -> Any:
        [answer] = await self.frame({"id": request_id, "method": method, "params": params})
        assert answer["id"] == request_id
        return answer

    async def login(self, trader: Trader, instruction: str = "sessionLogin", late_ms: int = 0) -> Any:
        now_ms = self.venue.exchange.now_us() // 1_000 - late_ms
        key, signature, timestamp, window = trader.signature(instruction, now_ms)
        params = {"apiKey": key, "signature": signature, "timestamp": int(timestamp), "window": int(window)}
        return await self.call("session.login", params)

    async def subscribe(self, *streams: str, trader: Trader | None = None) -> list[Any]:
        frame: dict[str, Any] = {"method": "SUBSCRIBE", "params": streams}
        if trader is not None:
            frame["signature"] = trader.signature("subscribe", self.venue.exchange.now_us() // 1_000)
        return await self.frame(frame)
