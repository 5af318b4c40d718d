"""Going through the catalogue: one morning, and for each fault a copy of what it left, harmed and started again."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import msgspec

import exchange
from exchange.journal.layout import journal_path
from exchange.maintenance.drill.faults import CONTROL, Fault
from exchange.maintenance.drill.harm import Case, HarmFailed
from exchange.maintenance.drill.messages import READY, Job, Reopening, Scene
from exchange.maintenance.drill.morning import OFFLINE_US, at_us
from exchange.runtime.build import build_id
from exchange.values.enums import Mode

#: When the process is started again, in the window.
RESTART_US: Final = at_us(11)
#: No stage takes longer.
STAGE_TIMEOUT_S: Final = 600.0
#: Cases under way at a time.
_AT_A_TIME: Final = 2
#: How much of what a stage that failed has said is shown.
_LAST_WORDS: Final = 1_000

#: Called with what has just ended, and how many cases have, of how many.
Progress = Callable[[str, int, int], None]


class StageFailed(Exception):
    """A stage ended without an answer: the drill itself is broken, or the build does not even run."""


class Verdict(msgspec.Struct, frozen=True):
    """What became of one case. `caught_by` are the guards that said no, in order; `named` are their words for what
    was harmed. `problem` empty: the drill was passed.
    """

    fault: str
    kind: str
    expected: str
    caught_by: tuple[str, ...]
    modes: tuple[str, ...]
    taker_trades: int
    named: tuple[str, ...]
    problem: str
    seconds: float


class Drill:
    """One drill in an empty folder."""

    def __init__(self, folder: Path, keep: bool = False) -> None:
        self._folder = folder.absolute()
        self._keep = keep
        self._scene: Scene

    def run(self, accounts: int, trades: int, faults: Iterable[Fault], progress: Progress) -> Iterator[Verdict]:
        """Trade the morning, then try the control and every fault; verdicts come as they are known.

        Raises:
            StageFailed: the morning was not to be had.
        """
        cases = [CONTROL, *faults]
        progress("a morning of trading, and the closing", 0, len(cases))
        self._scene = self.close(accounts, trades)
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            trying = [pool.submit(self._try, number, fault) for number, fault in enumerate(cases)]
            for done, tried in enumerate(as_completed(trying), 1):
                verdict = tried.result()
                progress(verdict.fault, done, len(cases))
                yield verdict

    @property
    def base(self) -> Path:
        """What the closing left: `data`, `witness`, and the `source` it ran with."""
        return self._folder / "closed"

    def case_folder(self, number: int) -> Path:
        """Where a case is played; the control is the first, 0."""
        return self._folder / f"case-{number}"

    def close(self, accounts: int, trades: int) -> Scene:
        """Trade the morning and close, in the folder `base`.

        Raises:
            StageFailed
        """
        base = self.base
        base.mkdir(parents=True)
        shutil.copytree(Path(exchange.__file__).parent, base / "source" / "exchange")
        job = Job(
            task="trade",
            data=str(base / "data"),
            witness=str(base / "witness"),
            accounts=accounts,
            trades=trades,
            backup=str(base / "backup.sqlite"),
        )
        return msgspec.json.decode(_stage(base, job), type=Scene)

    def _try(self, number: int, fault: Fault) -> Verdict:
        started = time.monotonic()
        case = Case(self._scene, self.case_folder(number), self.base / "backup.sqlite", RESTART_US)
        reopening, problem = Reopening(""), ""
        try:
            self._copy(case)
            fault.harm(case)
            with self._held(case):
                reopening = self.reopen(case)
        except (HarmFailed, StageFailed) as error:
            problem = str(error)
        named = {name: _named(case.told(name), reopening.said) for name in fault.names}
        unnamed = [case.told(name) for name, words in named.items() if not words]
        taker_trades = _taker_trades(case.data)
        problem = problem or _problem(fault, reopening, taker_trades, unnamed)
        if not self._keep and not problem:
            shutil.rmtree(case.folder)
        return Verdict(
            fault.name,
            fault.kind,
            fault.guard,
            reopening.guards,
            reopening.modes,
            taker_trades,
            tuple(filter(None, named.values())),
            problem,
            time.monotonic() - started,
        )

    def _copy(self, case: Case) -> None:
        """What the closing left, and the source of the next build."""
        shutil.copytree(self.base, case.folder, ignore=shutil.ignore_patterns("backup.sqlite", "source"))
        next_build(case)

    @contextmanager
    def _held(self, case: Case) -> Iterator[None]:
        """If the case says so, the process before is still there."""
        if not case.held:
            yield
            return
        job = Job(task="hold", data=str(case.data), witness=str(case.witness), clock_us=case.clock_us)
        with _start(self.base, job) as holder:
            assert holder.stdout is not None
            if not any(line.strip() == READY.encode() for line in holder.stdout):
                raise StageFailed("the process that was to hold the journal did not start")
            yield
            # Its standard input ends with the block.

    def reopen(self, case: Case) -> Reopening:
        """Start the next build, whose source lies in the case's folder, on what the closing left there.

        Raises:
            StageFailed: it does not even run.
        """
        job = Job(
            task="reopen",
            data=str(case.data),
            witness=str(case.witness),
            clock_us=case.clock_us,
            scene=case.scene,
            unproven=case.unproven,
        )
        reopening = msgspec.json.decode(_stage(case.folder, job), type=Reopening)
        if reopening.build == build_id():
            raise StageFailed("it was not the next build that ran")
        return reopening


def next_build(case: Case) -> None:
    """Put the next build beside what it is to reopen: the same source but for a word, so that it is another build."""
    shutil.copytree(Path(exchange.__file__).parent, case.source / "exchange")
    with open(case.source / "exchange" / "__init__.py", "a") as file:
        file.write("\n# the next build\n")


def _start(folder: Path, job: Job) -> subprocess.Popen[bytes]:
    """Start a stage with the source that lies in `folder`."""
    written = folder / f"{job.task}.json"
    written.write_bytes(msgspec.json.encode(job))
    with open(folder / f"{job.task}.log", "wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "exchange.maintenance.drill.stage", written],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=folder,  # nowhere near another source: the current folder goes before all others
            env={**os.environ, "PYTHONPATH": str(folder / "source")},
        )


def _stage(folder: Path, job: Job) -> bytes:
    """The answer of a stage. Raises StageFailed."""
    with _start(folder, job) as stage:
        try:
            output, _ = stage.communicate(timeout=STAGE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            stage.kill()
            raise StageFailed(f"the stage took more than {STAGE_TIMEOUT_S:.0f} s") from None
    if stage.returncode:
        raise StageFailed(
            f"the stage ended with {stage.returncode}: {(folder / f'{job.task}.log').read_text()[-_LAST_WORDS:]}"
        )
    return output.splitlines()[-1]


def _named(name: str, said: Iterable[str]) -> str:
    """The words in which a line names it, "" if none does: whole words and numbers, `..` for anything between."""
    pattern = re.compile(".*?".join(rf"(?<![\w.]){re.escape(part.strip())}(?!\w)" for part in name.split("..")))
    return next((found[0] for line in said if (found := pattern.search(line))), "")


def _problem(fault: Fault, reopening: Reopening, taker_trades: int, unnamed: list[str]) -> str:
    if not fault.guard:
        open_at_last = reopening.modes[-1:] == (Mode.FULL,) and taker_trades > 0
        return "" if open_at_last else f"nothing was wrong, and it did not reopen: {'; '.join(reopening.said[:5])}"
    if taker_trades:
        return f"{taker_trades} taker trades before it was caught"
    if set(reopening.modes) - {str(Mode.OFFLINE)}:
        return f"it opened: {', '.join(reopening.modes)}"
    if fault.guard not in reopening.guards:
        return f"caught by {', '.join(reopening.guards) or 'nobody'}, not by {fault.guard}"
    return f"not named: {'; '.join(unnamed)}" if unnamed else ""


def _taker_trades(data_dir: Path) -> int:
    """Trades in the journal since the closing, read past everything that could be wrong with it."""
    with closing(sqlite3.connect(journal_path(data_dir))) as journal:
        rows = journal.execute("SELECT lines FROM batches WHERE time_us >= ?", (OFFLINE_US,)).fetchall()
    records = [msgspec.json.decode(line) for (lines,) in rows for line in lines.split(b"\n")]
    return sum(
        event["type"] == "Traded" for record in records if record["time_us"] >= OFFLINE_US for event in record["events"]
    )
