"""Are the read models what the records say? They are made again from the first record on, beside them, and compared.

`python -m exchange.runtime.follower.read_models.proof DATA` does it once, in a process that only takes time nobody else
wants; the follower starts it when it has caught up. It takes as long as following did, and as much disk as the read
models have.
"""

import argparse
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from hashlib import blake2b
from heapq import merge
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import msgspec

from exchange.core import State, fold
from exchange.journal.errors import JournalError
from exchange.journal.recovery import Progress, without_collection
from exchange.journal.store import JournalReader
from exchange.runtime.follower.read_models.lists import AccountList, Entry
from exchange.runtime.follower.read_models.schema import BUSY_TIMEOUT_S, FILE_NAME, VERSION, delete
from exchange.runtime.follower.read_models.writer import ReadModelWriter
from exchange.values.ids import AccountId
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

#: The columns rows are in order of, by table; `progress` has a row that is looked at first, `lists` are told by entry.
_KEYS: Final = {
    "markets": ("number",),
    "assets": ("number",),
    "records": ("block",),
    "touches": ("order_id", "seq"),
    "client_ids": ("account", "market", "client_id"),
    "trades": ("market", "trade_id"),
    "candles": ("interval", "market", "start_us"),
}


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
    clear_scratch(data_dir)
    scratch = data_dir / f"{SCRATCH}{os.getpid()}.sqlite"
    kept = False
    try:
        with without_collection(), JournalReader(data_dir) as reader, closing(_open(path)) as shown:
            try:
                if shown.execute("PRAGMA user_version").fetchone()[0] != VERSION:
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
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    connection.row_factory = sqlite3.Row
    return connection


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
        rows = made.rows()
        for batch in self._reader.checked_batches(state.seq + 1, to_seq, self._chain):
            for record, line in zip(batch.records, batch.lines, strict=True):
                rows.add(state, record, line)
                fold(state, record)
            self._chain = batch.chain
            if state.seq - made.seq >= BATCH_RECORDS or state.seq == to_seq:
                made.write(rows, self._chain)
                rows = made.rows()
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
            self._compare_lists(true)
        for (what,) in self._shown.execute(f"PRAGMA integrity_check({MAX_DIFFERENCES})"):
            if what != "ok":
                self._found(what)

    def _compare_table(self, true: sqlite3.Connection, table: str, key: tuple[str, ...]) -> None:
        for shown, said in self._differing(true, table, key):
            if said is None:
                assert shown is not None
                self._found(f"{_named(table, key, shown)}: shown, and on no record")
            elif shown is None:
                self._found(f"{_named(table, key, said)}: on record, and not shown")
            else:
                self._found(
                    f"{_named(table, key, said)}: "
                    + ", ".join(
                        f"{column} is {_text(said[column])} on record, {_text(shown[column])} shown"
                        for column in said.keys()  # noqa: SIM118 (a row iterates over its values)
                        if said[column] != shown[column]
                    )
                )
            if len(self._differences) >= MAX_DIFFERENCES:
                return

    def _compare_lists(self, true: sqlite3.Connection) -> None:
        """Where chunks differ, what differs is named entry by entry."""
        accounts: dict[AccountId, None] = {}
        for shown, said in self._differing(true, "lists", ("account", "chunk")):
            row = said if shown is None else shown
            assert row is not None
            accounts[row["account"]] = None
            if len(accounts) >= MAX_DIFFERENCES:
                break
        for account in accounts:
            before = len(self._differences)
            ours = ((entry, True) for entry in AccountList(true, account).all())
            theirs = ((entry, False) for entry in AccountList(self._shown, account).all())
            for _, of_seq in groupby(merge(ours, theirs, key=_entry_seq), key=_entry_seq):
                both = list(of_seq)
                for entry, recorded in both:
                    if (entry, not recorded) not in both:
                        how = "on record, and not shown" if recorded else "shown, and on no record"
                        self._found(f"account {account}, {entry.words()}: {how}")
            if len(self._differences) == before:
                self._found(f"account {account}: its list counts or orders its entries otherwise")

    def _differing(
        self, true: sqlite3.Connection, table: str, key: tuple[str, ...]
    ) -> Iterator[tuple[sqlite3.Row | None, sqlite3.Row | None]]:
        """Go through both in the order of the key: what is shown and what the records say, where they differ."""
        sql = f"SELECT * FROM {table} ORDER BY {', '.join(key)}"
        shown_rows, true_rows = self._shown.execute(sql), true.execute(sql)
        shown, said = shown_rows.fetchone(), true_rows.fetchone()
        while shown is not None or said is not None:
            if shown == said:
                shown, said = shown_rows.fetchone(), true_rows.fetchone()
            elif said is None or (shown is not None and _key(shown, key) < _key(said, key)):
                yield shown, None
                shown = shown_rows.fetchone()
            elif shown is None or _key(shown, key) > _key(said, key):
                yield None, said
                said = true_rows.fetchone()
            else:
                yield shown, said
                shown, said = shown_rows.fetchone(), true_rows.fetchone()

    def _found(self, what: str) -> None:
        if len(self._differences) < MAX_DIFFERENCES:
            self._differences.append(what)


def _key(row: sqlite3.Row, key: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(row[column] for column in key)


def _named(table: str, key: tuple[str, ...], row: sqlite3.Row) -> str:
    return f"{table}, " + " ".join(f"{column} {row[column]}" for column in key)


def _text(value: object) -> str:
    return blake2b(value, digest_size=8).hexdigest() if isinstance(value, bytes) else str(value)


def _entry_seq(marked: tuple[Entry, bool]) -> int:
    return marked[0].seq


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
        with suppress(FileNotFoundError):  # whoever proves meanwhile may have taken it for left behind
            os.replace(proof.made, data_dir / FILE_NAME)


def clear_scratch(data_dir: Path) -> None:
    """Delete what proofs have left whose process was killed."""
    for path in data_dir.glob(f"{SCRATCH}*"):
        try:
            os.kill(int(path.name.removeprefix(SCRATCH).partition(".")[0]), 0)
        except (ProcessLookupError, ValueError):
            path.unlink(missing_ok=True)
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
