"""Are the read models what the records say? They are made again from the first record on, beside them, and compared.

`python -m exchange.runtime.follower.read_models.proof DATA` does it once, in a process that only takes time nobody else
wants; the follower starts it when it has caught up. It takes about 35 µs a record and as much disk as the read models
have.
"""

import argparse
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from exchange.core import State, fold
from exchange.journal.errors import JournalError
from exchange.journal.recovery import Progress, without_collection
from exchange.journal.store import JournalReader
from exchange.runtime.follower.read_models.rows import Rows
from exchange.runtime.follower.read_models.schema import BUSY_TIMEOUT_S, FILE_NAME, VERSION, delete
from exchange.runtime.follower.read_models.writer import ReadModelWriter
from exchange.values.record import GENESIS_CHAIN

#: Records made into rows at a time, and the most the read models may be ahead when the comparing begins: for as long
#: as that takes, their log can't be emptied.
BATCH_RECORDS: Final = 4_096
#: How often the making may find that the read models have gone on by more than that, before it is given up for now.
MAX_ROUNDS: Final = 20
#: Differences that are named; one is enough to make the read models anew.
MAX_DIFFERENCES: Final = 20
#: Free disk a proof asks for, as a multiple of the read models' size.
_DISK_FACTOR: Final = 2
#: What is made again lies beside the read models under this name, with the process's id.
SCRATCH: Final = "read.proof-"

#: The columns rows are in order of, by table; `progress` has a row that is looked at first.
_KEYS: Final = {
    "orders": ("account", "order_id"),
    "fills": ("account", "seq", "index"),
    "ledger": ("account", "seq", "index"),
    "trades": ("market", "trade_id"),
    "candles": ("interval", "market", "start_us"),
}

Row = tuple[Any, ...]


class Proof(msgspec.Struct, frozen=True):
    """What came of it: the read models up to record `seq` are what the records say, or what differs.

    `gave_up`: why it can't be told for now; nothing has been found wrong. `made`: the file that the records make, where
    they differ and it was kept.
    """

    seq: int
    differences: tuple[str, ...] = ()
    gave_up: str = ""
    made: str = ""


def prove(data_dir: Path, progress: Progress | None = None, *, keep_made: bool = False) -> Proof | None:
    """Hold the read models of a data folder against its records, also while an exchange runs over it.

    None: there are none of this version, and nothing to hold. `keep_made`: where they differ, leave what may take their
    place.

    Raises:
        JournalError: the records can't be read.
    """
    path = data_dir / FILE_NAME
    if not path.exists():
        return None
    if shutil.disk_usage(data_dir).free < _DISK_FACTOR * path.stat().st_size:
        return Proof(0, gave_up=f"there is less disk than {_DISK_FACTOR} times the size of the read models")
    scratch = data_dir / f"{SCRATCH}{os.getpid()}.sqlite"
    kept = False
    try:
        with without_collection(), JournalReader(data_dir) as reader, closing(_open(path)) as shown:
            try:
                if shown.execute("PRAGMA user_version").fetchone() != (VERSION,):
                    return None
                proof = _Proving(reader, shown, scratch, progress).run()
            except sqlite3.DatabaseError as error:
                proof = Proof(0, (f"the file can't be read: {error}",))
        kept = keep_made and bool(proof.differences) and scratch.exists()
        return msgspec.structs.replace(proof, made=str(scratch)) if kept else proof
    finally:
        if not kept:
            delete(scratch)


def _open(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=rw"  # "ro" can't read what a writer that is gone left in the log
    return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)


class _Proving:
    def __init__(
        self, reader: JournalReader, shown: sqlite3.Connection, scratch: Path, progress: Progress | None
    ) -> None:
        self._reader = reader
        self._shown = shown
        self._scratch = scratch
        self._progress = progress
        self._state = State()
        self._chain = GENESIS_CHAIN
        self._differences: list[str] = []

    def run(self) -> Proof:
        with closing(ReadModelWriter(self._scratch)) as made:
            for _ in range(MAX_ROUNDS):
                seq, _ = self._shown_end()
                self._make(made, seq)
                if self._shown_end()[0] - seq <= BATCH_RECORDS:
                    break
            else:
                return Proof(0, gave_up="the read models go on faster than they can be made again")
            with self._one_moment():
                seq, chain = self._shown_end()
                last_seq, _ = self._reader.last()
                if seq > last_seq:
                    return Proof(0, (f"they hold record {seq}, and the journal ends at {last_seq}",))
                self._make(made, seq)
                if chain != self._chain:
                    return Proof(0, (f"they were made of another record {seq} than the journal's",))
                self._compare(made)
        return Proof(seq, tuple(self._differences))

    def _shown_end(self) -> tuple[int, bytes]:
        """Raises sqlite3.Error."""
        seq, chain = self._shown.execute("SELECT seq, chain FROM progress").fetchone() or (0, GENESIS_CHAIN)
        return int(seq), chain

    @contextmanager
    def _one_moment(self) -> Iterator[None]:
        self._shown.execute("BEGIN")
        try:
            yield
        finally:
            self._shown.execute("ROLLBACK")

    def _make(self, made: ReadModelWriter, to_seq: int) -> None:
        """The rows of the records up to a seq, or to the journal's end. Raises JournalError."""
        state = self._state
        to_seq = min(to_seq, self._reader.last()[0])
        if state.seq >= to_seq:
            return
        rows, first_seq = Rows(), state.seq
        for batch in self._reader.checked_batches(state.seq + 1, to_seq, self._chain):
            for record in batch.records:
                rows.add(state, record)
                fold(state, record)
            self._chain = batch.chain
            if state.seq - first_seq >= BATCH_RECORDS or state.seq == to_seq:
                made.write(rows, state.seq, state.time_us, self._chain)
                rows, first_seq = Rows(), state.seq
                if self._progress is not None:
                    self._progress(state.seq, to_seq)

    def _compare(self, made: ReadModelWriter) -> None:
        with closing(_open(self._scratch)) as true:
            schema = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name"
            if self._shown.execute(schema).fetchall() != true.execute(schema).fetchall():
                self._found("the tables are not the ones we make")
                return
            for table, key in _KEYS.items():
                self._compare_table(true, table, key)
        for (what,) in self._shown.execute(f"PRAGMA integrity_check({MAX_DIFFERENCES})"):
            if what != "ok":
                self._found(what)

    def _compare_table(self, true: sqlite3.Connection, table: str, key: tuple[str, ...]) -> None:
        """Go through both in the order of the key, side by side."""
        order = ", ".join(f'"{column}"' for column in key)
        sql = f"SELECT * FROM {table} ORDER BY {order}"
        shown_rows, true_rows = self._shown.execute(sql), true.execute(sql)
        columns = [column[0] for column in true_rows.description]
        places = [columns.index(column) for column in key]

        def key_of(row: Row) -> Row:
            return tuple(row[place] for place in places)

        shown, said = shown_rows.fetchone(), true_rows.fetchone()
        while (shown is not None or said is not None) and len(self._differences) < MAX_DIFFERENCES:
            if shown == said:
                shown, said = shown_rows.fetchone(), true_rows.fetchone()
            elif said is None or (shown is not None and key_of(shown) < key_of(said)):
                self._found(f"{_named(table, key, key_of(shown))}: shown, and on no record")
                shown = shown_rows.fetchone()
            elif shown is None or key_of(shown) > key_of(said):
                self._found(f"{_named(table, key, key_of(said))}: on record, and not shown")
                said = true_rows.fetchone()
            else:
                for column, one, other in zip(columns, shown, said, strict=True):
                    if one != other:
                        self._found(f"{_named(table, key, key_of(said))}: {column} is {other} on record, {one} shown")
                shown, said = shown_rows.fetchone(), true_rows.fetchone()

    def _found(self, what: str) -> None:
        if len(self._differences) < MAX_DIFFERENCES:
            self._differences.append(what)


def _named(table: str, key: tuple[str, ...], values: Row) -> str:
    return f"{table}, " + " ".join(f"{column} {value}" for column, value in zip(key, values, strict=True))


class Prover:
    """A proof under way, seen by who started it. `fileno` is readable when it has an answer, or is gone."""

    def __init__(self, data_dir: Path) -> None:
        command = [sys.executable, "-m", "exchange.runtime.follower.read_models.proof", str(data_dir)]
        # In a session of its own Ctrl-C does not reach it, not even before it can ignore signals.
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
        )

    def fileno(self) -> int:
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def answer(self) -> Proof:
        """What came of it; waits for its end."""
        said, _ = self._process.communicate()
        if self._process.returncode:
            return Proof(0, gave_up=f"the prover ended with {self._process.returncode}")
        return msgspec.json.decode(said, type=Proof)

    def kill(self) -> None:
        """End it if it runs; the answer is then that it gave up."""
        self._process.kill()


def put_in_place(data_dir: Path, proof: Proof) -> None:
    """Let what the records make take the place of read models that differ; without it the next writer makes them."""
    delete(data_dir / FILE_NAME)
    if proof.made:
        os.replace(proof.made, data_dir / FILE_NAME)


def clear_scratch(data_dir: Path) -> None:
    """Delete what proofs have left whose process was killed."""
    for path in data_dir.glob(f"{SCRATCH}*.sqlite"):
        try:
            os.kill(int(path.stem.removeprefix(SCRATCH)), 0)
        except (ProcessLookupError, ValueError):
            delete(path)
        except PermissionError:
            continue


def main() -> None:
    parser = argparse.ArgumentParser(description="Proves the read models once; started by the follower.")
    parser.add_argument("data", type=Path)
    arguments = parser.parse_args()
    # Who stops the exchange signals all of its processes; the follower ends this one when it must.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    try:
        proof = prove(arguments.data, keep_made=True) or Proof(0, gave_up="there are no read models")
    except (JournalError, sqlite3.Error, OSError) as error:
        proof = Proof(0, gave_up=f"{type(error).__name__}: {error}")
    sys.stdout.buffer.write(msgspec.json.encode(proof))


if __name__ == "__main__":
    main()
