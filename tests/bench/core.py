"""Commands per second of the core with its records, beside the engines from PyPI on the same flow.

Ours decides, folds, encodes every record and chains them a batch at a time: balances, reserves,
fees, double entry and the journal's bytes included.
"""

import gc
import json
import subprocess
import time
from dataclasses import asdict
from pathlib import Path
from typing import Final

import exchange
from exchange.core import decide, fold
from exchange.core.orders import matching
from exchange.core.snapshot import dump, load
from exchange.values.record import GENESIS_CHAIN, Record, decode_lines, encode, link
from tests.bench import engines
from tests.bench.flow import Flow, make
from tests.bench.report import Row, middle
from tests.bench.venue import SPEC, START_US, Refusal, Translator, founded, open_accounts

ROUNDS: Final = 3
#: Records that are chained together, about what a commit gathers under load.
BATCH: Final = 64
ACCOUNTS: Final = 256
THIN: Final = "thin book"
DEEP: Final = "200,000 resting orders"
SOURCE: Final = Path(exchange.__file__).parent
#: Where `make compiled` builds.
COMPILED: Final = SOURCE.parent / "build" / "compiled"
COMPILED_PYTHON: Final = COMPILED / ".venv" / "bin" / "python"
COMPILED_TIMEOUT_S: Final = 300


def flows() -> dict[str, Flow]:
    return {
        THIN: make(resting=200, levels=20, steps=60_000),
        DEEP: make(resting=200_000, levels=1_000, steps=30_000),
    }


def compiled() -> bool:
    """Whether this process runs the core as compiled by mypyc."""
    return not (matching.__file__ or "").endswith(".py")


class Played:
    """One run of a flow: commands per second with records, and records per second folded back from their bytes."""

    def __init__(self, flow: Flow) -> None:
        core = founded()
        translate = Translator(open_accounts(core, ACCOUNTS))
        for command in translate.commands(core.state.seq, flow.opening):
            core.run(command)
        self.before = dump(core.state)
        todo = translate.commands(core.state.seq, flow.steps)
        gc.collect()
        gc.freeze()
        state = core.state
        chain = GENESIS_CHAIN
        lines: list[bytes] = []
        self.events = 0
        begun = time.perf_counter()
        for start in range(0, len(todo), BATCH):
            batch: list[bytes] = []
            for command in todo[start : start + BATCH]:
                time_us = START_US + state.seq
                events = decide(state, time_us, command)
                record = Record(state.seq + 1, time_us, command, events)
                fold(state, record)
                batch.append(encode(record))
                self.events += len(events)
            for body in batch:
                chain = link(chain, body)
            lines += batch
        self.per_second = len(todo) / (time.perf_counter() - begun)
        gc.unfreeze()
        self.lines = lines
        self.bytes = sum(map(len, lines)) / len(lines)
        market = state.markets[SPEC.symbol]
        left = [
            order.left_lots for side in (market.bids, market.asks) for level in side.best_first() for order in level
        ]
        if (len(left), sum(left)) != (flow.resting, flow.resting_lots):
            raise Refusal("our core ended with another book than the flow's author")
        self.after = dump(state)

    def fold_per_second(self) -> float:
        state = load(self.before)
        gc.collect()
        gc.freeze()
        begun = time.perf_counter()
        for record in decode_lines(b"\n".join(self.lines)):
            fold(state, record)
        per_second = len(self.lines) / (time.perf_counter() - begun)
        gc.unfreeze()
        if dump(state) != self.after:
            raise Refusal("the folded records gave another state")
        return per_second


LIGHT: Final = "lightmatchingengine (pure Python)"
LOB: Final = "limit-order-book 2 (C++ by ctypes)"


def rows() -> list[Row]:
    found: list[Row] = []
    how = "compiled by mypyc" if compiled() else "interpreted"
    peers = {LIGHT: engines.light_matching_engine, LOB: engines.limit_order_book}
    aims = {LIGHT: 1.0, LOB: 1.0 if compiled() else 0.5}
    for name, flow in flows().items():
        ours: list[float] = []
        folds: list[float] = []
        theirs: dict[str, list[float]] = {peer: [] for peer in peers}
        for _ in range(ROUNDS):
            played = Played(flow)
            ours.append(played.per_second)
            folds.append(played.fold_per_second())
            for peer, run in peers.items():
                theirs[peer].append(run(flow))
        note = f"{played.events / len(flow.steps):.1f} events a command, {played.bytes:.0f} bytes a record"
        for peer, measured in theirs.items():
            found.append(
                Row("core", f"commands, {name}, {how}", "/s", middle(ours), peer, middle(measured), aims[peer], note)
            )
        found.append(
            Row("core", f"fold from bytes, {name}, {how}", "/s", middle(folds), "our own commands", middle(ours), None)
        )
    return found if compiled() else found + compiled_rows()


def compiled_rows() -> list[Row]:
    """The same measured by the build that `make compiled` has left, if it is one of these sources."""
    name = "commands, compiled by mypyc"
    if not COMPILED_PYTHON.exists():
        return [Row("core", name, "/s", None, note="there is no compiled build here; `make compiled` makes one")]
    if sources(COMPILED / "source" / "exchange") != sources(SOURCE):
        return [Row("core", name, "/s", None, note="the compiled build is of other sources; `make compiled` renews it")]
    done = subprocess.run(
        [COMPILED_PYTHON, "-m", "tests.bench.core"],
        cwd=COMPILED / "checks",
        stdout=subprocess.PIPE,
        check=True,
        timeout=COMPILED_TIMEOUT_S,
    )
    return [Row(**row) for row in json.loads(done.stdout)]


def sources(package: Path) -> dict[Path, bytes]:
    """What the modules of a package say."""
    return {path.relative_to(package): path.read_bytes() for path in package.rglob("*.py")}


if __name__ == "__main__":
    print(json.dumps([asdict(row) for row in rows()]))
