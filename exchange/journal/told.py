"""What a pass finds wrong, record by record: told one by one up to a bound, and counted beyond it."""

from typing import Final

MAX_TOLD: Final = 100


class Told:
    """Findings in the order of their records."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[tuple[int | None, str]] = []

    def add(self, seq: int, what: str) -> None:
        self.count += 1
        if len(self._first) < MAX_TOLD:
            self._first.append((seq, what))

    def lines(self) -> list[tuple[int | None, str]]:
        """(seq, what is wrong); the last one, of no record, says how many more there are."""
        more = self.count - len(self._first)
        return [*self._first, (None, f"and {more:,} more of that kind")] if more else self._first
