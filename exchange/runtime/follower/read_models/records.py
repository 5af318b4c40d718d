"""Records as history reads them: any of them, each held against the hash that was kept when it was taken in."""

import sqlite3
from bisect import bisect_left
from collections.abc import Callable, Iterable

from exchange.journal.errors import JournalDamaged
from exchange.journal.lines import Lines
from exchange.runtime.follower.read_models.rows import KEPT, KEPT_BYTES, line_hash
from exchange.runtime.follower.read_models.schema import RECORDS_A_ROW
from exchange.values.record import Record, RecordError, decode


class Records:
    """Through a connection that sees one moment: the records up to `reached` seq."""

    def __init__(self, connection: sqlite3.Connection, lines: Callable[[], Lines], reached: int) -> None:
        self._connection = connection
        self._lines = lines
        self.reached = reached
        self._kept: dict[int, bytes] = {}

    def read(self, seqs: Iterable[int]) -> dict[int, Record]:
        """Records by their seqs.

        Raises:
            JournalDamaged: names one that is missing or not the one that was taken in.
            SegmentAway: one is in an archive that can't be reached. JournalError
        """
        rising = sorted(set(seqs))
        found: dict[int, Record] = {}
        for seq, line in zip(rising, self._lines().lines(rising) if rising else (), strict=True):
            if line_hash(line) != self._at(seq)[0]:
                raise JournalDamaged(seq, "it is not the record that was taken into the history")
            try:
                found[seq] = decode(line)
            except RecordError as error:
                raise JournalDamaged(seq, f"the record can't be read: {error}") from error
        return found

    def time_us(self, seq: int) -> int:
        return self._at(seq)[1]

    def first_at(self, time_us: int) -> int:
        """The seq of the first record at that time or later; the one behind the last if there is none."""
        low, high = 0, -(-self.reached // RECORDS_A_ROW)
        while low < high:
            middle = (low + high) // 2
            if KEPT.unpack(self._row(middle)[-KEPT_BYTES:])[1] < time_us:
                low = middle + 1
            else:
                high = middle
        if low * RECORDS_A_ROW >= self.reached:
            return self.reached + 1
        return low * RECORDS_A_ROW + 1 + bisect_left([each for _, each in KEPT.iter_unpack(self._row(low))], time_us)

    def _at(self, seq: int) -> tuple[bytes, int]:
        row, index = divmod(seq - 1, RECORDS_A_ROW)
        hashed, time_us = KEPT.unpack_from(self._row(row), index * KEPT_BYTES)
        return hashed, time_us

    def _row(self, row: int) -> bytes:
        held = self._kept.get(row)
        if held is None:
            query = "SELECT kept FROM records WHERE block = ?"
            held = self._kept[row] = self._connection.execute(query, (row,)).fetchone()[0]
        return held
