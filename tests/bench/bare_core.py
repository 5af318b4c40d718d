"""The core and its records behind the barest of sessions: where the cost of an order lies.

Typed decoding, decide, fold, the record encoded and chained, the order as an answer. No login, no
admission, no journal, no market data, no history. `/core?number=N` trades for account N.
"""

from urllib.parse import parse_qs, urlsplit

from picows import WSListener, WSUpgradeRequest, ws_create_server

from exchange.core import decide, fold
from exchange.values.enums import Side
from exchange.values.ids import id_at
from exchange.values.numbers import parse_decimal
from exchange.values.orders.commands import CancelAll, CancelOrder, PlaceOrder
from exchange.values.orders.events import OrderDone
from exchange.values.record import GENESIS_CHAIN, Record, encode, link
from tests.bench import child
from tests.bench.echo import Acknowledge, Order
from tests.bench.venue import SPEC, START_US, founded, open_accounts

ACCOUNTS = 64
#: Decimals of a tick and of a lot.
DECIMALS = 2


class Venue:
    def __init__(self) -> None:
        core = founded()
        self.accounts = open_accounts(core, ACCOUNTS)
        self.state = core.state
        self.chain = GENESIS_CHAIN

    def run(self, command: PlaceOrder | CancelOrder | CancelAll) -> tuple[int, list[object]]:
        """The command's seq and events."""
        state = self.state
        time_us = START_US + state.seq
        events = decide(state, time_us, command)
        record = Record(state.seq + 1, time_us, command, events)
        fold(state, record)
        self.chain = link(self.chain, encode(record))
        return state.seq, list(events)


class Trading(Acknowledge):
    """A session of one account."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.owner = venue.accounts[number]
        venue.run(CancelAll(*self.owner, SPEC.symbol))

    def order(self, message: bytes) -> tuple[int, Order]:
        call = self.decoder.decode(message)
        asked = call.params
        client_id = asked.client_id or None
        if call.method == "order.cancel":
            seq, events = venue.run(CancelOrder(*self.owner, SPEC.symbol, client_id=client_id))
            status = "Cancelled" if isinstance(events[0], OrderDone) else "Filled"
        else:
            command = PlaceOrder(
                *self.owner,
                SPEC.symbol,
                Side(asked.side),
                price_ticks=parse_decimal(asked.price, DECIMALS),
                lots=parse_decimal(asked.quantity, DECIMALS),
                client_id=client_id,
            )
            seq, events = venue.run(command)
            status = "New" if len(events) == 1 else "Filled"
        return call.id, self.render(str(id_at(seq)), asked, status)


def accept(request: WSUpgradeRequest) -> WSListener:
    return Trading(int(parse_qs(urlsplit(request.path.decode()).query)["number"][0]))


async def start() -> int:
    server = await ws_create_server(accept, "127.0.0.1", 0)
    return int(server.sockets[0].getsockname()[1])


if __name__ == "__main__":
    venue = Venue()
    child.main(start)
