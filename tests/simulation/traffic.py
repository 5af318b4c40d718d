"""Load from many connections, and watchers of every stream; all of it is written down in `Seen`."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Final

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from exchange_client.models import Order, Side
from exchange_client.orders import NewOrder, limit, market
from exchange_client.signing import Keypair, signing_text
from tests.simulation.seen import Seen, SeenAccount

SYMBOLS: Final = ("SOL_USDC", "ETH_USDC")
#: The load is far above what one person may ask in a minute, and so is the comparing.
SETTINGS: Final = {
    f"EXCHANGE_LIMITS__{name}_PER_MINUTE": "600000" for name in ("REQUESTS", "PUBLIC_REQUESTS", "HISTORY_REQUESTS")
}
MID: Final = {"SOL_USDC": Decimal(150), "ETH_USDC": Decimal(3000)}
TICK: Final = Decimal("0.01")
CONNECTIONS_PER_ACCOUNT: Final = 3
MOST_IN_FLIGHT: Final = 8
#: Between two bursts of one connection, so that histories stay short enough to compare in full.
PAUSE_S: Final = 0.02
WINDOW_MS: Final = 5_000
ANSWERS_WITHIN_S: Final = 15.0
POLL_S: Final = 0.01

_order: Final = msgspec.json.Decoder(Order)
_orders: Final = msgspec.json.Decoder(list[Order])


class _Answer(msgspec.Struct):
    id: int | None = None
    status: int = 0
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: dict[str, Any] | None = None


_answer: Final = msgspec.json.Decoder(_Answer)


def login(keypair: Keypair) -> dict[str, Any]:
    timestamp_ms = keypair.timestamp_ms()
    return {
        "apiKey": keypair.public_key,
        "timestamp": timestamp_ms,
        "window": WINDOW_MS,
        "signature": keypair.sign(signing_text("sessionLogin", [{}], timestamp_ms, WINDOW_MS)),
    }


def subscription(streams: Sequence[str], keypair: Keypair) -> str:
    timestamp_ms = keypair.timestamp_ms()
    signature = keypair.sign(signing_text("subscribe", [{}], timestamp_ms, WINDOW_MS))
    frame = {
        "method": "SUBSCRIBE",
        "params": list(streams),
        "signature": [keypair.public_key, signature, str(timestamp_ms), str(WINDOW_MS)],
    }
    return msgspec.json.encode(frame).decode()


class Trader:
    """One logged-in connection that places and cancels in bursts until the exchange goes away."""

    def __init__(self, account: SeenAccount, choose: random.Random) -> None:
        self.account = account
        self.choose = choose
        self.own: list[tuple[str, int]] = []
        self.asked: dict[int, tuple[str, Any]] = {}
        self.last_id = 0

    async def run(self, url: str) -> None:
        try:
            async with connect(url, compression=None) as socket:
                await self.ask(socket, "session.login", login(self.account.keypair))
                await self.hear(socket)
                while True:
                    for _ in range(self.choose.randint(1, MOST_IN_FLIGHT)):
                        await self.say(socket)
                    while self.asked:
                        await self.hear(socket)
                    await asyncio.sleep(PAUSE_S)
        except (ConnectionClosed, OSError):
            pass

    async def say(self, socket: ClientConnection) -> None:
        roll = self.choose.random()
        if roll < 0.3 and self.own:
            symbol, client_id = self.own.pop(self.choose.randrange(len(self.own)))
            await self.ask(socket, "order.cancel", {"symbol": symbol, "clientId": client_id})
        elif roll < 0.32:
            await self.ask(socket, "order.cancelAll", {"symbol": self.choose.choice(SYMBOLS)})
        elif roll < 0.4:
            symbol = self.choose.choice(SYMBOLS)
            await self.place(socket, [self.order(symbol) for _ in range(3)])
        else:
            await self.place(socket, [self.order(self.choose.choice(SYMBOLS))])

    def order(self, symbol: str) -> NewOrder:
        side: Side = self.choose.choice(("Bid", "Ask"))
        quantity = TICK * self.choose.randint(1, 50)
        client_id = self.account.next_client_id()
        roll = self.choose.random()
        if roll < 0.1:
            return market(symbol, side, quantity=quantity, client_id=client_id)
        away = TICK * self.choose.randint(-3, 12)
        price = MID[symbol] - away if side == "Bid" else MID[symbol] + away
        if roll < 0.2:
            return limit(symbol, side, price, quantity, time_in_force="IOC", client_id=client_id)
        return limit(symbol, side, price, quantity, client_id=client_id)

    async def place(self, socket: ClientConnection, orders: list[NewOrder]) -> None:
        for order in orders:
            self.account.sent[order.client_id] = order
        if len(orders) == 1:
            await self.ask(socket, "order.place", orders[0].wire(), orders)
        else:
            await self.ask(socket, "order.batch", [order.wire() for order in orders], orders)

    async def ask(self, socket: ClientConnection, method: str, params: Any, orders: Sequence[NewOrder] = ()) -> None:
        self.last_id += 1
        self.asked[self.last_id] = method, orders
        await socket.send(msgspec.json.encode({"id": self.last_id, "method": method, "params": params}).decode())

    async def hear(self, socket: ClientConnection) -> None:
        answer = _answer.decode(await socket.recv())
        assert answer.id is not None, answer
        method, orders = self.asked.pop(answer.id)
        if method == "session.login":
            assert answer.status == 200, answer.error
        elif method == "order.batch" and answer.status == 200:
            for order, item in zip(orders, msgspec.json.decode(answer.result), strict=True):
                if item["operation"] == "Ok":
                    self.placed(order, msgspec.convert(item, Order, strict=False))
                else:
                    self.account.refused[order.client_id] = item["code"]
        elif answer.status != 200:
            assert answer.error is not None
            for order in orders:
                self.account.refused[order.client_id] = answer.error["code"]
        elif method == "order.place":
            self.placed(orders[0], _order.decode(answer.result))
        else:
            ended = _orders.decode(answer.result) if method == "order.cancelAll" else [_order.decode(answer.result)]
            self.account.cancelled.update((order.id, order) for order in ended)

    def placed(self, asked: NewOrder, order: Order) -> None:
        self.account.acknowledged[asked.client_id] = order
        if order.is_open:
            self.own.append((order.symbol, asked.client_id))


async def watch(seen: Seen, account: SeenAccount, url: str) -> None:
    """Write down one account's order updates, every trade, and the books' update ids."""
    streams = ["account.orderUpdate", *(f"{kind}.{symbol}" for kind in ("trade", "depth") for symbol in SYMBOLS)]
    try:
        async with connect(url, compression=None) as socket:
            await socket.send(subscription(streams, account.keypair))
            async for frame in socket:
                message = msgspec.json.decode(frame)
                data = message["data"]
                if message["stream"] == "account.orderUpdate":
                    account.updates.append(data)
                elif data["e"] == "trade":
                    seen.trades[data["s"], data["t"]] = data
                else:
                    seen.update_ids[data["s"]] = data["u"]
    except (ConnectionClosed, OSError):
        pass


async def until_acknowledged(seen: Seen) -> None:
    """Wait for the next acknowledgement of any order."""
    before = seen.acknowledgements()
    for _ in range(int(ANSWERS_WITHIN_S / POLL_S)):
        if seen.acknowledgements() > before:
            return
        await asyncio.sleep(POLL_S)
    refusals = [code for account in seen.accounts.values() for code in account.refused.values()][-3:]
    raise AssertionError(f"nothing was acknowledged within {ANSWERS_WITHIN_S} s; refusals: {refusals}")


@asynccontextmanager
async def load(seen: Seen, url: str, seed: int) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Traders and watchers on every account, until the exchange is gone or the block is left."""
    tasks = [asyncio.create_task(watch(seen, account, url)) for account in seen.accounts.values()]
    for index, account in enumerate(seen.accounts.values()):
        for connection in range(CONNECTIONS_PER_ACCOUNT):
            trader = Trader(account, random.Random(f"{seed} {index} {connection}"))
            tasks.append(asyncio.create_task(trader.run(url)))
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
