"""History: how fast the follower takes records in, what a record weighs on disk, how long a page takes by depth.

Each step runs in a process of its own and prints one line of JSON: `make` writes a journal, `follow` takes it in,
`pages` asks for parts of it, `live` measures what a running exchange takes in.
"""

import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Final

import uvloop

from exchange.journal import sealing
from exchange.journal.layout import journal_path, segments_dir
from exchange.journal.store import JournalReader, open_writing
from exchange.runtime.follower.messages import ToFollower
from exchange.runtime.follower.process import Follower
from exchange.runtime.follower.read_models import FILE_NAME, ReadModels, index_file
from exchange.runtime.port import Page
from exchange.values.commands import AnyCommand
from exchange.values.enums import OrderType, Side
from exchange.values.ids import AccountId, KeyId
from exchange.values.orders.commands import CancelOrder, PlaceOrder
from tests.bench import exchange, websocket
from tests.bench.report import Row
from tests.bench.venue import SPEC, Core, founded, open_accounts

RECORDS: Final = 100_000
ACCOUNTS: Final = 200
RESTING: Final = 3_000
MID_TICKS: Final = 15_000
LEVELS: Final = 100
#: Records of one commit batch.
BATCH: Final = 64
SEGMENT: Final = 50_000
#: Lines from the newest on.
DEPTHS: Final = (0, 1_000, 100_000)
PAGE: Final = 100
PAGES: Final = 15
#: In flight per connection, for the live rate.
WINDOW: Final = 32


def trade(core: Core, accounts: list[tuple[AccountId, KeyId]]) -> Iterator[AnyCommand]:
    """Half limit orders, a tenth market orders, cancels for the rest while the book is full enough.

    Bids come from one half of the accounts and asks from the other, so that nobody meets himself; most are a
    market maker's, first of each half.
    """
    choose, half, state = random.Random(1), len(accounts) // 2, core.state
    while state.seq < RECORDS:
        roll, bid = choose.random(), choose.random() < 0.5
        number = 0 if choose.random() < 0.7 else choose.randrange(half)
        owner = accounts[number + (0 if bid else half)]
        order_id = next(iter(state.accounts[owner[0]].orders), None)
        side, lots = Side.BID if bid else Side.ASK, choose.randint(1, 10)
        full = len(state.orders) >= RESTING
        if roll > 0.6 and full and order_id is not None:
            yield CancelOrder(*owner, SPEC.symbol, order_id=order_id)
        elif roll < 0.1 and full:
            yield PlaceOrder(*owner, SPEC.symbol, side, OrderType.MARKET, lots=lots)
        else:
            away = choose.randint(-2, LEVELS) * (1 if bid else -1)
            yield PlaceOrder(*owner, SPEC.symbol, side, price_ticks=MID_TICKS - away, lots=lots, client_id=state.seq)


def make(data: Path) -> dict[str, float]:
    core = founded(keep=True)
    accounts = open_accounts(core, ACCOUNTS)
    for command in trade(core, accounts):
        core.run(command)
    journal = open_writing(data)
    for start in range(0, len(core.lines), BATCH):
        journal.append(start + 1, core.lines[start : start + BATCH])
    journal.close()
    return {"account": accounts[0][0], "journal_bytes": (data / "journal.sqlite").stat().st_size / core.state.seq}


def follow(data: Path) -> dict[str, float]:
    """The whole of what a follower does with a record, beside nothing."""
    for path in data.glob(f"{FILE_NAME}*"):
        path.unlink()
    follower = Follower(data, lambda message: None)
    with JournalReader(data) as reader:
        last_seq, _ = reader.last()
    follower.hear(ToFollower(durable=last_seq))
    begun, begun_cpu = time.perf_counter(), time.process_time()
    while follower.behind:
        follower.advance()
    elapsed_s, cpu_s = time.perf_counter() - begun, time.process_time() - begun_cpu
    follower.close()
    return {
        "per_second": last_seq / elapsed_s,
        "cpu_us": cpu_s / last_seq * 1e6,
        "index_bytes": (data / FILE_NAME).stat().st_size / last_seq,
    }


def pages(data: Path) -> dict[str, float]:
    """Milliseconds at the median of a page of the market maker's ledger, by how many newer lines there are."""
    account = AccountId(int(sys.argv[3]))
    found: dict[str, float] = {}
    for where in ("database", "segments"):
        if where == "segments":
            sealing.seal(data, segment_records=SEGMENT, tail_records=0)
            while (segment := index_file.unindexed(data)) is not None:
                sealing.attach(data, segment, index_file.KIND, index_file.make(data, segment))
            with closing(sqlite3.connect(journal_path(data))) as journal, journal:
                journal.execute("DELETE FROM batches WHERE last_seq <= ?", (RECORDS,))
        models = ReadModels(data / FILE_NAME)
        total = models.ledger(account, Page(limit=1)).total
        for depth in DEPTHS:
            taken: list[float] = []
            for number in range(PAGES):
                page = Page(limit=PAGE, offset=min(depth + number * PAGE, total - PAGE))
                begun = time.perf_counter()
                rows = models.ledger(account, page).rows
                taken.append((time.perf_counter() - begun) * 1e3)
                assert len(rows) == PAGE
            found[f"{where} {depth}"] = median(taken)
        models.close()
    found["file_bytes"] = sum(path.stat().st_size for path in segments_dir(data).glob(f"*.{index_file.KIND}")) / RECORDS
    return found | {"total": total}


def live(folder: Path) -> dict[str, float]:
    """Commands a running exchange answers, its follower beside it."""
    folder.mkdir()
    with exchange.running(folder, websocket.CONNECTIONS) as (server, keypairs):
        return {"per_second": uvloop.run(websocket.exchange_run(server, keypairs, WINDOW)).per_second}


def _apart(step: str, folder: Path, *arguments: str) -> dict[str, float]:
    """One step in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.history", step, str(folder), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=120)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="exchange-bench-") as name:
        folder = Path(name)
        made = _apart("make", folder / "data")
        followed = _apart("follow", folder / "data")
        asked = _apart("pages", folder / "data", f"{made['account']:.0f}")
        taken = _apart("live", folder / "live")
    weight = (
        f"records weigh {made['journal_bytes']:,.0f} bytes in the database; "
        f"beside sealed segments the index takes {asked['file_bytes']:,.0f} more"
    )
    return [
        Row(
            "history",
            "records taken in by the follower",
            "/s",
            followed["per_second"],
            f"commands answered, {websocket.CONNECTIONS} connections, {WINDOW} in flight each",
            taken["per_second"],
            1.0,
            f"{followed['cpu_us']:.1f} µs of a core a record: read, decided again, folded, indexed",
        ),
        Row("history", "index of a record", "bytes", followed["index_bytes"], note=weight),
        *(
            Row(
                "history",
                f"page of {PAGE} ledger lines, {depth:,} lines deep",
                "ms",
                asked[f"database {depth}"],
                note=f"{asked[f'segments {depth}']:.1f} ms out of segments; of {asked['total']:,.0f} lines",
            )
            for depth in DEPTHS
        ),
    ]


if __name__ == "__main__":
    steps: dict[str, Callable[[Path], dict[str, float]]] = {
        "make": make,
        "follow": follow,
        "pages": pages,
        "live": live,
    }
    print(json.dumps(steps[sys.argv[1]](Path(sys.argv[2]))))
