"""How long it takes to prove the books before a reopening, beside what the live core does of the same records.

Run in processes of its own. `drive` lives through it as an exchange does: accounts are opened, orders
trade, the gates are passed once, more orders trade, a window closes, its closing certificate is made and
the gates are passed again, from the checkpoint that the first pass has left. Journal writer, follower,
certificates and gates are the real processes. The other steps then read the journal it leaves: `live`
decides its commands anew as the running core would, `rehearse`, `verify` and `certificate` do what
they are named for. Each prints one line of JSON.
"""

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nacl.signing import SigningKey

from exchange.core import State, decide, fold
from exchange.core.digest import digest
from exchange.journal import checkpoint
from exchange.journal.recovery import without_collection
from exchange.journal.store import JournalReader
from exchange.journal.verify import verify as verify_journal
from exchange.maintenance.evidence import certificates, history
from exchange.maintenance.evidence.messages import Request, Verdict
from exchange.maintenance.evidence.rehearsal import rehearse as rehearse_journal
from exchange.maintenance.evidence.worker import CLOSING, GATES, work
from exchange.runtime.build import build_id
from exchange.runtime.follower.client import FollowerClient
from exchange.values.commands import AnyCommand
from exchange.values.enums import Mode
from exchange.values.modes.commands import SetMode
from exchange.values.process.commands import StartProcess
from exchange.values.record import GENESIS_CHAIN, Record, encode, link
from exchange.values.windows.commands import BeginWindow, CancelAtClose, Certify, PlanWindow
from exchange.values.windows.events import WindowPlanned
from exchange.values.windows.plan import WindowId, WindowPlan
from tests.bench.flow import make
from tests.bench.report import Row, middle
from tests.bench.start import Journal, resident_bytes
from tests.bench.venue import START_US, Translator, founded, open_accounts
from tests.core.windows.by_hand import NO_WINDOW
from tests.venue import ADMIN


@dataclass(frozen=True)
class Size:
    """Records are those of the first pass; of them, four an account are its opening."""

    records: int
    accounts: int
    #: Records after the checkpoint.
    tail: int
    #: No step takes longer.
    timeout_s: float


USUAL: Final = Size(records=100_000, accounts=10_000, tail=5_000, timeout_s=180)
#: `--full`.
FULL: Final = Size(records=1_000_000, accounts=100_000, tail=20_000, timeout_s=1_800)
SIZES: Final = {"usual": USUAL, "full": FULL}
ROUNDS: Final = 3
#: Prices a side.
LEVELS: Final = 1_000
KEY: Final = SigningKey(bytes(range(32)))
#: After the window has closed.
HOUR_US: Final = 3_600_000_000


class Exchange:
    """The core with the processes that stand beside it."""

    def __init__(self, data: Path, timeout_s: float) -> None:
        self.data = data
        self.timeout_s = timeout_s
        self.core = founded(keep=True, venue_key=b64encode(bytes(KEY.verify_key)).decode())
        self.journal = Journal(self.core)

    async def open(self) -> None:
        admin = ADMIN
        self.core.run(StartProcess(build_id(), True))
        for mode in (Mode.POST_ONLY, Mode.FULL):
            self.core.run(SetMode(admin, mode, "bench"))
        await self.journal.open(self.data)
        await self.journal.durable()
        self.follower = await FollowerClient.start(
            self.data, lambda mismatch: sys.exit(f"{mismatch.check} {mismatch.seq}"), lambda fault: sys.exit(fault)
        )

    async def run(self, commands: Iterable[AnyCommand]) -> None:
        """Run commands, and wait until the read models show them."""
        await self.journal.run(commands)
        self.follower.durable(self.core.state.seq)
        if not await self.follower.wait_for(self.core.state.seq, self.timeout_s):
            raise RuntimeError("the follower does not keep up")

    async def prove(self, module: str, window: WindowId = NO_WINDOW) -> tuple[float, Verdict]:
        """Seconds and outcome of one certificate's process."""
        state = self.core.state
        request = Request(
            data=str(self.data),
            seed=b64encode(bytes(KEY)).decode(),
            time_us=START_US + state.seq,
            window=window,
            live_seq=state.seq,
            live_digest=digest(state),
        )
        begun = time.perf_counter()
        outcome = await work(module, request, lambda progress: None)
        seconds = time.perf_counter() - begun
        if not outcome.passed:
            raise RuntimeError(outcome.reason)
        return seconds, outcome

    async def close_window(self) -> WindowId:
        core = self.core
        offline_us = START_US + core.state.seq
        plan = WindowPlan(offline_us, offline_us + HOUR_US, offline_us + HOUR_US, "bench")
        (planned,) = core.run(PlanWindow(ADMIN, plan))
        assert isinstance(planned, WindowPlanned)
        core.run(BeginWindow(planned.window))
        while not core.state.windows[planned.window].closed:
            core.run(CancelAtClose(planned.window))
        await self.run([])
        return planned.window

    async def shut(self) -> None:
        await self.follower.close()
        await self.journal.writer.close()


async def drive(data: Path, size: Size) -> dict[str, float]:
    exchange = Exchange(data, size.timeout_s)
    await exchange.open()
    core = exchange.core
    accounts = open_accounts(core, size.accounts)
    resting = size.accounts
    flow = make(resting=resting, levels=LEVELS, steps=size.records - core.state.seq - resting + size.tail)
    commands = Translator(accounts).commands(core.state.seq, flow.opening + flow.steps)
    await exchange.run(commands[: -size.tail])
    all_s, _ = await exchange.prove(GATES)
    gates_bytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    first_pass = core.state.seq
    await exchange.run(commands[-size.tail :])
    window = await exchange.close_window()
    closing_s, closing = await exchange.prove(CLOSING, window)
    assert closing.signed is not None
    await exchange.run([Certify(closing.signed.text, closing.signed.signature)])
    tail_s, _ = await exchange.prove(GATES, window)
    await exchange.shut()
    return {
        "records": first_pass,
        "gates_s": all_s,
        "gates_bytes": gates_bytes,
        "closing_s": closing_s,
        "tail": core.state.seq - first_pass,
        "tail_s": tail_s,
        "orders": len(core.state.orders),
    }


def decide_live(data: Path) -> dict[str, float]:
    """What the running core does: each command decided, folded, encoded and chained. Reading them is not counted."""
    state, chain, seconds = State(), GENESIS_CHAIN, 0.0
    with without_collection(), JournalReader(data) as reader:
        end_seq, end_chain = reader.last()
        for batch in reader.checked_batches(1, end_seq, GENESIS_CHAIN):
            asked = [(record.time_us, record.command) for record in batch.records]
            begun = time.perf_counter()
            for time_us, command in asked:
                events = decide(state, time_us, command)
                record = Record(state.seq + 1, time_us, command, events)
                fold(state, record)
                chain = link(chain, encode(record))
            seconds += time.perf_counter() - begun
    if chain != end_chain:
        raise RuntimeError("the same commands led to other records")
    return {"per_second": end_seq / seconds}


def rehearse(data: Path) -> dict[str, float]:
    begun = time.perf_counter()
    report = rehearse_journal(data)
    if not report.clean:
        raise RuntimeError(report.text())
    return {"per_second": report.to_seq / (time.perf_counter() - begun)}


def verify(data: Path) -> dict[str, float]:
    report = verify_journal(data, from_genesis=True)
    if not report.ok:
        raise RuntimeError(report.text())
    return {"per_second": report.to_seq / report.seconds}


def certificate(data: Path) -> dict[str, float]:
    """The statements, leaves and root of every account, from the state at the last gates."""
    with without_collection():
        with JournalReader(data) as reader:
            found = checkpoint.newest(data, reader.genesis())
        assert found is not None
        signed, state = found
        left = checkpoint.histories(data, signed)
        assert left is not None
        histories = history.load(left.splitlines())
        before = resident_bytes()
        begun = time.perf_counter()
        made = certificates.body(state, histories)
        seconds = time.perf_counter() - begun
    return {
        "seconds": seconds,
        "statements": len(made.statements),
        "bytes": resident_bytes() - before,
        "resident_bytes": resident_bytes(),
    }


def _apart(step: str, size: Size, data: Path) -> dict[str, float]:
    """One step in a process of its own."""
    name = next(name for name, known in SIZES.items() if known is size)
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.maintenance", step, name, str(data)],
        stdout=subprocess.PIPE,
        check=True,
        timeout=size.timeout_s,
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def _rates(size: Size, data: Path) -> list[float]:
    """Records per second of the live core, a rehearsal and a verification, by turns."""
    steps = ("live", "rehearse", "verify")
    rounds = [[_apart(step, size, data)["per_second"] for step in steps] for _ in range(ROUNDS)]
    return [middle(measured) for measured in zip(*rounds, strict=True)]


def rows(size: Size = USUAL) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="exchange-bench-") as folder:
        data = Path(folder)
        driven = _apart("drive", size, data)
        live, rehearsal, verification = _rates(size, data)
        certified = _apart("certificate", size, data)
    records = f"{driven['records']:,.0f} records"
    section, alone = "maintenance", "the live core alone"
    return [
        Row(section, f"rehearse, {records}", "/s", rehearsal, alone, live, 1.0),
        Row(
            section,
            f"verify, {records}",
            "/s",
            verification,
            alone,
            live,
            note="from genesis; from the first snapshot on the way it folds twice",
        ),
        Row(
            section,
            f"gates, {records}",
            "/s",
            driven["records"] / driven["gates_s"],
            "rehearsal alone",
            rehearsal,
            note=f"{driven['gates_s']:.1f} s and {driven['gates_bytes'] / 2**20:,.0f} MiB in all, from genesis to the "
            f"signed certificate; {size.accounts:,} accounts, {driven['orders']:,.0f} open orders",
        ),
        Row(
            section,
            f"gates, {driven['tail']:,.0f} records after a checkpoint",
            "s",
            driven["tail_s"],
            note=f"the statements of {size.accounts:,} accounts compared with the closing ones, "
            f"and the read models' whole history; the closing certificate before it took {driven['closing_s']:.1f} s",
        ),
        Row(
            section,
            f"certificate, {certified['statements']:,.0f} statements",
            "s",
            certified["seconds"],
            note=f"{certified['bytes'] / 2**20:,.0f} MiB more than the state and its histories, "
            f"{certified['resident_bytes'] / 2**20:,.0f} MiB resident",
        ),
    ]


if __name__ == "__main__":
    step, name, folder = sys.argv[1:]
    data = Path(folder)
    alone = {"live": decide_live, "rehearse": rehearse, "verify": verify, "certificate": certificate}
    result = asyncio.run(drive(data, SIZES[name])) if step == "drive" else alone[step](data)
    print(json.dumps(result))
