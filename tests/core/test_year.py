"""A year of a venue in fast motion: windows and deposits without end leave state, snapshot and digest as large, and
deciding as quick, as they were early on."""

import gc
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Final, NamedTuple

import pytest

from exchange.core import decide
from exchange.core.digest import PARTITIONS, partition_digest
from exchange.core.due import next_due
from exchange.core.invariants import violations
from exchange.core.snapshot import dump, load
from exchange.values.accounts.commands import AddKey, RevokeKey
from exchange.values.enums import Scope, Side
from exchange.values.process.commands import StartProcess
from exchange.values.record import Record
from tests.core.windows import by_hand
from tests.venue import ADMIN, Venue, deposit, public_key

#: What a number costs more when it has a few digits more, and what an allocator keeps.
GROWN: Final = 1.05
#: Times are of a machine that does other things too; what grows with age grows tenfold from one tenth to the last.
SLOWER: Final = 4
#: Of one measure.
ROUNDS: Final = 25


class Forgetful(list[Record]):
    """Keeps no record: here it is the state that is looked at."""

    def append(self, record: Record) -> None:
        pass


class Measured(NamedTuple):
    """Bytes, objects of Python, and seconds of the processor."""

    snapshot: int
    venue_line: int
    objects: int
    digest_s: float
    decide_s: float


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call, the median of several."""
    taken = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        for _ in range(20):
            work()
        taken.append(time.process_time() - begun)
    return median(taken) / 20


class Year:
    """A venue with two who trade, four days to a window."""

    def __init__(self) -> None:
        self.venue = venue = Venue().open()
        venue.records = Forgetful()
        self.ann, self.bob = (venue.account({"SOL": 10**12, "USDC": 10**12}) for _ in range(2))
        self.second = by_hand.second_approver(venue)
        venue.expect(StartProcess("build", True))
        by_hand.approve(venue, by_hand.certify(venue), ADMIN, self.second)
        venue.open()
        self.deposits = 0

    def window(self) -> None:
        """From its plan to its end, with an order that traded before and one that rests through it."""
        venue = self.venue
        [rested] = venue.expect(venue.limit(self.ann, Side.ASK, 10_000, 2))
        venue.expect(venue.market(self.bob, Side.BID, 1))
        window = by_hand.plan(venue)
        by_hand.shut(venue, window)
        by_hand.approve(venue, by_hand.certify(venue, window), ADMIN, self.second)
        by_hand.open_window(venue, window)
        venue.expect(venue.cancel(self.ann, rested.order_id))  # type: ignore[union-attr]

    def credit(self, count: int) -> None:
        for _ in range(count):
            self.deposits += 1
            self.venue.expect(deposit(self.venue.state, self.bob, "USDC", 1_000, f"wire {self.deposits:09}"))

    def measured(self) -> Measured:
        venue, state = self.venue, self.venue.state
        wanted = venue.limit(self.ann, Side.ASK, 10_000, 2)

        def before_an_order() -> None:
            assert next_due(state, venue.time_us) is None
            decide(state, venue.time_us + 1, wanted)

        image = dump(state)
        assert dump(load(image)) == image
        assert violations(state) == []
        gc.collect()
        return Measured(
            len(image),
            len(image.splitlines()[0]),
            sys.getallocatedblocks(),
            timed(lambda: partition_digest(state, PARTITIONS - 1)),
            timed(before_an_order),
        )


def held_level(windows: int, deposits: int) -> None:
    year = Year()
    tenths: list[Measured] = []
    for _ in range(10):
        for _ in range(windows // 10):
            year.window()
            year.credit(deposits // windows)
        tenths.append(year.measured())
    assert year.venue.state.last_deposit >= deposits
    first, last = tenths[0], tenths[-1]
    assert last.snapshot <= first.snapshot * GROWN, tenths
    assert last.venue_line <= first.venue_line * GROWN, tenths
    assert last.objects <= first.objects * GROWN, tenths
    assert last.digest_s <= first.digest_s * SLOWER, tenths
    assert last.decide_s <= first.decide_s * SLOWER, tenths


def test_a_venue_is_as_large_and_as_quick_after_a_while_as_early_on() -> None:
    held_level(windows=1_000, deposits=50_000)


@pytest.mark.torture
def test_a_venue_is_as_large_and_as_quick_after_ten_thousand_windows_and_a_million_deposits() -> None:
    held_level(windows=10_000, deposits=1_000_000)


def test_a_key_that_was_revoked_is_kept_with_whose_it_was() -> None:
    """What stays for ever stays where a bound holds it, not in the venue's line."""
    venue = Venue()
    account = venue.account({})
    before = len(dump(venue.state).splitlines()[0])
    for number in range(300):
        [added] = venue.expect(AddKey(ADMIN, account, public_key(5_000 + number), (Scope.READ,), reason="test"))
        venue.expect(RevokeKey(ADMIN, added.key_id, "test"))  # type: ignore[union-attr]
    assert len(venue.state.accounts[account].spent_keys) == 300
    assert len(dump(venue.state).splitlines()[0]) <= before + 20
    venue.check()
