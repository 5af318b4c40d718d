"""How long a start takes with 100,000 accounts and 200,000 open orders, and what an open order weighs.

Run in processes of its own: `make` founds the venue and writes its journal and a snapshot, `start`
recovers it as a server does, proofs included, `weigh` only fills a book. Each prints one line of JSON.
"""

import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from exchange.journal import snapshots
from exchange.journal.client import WriterClient
from exchange.journal.recovery import recover
from exchange.journal.store import JournalReader
from exchange.values.commands import AnyCommand
from exchange.values.enums import Side
from exchange.values.ids import AccountId, KeyId, OrderId, id_at
from exchange.values.orders.commands import CancelOrder, PlaceOrder
from tests.bench.flow import MID_TICKS
from tests.bench.report import Row
from tests.bench.venue import SPEC, Core, founded, open_accounts

ACCOUNTS: Final = 100_000
ORDERS_EACH: Final = 2
WEIGHED_ACCOUNTS: Final = 1_000
WEIGHED_ORDERS: Final = 200_000
#: Prices a side.
LEVELS: Final = 1_000
#: Records after the snapshot, which a start folds.
TAIL: Final = 100_000
#: Records handed to the writer at a time.
CHUNK: Final = 2_000


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def orders(accounts: list[tuple[AccountId, KeyId]], each: int) -> Iterator[PlaceOrder]:
    """Resting orders, every account on one side."""
    for round_number in range(each):
        for number, owner in enumerate(accounts):
            offset = 1 + (number // 2 + round_number) % LEVELS
            bid = number % 2 == 0
            price = MID_TICKS - offset if bid else MID_TICKS + offset
            yield PlaceOrder(*owner, SPEC.symbol, Side.BID if bid else Side.ASK, price_ticks=price, lots=5)


def passing(core: Core, accounts: list[tuple[AccountId, KeyId]]) -> Iterator[AnyCommand]:
    """Orders that come and go: the book is as large afterwards."""
    for number in range(TAIL // 2):
        owner = accounts[number % len(accounts)]
        order_id = OrderId(id_at(core.state.seq + 1))
        yield PlaceOrder(*owner, SPEC.symbol, Side.BID, price_ticks=MID_TICKS - LEVELS, lots=1)
        yield CancelOrder(*owner, SPEC.symbol, order_id=order_id)


class Journal:
    """The journal writer, fed with what the core has kept."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.moved = asyncio.Event()

    async def open(self, data: Path) -> None:
        self.writer = await WriterClient.start(data, on_durable=lambda seq: self.moved.set(), on_failed=sys.exit)

    async def durable(self) -> None:
        """Hand every kept line to the writer and wait for it."""
        lines, self.core.lines = self.core.lines, []
        first_seq = self.core.state.seq - len(lines) + 1
        for start in range(0, len(lines), CHUNK):
            self.writer.append(first_seq + start, lines[start : start + CHUNK])
            await asyncio.sleep(0)
        while self.writer.durable_seq < self.core.state.seq:
            self.moved.clear()
            await self.moved.wait()

    async def run(self, commands: Iterable[AnyCommand]) -> None:
        for command in commands:
            self.core.run(command)
            if len(self.core.lines) == CHUNK:
                await self.durable()
        await self.durable()


def weigh() -> dict[str, float]:
    core = founded()
    accounts = open_accounts(core, WEIGHED_ACCOUNTS)
    gc.collect()
    before = resident_bytes()
    for order in orders(accounts, WEIGHED_ORDERS // WEIGHED_ACCOUNTS):
        core.run(order)
    gc.collect()
    return {"order_bytes": (resident_bytes() - before) / len(core.state.orders)}


async def make(data: Path) -> dict[str, float]:
    core = founded(keep=True)
    journal = Journal(core)
    await journal.open(data)
    accounts = open_accounts(core, ACCOUNTS)
    await journal.durable()
    await journal.run(orders(accounts, ORDERS_EACH))
    with JournalReader(data) as reader:
        snapshots.write(data, core.state, reader.chain_at(core.state.seq))
    await journal.run(passing(core, accounts))
    await journal.writer.close()
    return {"seq": core.state.seq}


def start(data: Path) -> dict[str, float]:
    begun = time.perf_counter()
    recovered = recover(data)
    return {
        "seconds": time.perf_counter() - begun,
        "accounts": len(recovered.state.accounts),
        "orders": len(recovered.state.orders),
        "folded": recovered.seq - recovered.snapshot_seq,
        "resident_bytes": resident_bytes(),
    }


def _apart(step: str, data: Path) -> dict[str, float]:
    """One step in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.start", step, str(data)], stdout=subprocess.PIPE, check=True, timeout=120
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="exchange-bench-") as folder:
        _apart("make", Path(folder))
        started = _apart("start", Path(folder))
        weighed = _apart("weigh", Path(folder))
    return [
        Row(
            "start",
            "accounts and open orders, from a snapshot",
            "s",
            started["seconds"],
            note=f"{started['accounts']:,.0f} accounts, {started['orders']:,.0f} open orders, "
            f"{started['folded']:,.0f} records folded after the snapshot, every check of a start included; "
            f"{started['resident_bytes'] / 2**20:,.0f} MiB resident",
        ),
        Row("start", "memory of an open order", "bytes", weighed["order_bytes"]),
    ]


if __name__ == "__main__":
    data = Path(sys.argv[2])
    steps = {"make": lambda: asyncio.run(make(data)), "start": lambda: start(data), "weigh": weigh}
    print(json.dumps(steps[sys.argv[1]]()))
