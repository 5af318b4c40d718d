"""What can be done to an exchange that stands still: to its next build, its files, its start."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

import msgspec

from exchange.journal import sealing, snapshots
from exchange.journal.layout import journal_path, witness_path
from exchange.journal.store import JournalReader
from exchange.journal.witness import Witness
from exchange.maintenance.drill.messages import Scene
from exchange.runtime.follower.read_models import FILE_NAME
from exchange.runtime.follower.read_models.lists import ENTRY, ENTRY_BYTES, FILL, entries
from exchange.values.record import GENESIS_CHAIN, link, seal, split

#: How the drill cuts the records when it seals some.
_SEGMENT_RECORDS: Final = 100


@dataclass
class Case:
    """One exchange between its closing and its reopening, and how it will be started again."""

    scene: Scene
    folder: Path
    backup: Path
    clock_us: int
    unproven: bool = False
    held: bool = False

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def witness(self) -> Path:
        return self.folder / "witness"

    @property
    def source(self) -> Path:
        """Where the next build's `exchange` package lies."""
        return self.folder / "source"

    def told(self, template: str) -> str:
        """A text with the scene's names put in, such as `account $taker`."""
        return Template(template).substitute(msgspec.structs.asdict(self.scene))


Harm = Callable[[Case], None]


class HarmFailed(Exception):
    """A fault could not be brought about: the source it changes has changed, or there is nothing to damage."""


def patch(path: str, before: str, after: str) -> Harm:
    """Another source of one module: a text that stands there once is replaced; `$` names come from the scene."""

    def apply(case: Case) -> None:
        file = case.source / "exchange" / path
        source = file.read_text()
        if source.count(before) != 1:
            raise HarmFailed(f"the patch does not fit: {path} has {before!r} {source.count(before)} times, not once")
        file.write_text(source.replace(before, case.told(after)))

    return apply


def start_at(clock_us: int) -> Harm:
    """The machine's clock, at the start."""

    def apply(case: Case) -> None:
        case.clock_us = clock_us

    return apply


def unproven(case: Case) -> None:
    """Nobody runs the gates."""
    case.unproven = True


def held(case: Case) -> None:
    """The process before has not ended."""
    case.held = True


# --- files -------------------------------------------------------------------------------------------


@contextmanager
def _database(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection, connection:
        yield connection


def stale_backup(case: Case) -> None:
    """The journal as it was in the middle of the morning."""
    for path in case.data.glob(f"{journal_path(case.data).name}*"):
        path.unlink()
    shutil.copy(case.backup, journal_path(case.data))


def truncated_tail(case: Case) -> None:
    """The journal ends before what `late` has done."""
    with _database(journal_path(case.data)) as journal:
        journal.execute("DELETE FROM batches WHERE last_seq >= ?", (case.scene.late_seq,))


def witness_gone(case: Case) -> None:
    shutil.rmtree(case.witness)


def swapped_snapshot(case: Case) -> None:
    """A snapshot that is whole in itself, and gives what `idle` holds to `bystander`."""
    header, state = snapshots.load(snapshots.newest_first(case.data)[0])
    giver, taker = (state.accounts[each].balances["USDC"] for each in (case.scene.idle, case.scene.bystander))
    taker.available_atoms += giver.available_atoms
    giver.available_atoms = 0
    snapshots.write(case.data, state, bytes.fromhex(header.chain))


def deleted_fills(case: Case) -> None:
    account, deleted = case.scene.taker, 0
    with _database(case.data / FILE_NAME) as models:
        chunks = models.execute("SELECT chunk, entries FROM lists WHERE account = ?", (account,)).fetchall()
        for chunk, packed in chunks:
            left = [ENTRY.pack(*entry) for entry in entries(packed) if entry.kind != FILL]
            deleted += len(packed) // ENTRY_BYTES - len(left)
            models.execute(
                "UPDATE lists SET entries = ? WHERE account = ? AND chunk = ?", (b"".join(left), account, chunk)
            )
    if not deleted:
        raise HarmFailed("there are no fills to delete")


def deleted_segment(case: Case) -> None:
    """Old records were sealed, and the file of some is gone."""
    sealed = sealing.seal(case.data, _SEGMENT_RECORDS, _SEGMENT_RECORDS)
    if not sealed:
        raise HarmFailed("there are too few records to seal any")
    with _database(journal_path(case.data)) as journal:
        journal.execute("DELETE FROM batches WHERE last_seq <= ?", (sealed[-1].last_seq,))
    sealed[0].path(case.data).unlink()


def edited_record(case: Case) -> None:
    """A deposit is a hundred times what it was; the chain is left as it is."""
    _edit(case, chained=False)


def edited_and_chained(case: Case) -> None:
    """The same, with the chain of that record and all behind it made anew."""
    _edit(case, chained=True)


def edited_chained_and_witnessed(case: Case) -> None:
    """The same, and the witness says so too."""
    chain = _edit(case, chained=True)
    witness_gone(case)
    with JournalReader(case.data) as reader:
        Witness(witness_path(case.data, case.witness)).begin(reader.genesis(), case.scene.last_seq, chain)


def _edit(case: Case, chained: bool) -> bytes:
    """Write the records again, the deposit changed; returns the last chain value."""
    was, now = (b"%d" % (case.scene.deposit_atoms * times) for times in (1, 100))
    chain = GENESIS_CHAIN
    with _database(journal_path(case.data)) as journal:
        rows = journal.execute("SELECT first_seq, lines FROM batches ORDER BY first_seq").fetchall()
        for first_seq, lines in rows:
            written = []
            for seq, line in enumerate(lines.split(b"\n"), first_seq):
                body, kept = split(line)
                if seq == case.scene.deposit_seq:
                    body = body.replace(was, now)
                chain = link(chain, body) if chained else kept
                written.append(seal(body, chain))
            journal.execute(
                "UPDATE batches SET lines = ?, chain = ? WHERE first_seq = ?", (b"\n".join(written), chain, first_seq)
            )
    return chain
