"""The WebSocket yardstick: what the same server library reaches with no exchange behind it.

`/echo?reply=N` gives every message back, made up to N bytes, the answers to one read buffer
joined in one write. `/acknowledge` reads each message as an order and answers as a trading session
does, with nothing behind it. `/feed` only listens, and `/tick?size=N` writes N bytes to every
listener for each message.
"""

from urllib.parse import parse_qs, urlsplit

import msgspec
from picows import WSFrame, WSListener, WSTransport, WSUpgradeRequest, ws_create_server

from tests.bench import child
from tests.bench.frames import server_frame

listeners: set[WSTransport] = set()


class Feed(WSListener):
    def on_ws_connected(self, transport: WSTransport) -> None:
        listeners.add(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        listeners.discard(transport)


class Echo(WSListener):
    def __init__(self, reply_bytes: int) -> None:
        self.reply_bytes = reply_bytes
        self.gathered: list[bytes] = []

    def answer(self, message: bytes) -> bytes:
        return message.ljust(self.reply_bytes)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self.gathered.append(server_frame(self.answer(frame.get_payload_as_bytes())))
        if frame.last_in_buffer:
            transport.underlying_transport.write(b"".join(self.gathered))
            self.gathered.clear()


class PlacedOrder(msgspec.Struct):
    symbol: str
    side: str = ""
    order_type: str = msgspec.field(name="orderType", default="")
    price: str = ""
    quantity: str = ""
    client_id: int = msgspec.field(name="clientId", default=0)


class Call(msgspec.Struct):
    id: int
    method: str
    params: PlacedOrder


class Order(msgspec.Struct):
    """As many fields as the wire contract's order has."""

    order_type: str = msgspec.field(name="orderType")
    id: str
    client_id: int = msgspec.field(name="clientId")
    created_at: int = msgspec.field(name="createdAt")
    symbol: str
    side: str
    price: str
    quantity: str
    executed: str = msgspec.field(name="executedQuantity", default="0")
    executed_quote: str = msgspec.field(name="executedQuoteQuantity", default="0")
    status: str = "New"
    time_in_force: str = msgspec.field(name="timeInForce", default="GTC")
    self_trade_prevention: str = msgspec.field(name="selfTradePrevention", default="RejectTaker")
    post_only: bool = msgspec.field(name="postOnly", default=False)
    reduce_only: bool | None = msgspec.field(name="reduceOnly", default=None)
    trigger_price: str | None = msgspec.field(name="triggerPrice", default=None)
    trigger_by: str | None = msgspec.field(name="triggerBy", default=None)
    trigger_quantity: str | None = msgspec.field(name="triggerQuantity", default=None)
    triggered_at: int | None = msgspec.field(name="triggeredAt", default=None)
    related_order_id: str | None = msgspec.field(name="relatedOrderId", default=None)
    strategy_id: str | None = msgspec.field(name="strategyId", default=None)


class Answer(msgspec.Struct):
    id: int
    status: int
    result: Order


class Acknowledge(Echo):
    """What a trading session costs with no exchange behind it: typed decoding in, an order out."""

    def __init__(self) -> None:
        super().__init__(0)
        self.decoder = msgspec.json.Decoder(Call)
        self.encoder = msgspec.json.Encoder()

    def answer(self, message: bytes) -> bytes:
        call_id, order = self.order(message)
        return self.encoder.encode(Answer(call_id, 200, order))

    def order(self, message: bytes) -> tuple[int, Order]:
        call = self.decoder.decode(message)
        return call.id, self.render("5406825793", call.params, "New")

    @staticmethod
    def render(order_id: str, asked: PlacedOrder, status: str) -> Order:
        return Order(
            asked.order_type,
            order_id,
            asked.client_id,
            1_754_939_110_174,
            asked.symbol,
            asked.side,
            asked.price,
            asked.quantity,
            status=status,
        )


class Tick(WSListener):
    def __init__(self, update_bytes: int) -> None:
        self.update = server_frame(b'{"stream":'.ljust(update_bytes))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        for listener in listeners:
            listener.underlying_transport.write(self.update)
        transport.send(frame.msg_type, b"{}")


def accept(request: WSUpgradeRequest) -> WSListener:
    parts = urlsplit(request.path.decode())
    query = {name: int(values[0]) for name, values in parse_qs(parts.query).items()}
    if parts.path == "/feed":
        return Feed()
    if parts.path == "/tick":
        return Tick(query["size"])
    if parts.path == "/acknowledge":
        return Acknowledge()
    return Echo(query["reply"])


async def start() -> int:
    server = await ws_create_server(accept, "127.0.0.1", 0)
    return int(server.sockets[0].getsockname()[1])


if __name__ == "__main__":
    child.main(start)
