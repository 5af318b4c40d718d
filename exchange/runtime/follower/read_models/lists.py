"""The list of an account: what each record did to it, in the order of the timeline, as packed entries in chunks.

An entry says where to look (`seq`, `at`), what is there (`kind`, and the market or asset it is `of`, by number),
and the one thing its record doesn't say (`value`). Before its first entry a chunk counts what all chunks before it
hold, by kind and number: so how many lines a filter finds, and which is the one at an offset, is a lookup.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from exchange.values.ids import AccountId

#: Entries of a chunk. The last one of an account is written again with every batch that adds to it.
CHUNK_ENTRIES: Final = 64

#: Kinds of entry. An order that came in: `at` is its number in its record, `of` its market, `value` its client id.
ORDER: Final = 0
#: One side of a trade: `at` is the event's number, `of` the market, `value` the client id of the account's order.
FILL: Final = 1
#: A leg of a posting: `at` is the leg's number, `of` the asset, `value` the balance of its bucket afterwards.
AVAILABLE: Final = 2
LOCKED: Final = 3
#: The same, of what came from outside, onto the available balance.
DEPOSIT: Final = 4

LEGS: Final = (AVAILABLE, LOCKED, DEPOSIT)
#: The `value` of an order or fill without a client id.
NO_CLIENT_ID: Final = -1

#: Behind all records.
END_SEQ: Final = 2**63 - 1

#: seq, at, kind, of, value
ENTRY: Final = Struct("<QIBHq")
ENTRY_BYTES: Final = ENTRY.size
CHUNK_BYTES: Final = CHUNK_ENTRIES * ENTRY_BYTES
_SEQ: Final = Struct("<Q")
_WHAT: Final = Struct("<12xBH8x")
#: kind, of, count
_COUNT: Final = Struct("<BHQ")

Counts = dict[tuple[int, int], int]


class Entry(NamedTuple):
    seq: int
    at: int
    kind: int
    of: int
    value: int

    def words(self) -> str:
        return f"record {self.seq}: {KIND_NAMES[self.kind]} {self.at} of number {self.of} with {self.value}"


KIND_NAMES: Final = ("order", "fill", "leg", "locked leg", "deposit")


def entries(packed: bytes) -> Iterator[Entry]:
    return map(Entry._make, ENTRY.iter_unpack(packed))


def count(packed: bytes | bytearray) -> Counter[tuple[int, int]]:
    """Entries by kind and number."""
    return Counter(_WHAT.iter_unpack(packed))


def pack_counts(counts: Counts) -> bytes:
    """In one order, so that equal counts are equal bytes."""
    return b"".join(_COUNT.pack(*what, held) for what, held in sorted(counts.items()))


def unpack_counts(packed: bytes) -> Counts:
    return {(kind, of): held for kind, of, held in _COUNT.iter_unpack(packed)}


class Filter(NamedTuple):
    """Entries of some kinds, of one market or asset or (`of` None) of any."""

    kinds: tuple[int, ...]
    of: int | None = None

    def takes(self, entry: Entry) -> bool:
        return entry.kind in self.kinds and (self.of is None or entry.of == self.of)

    def count(self, counts: Counts) -> int:
        if self.of is not None:
            return sum(counts.get((kind, self.of), 0) for kind in self.kinds)
        return sum(held for (kind, _), held in counts.items() if kind in self.kinds)


def accounts(connection: sqlite3.Connection) -> list[AccountId]:
    """Those that have a list."""
    return [AccountId(account) for (account,) in connection.execute("SELECT account FROM lists WHERE chunk = 0")]


class AccountList:
    """Reads the list of one account, through a connection that sees one moment."""

    def __init__(self, connection: sqlite3.Connection, account: AccountId) -> None:
        self._connection = connection
        self._account = account
        last = connection.execute("SELECT max(chunk) FROM lists WHERE account = ?", (account,)).fetchone()[0]
        #: Its number of chunks.
        self._chunks: int = 0 if last is None else last + 1

    def all(self) -> Iterator[Entry]:
        """Every entry, from the first on."""
        for chunk in range(self._chunks):
            yield from entries(self._chunk(chunk)[1])

    def rank(self, wanted: Filter, seq: int) -> int:
        """How many of the wanted entries are of records before `seq`."""
        low, high = 0, self._chunks  # the chunk is the last one that begins before `seq`
        while low < high:
            middle = (low + high) // 2
            if self._first_seq(middle) < seq:
                low = middle + 1
            else:
                high = middle
        if not low:
            return 0
        before, packed = self._chunk(low - 1)
        return wanted.count(before) + sum(wanted.takes(entry) for entry in entries(packed) if entry.seq < seq)

    def of_record(self, wanted: Filter, seq: int) -> list[Entry]:
        return self.between(wanted, self.rank(wanted, seq), self.rank(wanted, seq + 1))

    def between(self, wanted: Filter, first: int, end: int) -> list[Entry]:
        """The wanted entries numbered `first` to `end` (exclusive), in order; there must be as many."""
        found: list[Entry] = []
        chunk = -1
        while (number := first + len(found)) < end:
            chunk = self._chunk_with(wanted, number, chunk + 1)
            before, packed = self._chunk(chunk)
            found += [entry for entry in entries(packed) if wanted.takes(entry)][number - wanted.count(before) :]
        return found[: end - first]

    def _chunk_with(self, wanted: Filter, number: int, least: int) -> int:
        """The chunk, `least` or later, with a wanted entry: the last one before which there are at most `number`."""
        low, step = least, 1
        while low + step < self._chunks and self._before(wanted, low + step) <= number:
            low, step = low + step, step * 2
        high = min(low + step, self._chunks)
        while low + 1 < high:
            middle = (low + high) // 2
            if self._before(wanted, middle) <= number:
                low = middle
            else:
                high = middle
        return low

    def _before(self, wanted: Filter, chunk: int) -> int:
        return wanted.count(self._chunk(chunk)[0])

    def _first_seq(self, chunk: int) -> int:
        return int(_SEQ.unpack_from(self._chunk(chunk)[1])[0])

    def _chunk(self, chunk: int) -> tuple[Counts, bytes]:
        row = self._connection.execute(
            "SELECT before, entries FROM lists WHERE account = ? AND chunk = ?", (self._account, chunk)
        ).fetchone()
        return unpack_counts(row[0]), row[1]
