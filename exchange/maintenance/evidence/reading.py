"""Going through a span of records with the state before each: what a story and a report are told from.

Only reads, beside a running exchange too; every record is checked against the chain on the way.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from exchange.core import State
from exchange.journal.chain import CheckedBatch
from exchange.journal.errors import JournalDamaged
from exchange.journal.recovery import Progress, fold_batch, replay, without_collection
from exchange.journal.store import JournalReader
from exchange.values.record import Record

See = Callable[[State, Record], None]


class SpanError(ValueError):
    """A span that names no records."""


class Span(msgspec.Struct, frozen=True):
    """Records `from_seq` to `to_seq`, both included."""

    from_seq: int
    to_seq: int


def span(data_dir: Path, begin: str | None = None, end: str | None = None) -> Span:
    """The records from `begin` to `end`, each a seq or a time (ISO 8601, UTC unless it says otherwise); default: all.

    A time stands for the records stamped from then on, or, as the end, before it.

    Raises:
        SpanError, JournalError
    """
    with JournalReader(data_dir) as reader:
        last_seq, _ = reader.last()
        from_seq = 1 if begin is None else _seq(reader, begin, last_seq, is_end=False)
        to_seq = last_seq if end is None else _seq(reader, end, last_seq, is_end=True)
    found = Span(max(from_seq, 1), min(to_seq, last_seq))
    if found.from_seq > found.to_seq:
        raise SpanError(f"there are no records from {begin or 1} to {end or last_seq}; the last one is {last_seq}")
    return found


def read(data_dir: Path, span: Span, see: See, progress: Progress | None = None) -> State:
    """Show each record of the span to `see`, with the state it is about to be folded into; the state after the last.

    Raises:
        JournalError: also names the first record that is damaged; `see` has had those before it.
    """
    with without_collection(), JournalReader(data_dir) as reader:
        show = progress or (lambda done, total: None)
        before_seq = reader.before(span.from_seq)
        begun = replay(data_dir, reader, before_seq, lambda seq, _: show(seq, span.to_seq))
        for batch in _up_to_damage(reader, before_seq + 1, span.to_seq, begun.chain):
            fold_batch(begun.state, batch, see)
            show(begun.state.seq, span.to_seq)
    return begun.state


def _up_to_damage(reader: JournalReader, from_seq: int, to_seq: int, chain: bytes) -> Iterator[CheckedBatch]:
    """What the reader checks, and of the batch that is damaged the records before the damage; then it raises."""
    try:
        for batch in reader.checked_batches(from_seq, to_seq, chain):
            yield batch
            from_seq, chain = batch.records[-1].seq + 1, batch.chain
    except JournalDamaged as error:
        if from_seq < error.seq:
            yield from reader.checked_batches(from_seq, error.seq - 1, chain)
        raise


def _seq(reader: JournalReader, text: str, last_seq: int, is_end: bool) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SpanError(f"{text} is neither a seq nor a time such as 2026-07-03T10:00:00") from error
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    since_epoch = moment - datetime.fromtimestamp(0, UTC)
    time_us = (since_epoch.days * 86_400 + since_epoch.seconds) * 10**6 + since_epoch.microseconds
    return _first_from(reader, time_us, last_seq) - is_end


def _first_from(reader: JournalReader, time_us: int, last_seq: int) -> int:
    """The first record stamped at or after `time_us`; `last_seq` + 1 if there is none. Times never fall."""
    low, high = 1, last_seq + 1
    while low < high:
        middle = (low + high) // 2
        record = next(reader.records(middle))
        if record.time_us < time_us:
            low = record.seq + 1
        else:
            high = middle
    return low
