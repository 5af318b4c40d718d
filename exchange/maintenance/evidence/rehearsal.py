"""Rehearsal: the running build decides the recorded past again, and every difference is listed.

After each comparison the recorded events are folded, so one difference doesn't hide the next.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from exchange.core import State
from exchange.core.ledger import postings
from exchange.core.rehearsal import decided_otherwise
from exchange.journal.recovery import fold_batch, without_collection
from exchange.journal.store import JournalReader
from exchange.runtime.build import build_id
from exchange.values.events import AnyEvent
from exchange.values.record import GENESIS_CHAIN, Record

#: Differences kept in full; the rest is counted.
MAX_DIFFERENCES: Final = 1_000

Progress = Callable[[int, int], None]
_encode = msgspec.json.Encoder().encode


class Moved(msgspec.Struct, frozen=True):
    """What a record moved on one bucket (`recorded_atoms`), and what this build would have."""

    account: int
    asset: str
    bucket: str
    recorded_atoms: int
    rehearsed_atoms: int


class Difference(msgspec.Struct, frozen=True):
    """One command this build decides otherwise. Command and events are as in the journal."""

    seq: int
    command: str
    recorded: str
    rehearsed: str
    moved: tuple[Moved, ...]


class Rehearsal:
    """Takes records one by one, before they are folded."""

    def __init__(self) -> None:
        self.records = 0
        self.count = 0
        self.differences: list[Difference] = []

    def see(self, state: State, record: Record) -> None:
        self.records += 1
        otherwise = decided_otherwise(state, record)
        if otherwise is None:
            return
        self.count += 1
        if len(self.differences) < MAX_DIFFERENCES:
            self.differences.append(_difference(state, record, otherwise))


def _difference(state: State, record: Record, otherwise: list[AnyEvent] | Exception) -> Difference:
    if isinstance(otherwise, Exception):
        rehearsed, decided = f"raises {otherwise!r}", []
    else:
        rehearsed, decided = _encode(otherwise).decode(), otherwise
    sums: dict[tuple[int, str, str], list[int]] = {}
    for which, events in enumerate((record.events, decided)):
        for event in events:
            for _, leg in postings(state, event):
                sums.setdefault((leg.account, leg.asset, leg.bucket), [0, 0])[which] += leg.atoms
    moved = tuple(Moved(*key, *both) for key, both in sorted(sums.items()) if both[0] != both[1])
    return Difference(record.seq, _encode(record.command).decode(), _encode(record.events).decode(), rehearsed, moved)


class RehearsalReport(msgspec.Struct, frozen=True):
    """What a rehearsal of records 1 to `to_seq` by `build` found."""

    build: str
    to_seq: int
    differences_in_all: int
    differences: tuple[Difference, ...]

    @property
    def clean(self) -> bool:
        return not self.differences_in_all

    def to_json(self) -> bytes:
        return msgspec.json.format(_encode(self))

    def text(self) -> str:
        """For a person: each difference with the balances it would have moved otherwise."""
        lines = [f"Build {self.build} rehearsed records 1 to {self.to_seq}."]
        for difference in self.differences:
            lines += [
                f"#{difference.seq} {difference.command}",
                f"    recorded  {difference.recorded}",
                f"    rehearsed {difference.rehearsed}",
            ]
            lines += [
                f"    account {m.account} {m.asset} {m.bucket}: {m.recorded_atoms:+} atoms then, "
                f"{m.rehearsed_atoms:+} now"
                for m in difference.moved
            ]
        if self.differences_in_all > len(self.differences):
            lines.append(f"... and {self.differences_in_all - len(self.differences)} more.")
        lines.append(
            "No difference: this build decides the past as it was decided."
            if self.clean
            else f"{self.differences_in_all} commands would be decided otherwise."
        )
        return "\n".join(lines)


def rehearse(data_dir: Path, progress: Progress | None = None) -> RehearsalReport:
    """Rehearse a whole journal, from genesis.

    Raises:
        JournalError: the journal can't be read, or a record can't be folded.
    """
    rehearsal, state, chain = Rehearsal(), State(), GENESIS_CHAIN
    with without_collection(), JournalReader(data_dir) as reader:
        end_seq, _ = reader.last()
        for batch in reader.checked_batches(1, end_seq, chain):
            fold_batch(state, batch, rehearsal.see)
            if progress is not None:
                progress(state.seq, end_seq)
    return RehearsalReport(build_id(), state.seq, rehearsal.count, tuple(rehearsal.differences))
