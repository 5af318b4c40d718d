"""What a story is: entries of records, each with the facts that concern its subject and the balances they moved."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from exchange.core import State
from exchange.core.ledger import postings
from exchange.journal.show import Units, head
from exchange.maintenance.evidence.reading import Span
from exchange.values.actors import actor
from exchange.values.enums import Bucket
from exchange.values.events import AnyEvent
from exchange.values.ids import AccountId
from exchange.values.money.events import Leg
from exchange.values.record import Record

#: Entries of one story; of a longer one the latest are told, and the others counted.
MAX_ENTRIES: Final = 10_000
#: Which leg of which event is told.
Wants = Callable[[AnyEvent, Leg], bool]


class UnknownSubject(LookupError):
    """No record of the span names it."""


class Change(msgspec.Struct, frozen=True):
    """What one leg moved, and what its bucket held afterwards; `said` is the same as text, in units."""

    account: AccountId
    asset: str
    bucket: Bucket
    atoms: int
    balance_atoms: int
    kind: str
    said: str


class Entry(msgspec.Struct, frozen=True):
    """One record, as far as it concerns the subject. `said` and `events` are text, amounts in units."""

    seq: int
    time_us: int
    command: str
    actor: str
    said: str
    events: tuple[str, ...]
    changes: tuple[Change, ...]


class Story(msgspec.Struct, frozen=True):
    """`summary` says it in short; `omitted` counts entries before the first one told."""

    subject: str
    from_seq: int
    to_seq: int
    summary: tuple[str, ...]
    entries: tuple[Entry, ...]
    omitted: int

    def to_json(self) -> str:
        return msgspec.json.format(msgspec.json.encode(self)).decode()

    def text(self) -> Iterator[str]:
        """For a person, line by line."""
        yield f"{self.subject}, records {self.from_seq} to {self.to_seq}"
        yield from self.summary
        if self.omitted:
            yield f"({self.omitted} earlier entries are left out.)"
        for entry in self.entries:
            yield ""
            yield f"{head(entry.seq, entry.time_us)}  {entry.command} by {entry.actor}"
            yield f"    asked: {entry.said}"
            yield from (f"    fact:  {line}" for line in entry.events)
            yield from (f"    moved: {change.said}" for change in entry.changes)


class Teller:
    """Collects entries; what is wanted of a record is the caller's to say."""

    def __init__(self) -> None:
        self.units = Units()
        self.entries: deque[Entry] = deque(maxlen=MAX_ENTRIES)
        self.count = 0
        self._listed = 0

    def tell(self, state: State, record: Record, events: Iterable[AnyEvent], wants: Wants) -> None:
        """An entry of the record with these of its events, and the legs that are wanted."""
        self.count += 1
        if (listed := len(state.assets) + len(state.markets)) != self._listed:
            self._listed = listed
            self.units.learn_state(state)
        self.units.learn(record)
        self.entries.append(
            Entry(
                record.seq,
                record.time_us,
                type(record.command).__name__,
                actor(record.command),
                self.units.statement(record.command),
                tuple(self.units.statement(event) for event in events),
                tuple(self._changes(state, record, wants)),
            )
        )

    def _changes(self, state: State, record: Record, wants: Wants) -> Iterator[Change]:
        balances: dict[tuple[AccountId, str, Bucket], int] = {}
        for event in record.events:
            for kind, leg in postings(state, event):
                account, asset, bucket = key = (leg.account, leg.asset, leg.bucket)
                before = balances[key] if key in balances else _balance(state, leg)
                balances[key] = after = before + leg.atoms
                if wants(event, leg):
                    amount, left = self.units.amount(asset, leg.atoms), self.units.amount(asset, after)
                    said = f"account {account} {bucket} {amount} -> {left} ({kind})"
                    yield Change(account, asset, bucket, leg.atoms, after, kind, said)

    def story(self, subject: str, span: Span, state: State, summary: Callable[[State, Units], list[str]]) -> Story:
        if not self.count:
            raise UnknownSubject(f"no record from {span.from_seq} to {span.to_seq} names {subject}")
        self.units.learn_state(state)
        said = tuple(summary(state, self.units))
        return Story(subject, span.from_seq, span.to_seq, said, tuple(self.entries), self.count - len(self.entries))


def _balance(state: State, leg: Leg) -> int:
    account = state.accounts.get(leg.account)
    held = None if account is None else account.balances.get(leg.asset)
    if held is None:
        return 0
    return held.available_atoms if leg.bucket is Bucket.AVAILABLE else held.locked_atoms
