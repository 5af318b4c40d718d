"""The story of an order, an account, an asset: told from records alone, whole, and adding up."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exchange.journal.recovery import replay
from exchange.journal.store import JournalReader, open_writing
from exchange.maintenance.evidence.reading import Span, SpanError, span
from exchange.maintenance.stories import explain, story
from exchange.maintenance.stories.story import Change, Story, UnknownSubject
from exchange.values.accounts.commands import RevokeKey, SetUserTier
from exchange.values.enums import Side
from exchange.values.events import AnyEvent
from exchange.values.ids import CUSTODY, FEES, AccountId, OrderId, id_at, user_of
from exchange.values.money.events import Posted
from exchange.values.numbers import format_decimal
from exchange.values.orders.commands import CancelAll, PlaceOrder
from exchange.values.orders.events import OrderDone, OrderRested, Traded
from exchange.values.process.events import Refused
from exchange.values.record import Record, encode
from tests.maintenance.evidence.books import Books
from tests.venue import ADMIN, SOL, SOL_USDC, deposit


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Books:
    """A random past, and one order whose life is known: placed, filled in part, cancelled, cancelled once more."""
    made = Books(tmp_path_factory.mktemp("data"), trades=200)
    made.snapshot()
    venue, ann, bob = made.venue, made.accounts[0], made.accounts[1]
    venue.expect(deposit(venue.state, ann, "USDC", 10**12, "ann"))
    venue.expect(deposit(venue.state, bob, "SOL", 10**13, "bob"))
    for account in made.accounts:
        venue.expect(CancelAll(account, venue.key(account), SOL_USDC.symbol))
    venue.expect(venue.limit(ann, Side.BID, 10_030, 50))
    order = OrderId(id_at(venue.state.seq))
    venue.expect(venue.limit(bob, Side.ASK, 10_030, 20))
    venue.expect(venue.cancel(ann, order))
    assert isinstance(venue.do(venue.cancel(ann, order))[0], Refused)
    made.write()
    return made


@pytest.fixture(scope="module")
def known(books: Books) -> OrderId:
    return OrderId(id_at(books.venue.state.seq - 3))


def everything(books: Books) -> Span:
    return span(books.data_dir)


def changes(told: Story) -> Iterator[Change]:
    for entry in told.entries:
        yield from entry.changes


def test_an_order_is_told_from_its_placing_to_the_cancel_that_came_too_late(books: Books, known: OrderId) -> None:
    venue, ann, bob = books.venue, books.accounts[0], books.accounts[1]
    told = explain.explain_order(books.data_dir, known, everything(books))
    assert [(entry.command, entry.actor) for entry in told.entries] == [
        ("PlaceOrder", f"key {venue.key(ann)}"),
        ("PlaceOrder", f"key {venue.key(bob)}"),
        ("CancelOrder", f"key {venue.key(ann)}"),
        ("CancelOrder", f"key {venue.key(ann)}"),
    ]
    assert "Traded 0.2 SOL for 20.06 USDC in 1 trade, fees 0.00016 SOL." in told.summary
    assert f"Ended: Cancelled (User) in record {venue.state.seq - 1}." in told.summary
    assert told.entries[-1].events[0].startswith("Refused code=RESOURCE_NOT_FOUND")
    reserved, _, _, *_ = [change for change in changes(told) if change.bucket == "locked"]
    assert (reserved.atoms, reserved.kind) == (50 * 10_030 * 100, "reserve")
    assert sum(change.atoms for change in changes(told) if change.bucket == "locked") == 0
    assert {change.account for change in changes(told)} == {ann}


def test_an_open_order_is_told_with_its_place_in_the_queue(books: Books, tmp_path: Path) -> None:
    again = Books(tmp_path / "data", trades=0)
    venue, ann, bob = again.venue, again.accounts[0], again.accounts[1]
    venue.expect(venue.limit(ann, Side.BID, 10_000, 30))
    venue.expect(venue.limit(bob, Side.BID, 10_000, 40))
    again.write()
    told = explain.explain_order(again.data_dir, OrderId(id_at(venue.state.seq)), everything(again))
    assert told.summary[-1].endswith("Bid at 100, 0.4 SOL left, 1 orders with 0.3 SOL ahead of it at its price.")


def test_an_order_that_was_refused_never_was(tmp_path: Path) -> None:
    again = Books(tmp_path / "data", trades=0)
    again.venue.do(again.venue.limit(again.accounts[0], Side.BID, 10_000, 10**9))
    again.write()
    told = explain.explain_order(again.data_dir, OrderId(id_at(again.venue.state.seq)), everything(again))
    assert told.summary[-1].startswith("Refused: INSUFFICIENT_FUNDS")


def test_every_order_of_a_past_has_a_story_that_agrees_with_the_books(books: Books) -> None:
    """What it holds locked is what its own legs come to, and it ended exactly if it is not open."""
    placed = [
        OrderId(id_at(record.seq))
        for record in books.venue.records
        if isinstance(record.command, PlaceOrder) and not isinstance(record.events[0], Refused)
    ]
    for order_id in placed[::7]:
        told = explain.explain_order(books.data_dir, order_id, everything(books))
        order = books.venue.state.orders.get(order_id)
        locked = sum(change.atoms for change in changes(told) if change.bucket == "locked")
        assert locked == (0 if order is None else order.reserved_atoms)
        assert any(line.startswith("Ended: ") for line in told.summary) is (order is None)


def test_an_account_is_told_with_every_change_and_its_balance_after(books: Books) -> None:
    for account_id in (*books.accounts, FEES):
        told = explain.explain_account(books.data_dir, account_id, everything(books))
        held: dict[tuple[str, str], int] = defaultdict(int)
        for change in changes(told):
            held[change.asset, change.bucket] += change.atoms
            assert change.account == account_id
            assert held[change.asset, change.bucket] == change.balance_atoms
        for asset, balance in books.venue.state.accounts[account_id].balances.items():
            assert held[asset, "available"] == balance.available_atoms
            assert held[asset, "locked"] == balance.locked_atoms
        concerned = [record.seq for record in books.venue.records if touches(record, account_id)]
        assert [entry.seq for entry in told.entries] == concerned


def touches(record: Record, account: int) -> bool:
    """Slow and obvious: the account's number stands in a field for accounts."""
    if getattr(record.command, "account", None) == account:
        return True
    return any(account in accounts_in(event) for event in record.events)


def accounts_in(event: AnyEvent) -> set[int]:
    if isinstance(event, Traded):
        # A fee is paid to the venue's account.
        paid = {FEES} if event.taker_fee_atoms or event.maker_fee_atoms else set()
        return {event.taker_account, event.maker_account} | paid
    if isinstance(event, Posted):
        return {leg.account for leg in event.legs}
    return {getattr(event, "account", 0)}


def test_key_and_tier_changes_belong_to_the_account(tmp_path: Path) -> None:
    again = Books(tmp_path / "data", trades=0)
    venue, ann = again.venue, again.accounts[0]
    venue.expect(SetUserTier(ADMIN, venue.state.accounts[ann].user.user_id, 1, "loyal"))
    venue.expect(RevokeKey(ADMIN, venue.key(ann), "lost"))
    venue.expect(RevokeKey(ADMIN, venue.key(again.accounts[1]), "somebody else's"))
    again.write()
    told = explain.explain_account(again.data_dir, ann, everything(again))
    assert [(entry.command, entry.actor) for entry in told.entries][-2:] == [
        ("SetUserTier", f"admin {ADMIN}"),
        ("RevokeKey", f"admin {ADMIN}"),
    ]


def test_a_story_of_a_span_begins_with_the_balances_it_finds(books: Books) -> None:
    seq = books.venue.state.seq
    told = explain.explain_account(books.data_dir, books.accounts[0], Span(seq - 3, seq))
    assert [entry.seq for entry in told.entries] == [seq - 3, seq - 2, seq - 1, seq]
    last = {(change.asset, change.bucket): change.balance_atoms for change in changes(told)}
    for (asset, bucket), atoms in last.items():
        assert atoms == books.venue.balance(books.accounts[0], asset)[bucket == "locked"]


def test_of_a_long_story_the_latest_entries_are_told(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = explain.explain_account(books.data_dir, books.accounts[0], everything(books))
    monkeypatch.setattr(story, "MAX_ENTRIES", 5)
    told = explain.explain_account(books.data_dir, books.accounts[0], everything(books))
    assert told.entries == whole.entries[-5:]
    assert told.omitted == len(whole.entries) - 5
    assert told.summary == whole.summary


def test_an_asset_is_told_with_what_came_in_who_holds_it_and_that_it_balances(books: Books) -> None:
    told = explain.explain_asset(books.data_dir, "SOL", everything(books))
    assert "They balance." in told.summary
    credited = [change for change in changes(told) if change.account != CUSTODY]
    custody = books.venue.state.accounts[CUSTODY].balances["SOL"].available_atoms
    assert sum(change.atoms for change in credited) == -custody
    assert f"deposit: {len(credited)} postings that moved {format_decimal(-custody, SOL.decimals)} SOL." in told.summary
    assert {entry.command for entry in told.entries} == {"Genesis", "CreditDeposit"}
    trades = sum(isinstance(event, Traded) for record in books.venue.records for event in record.events)
    assert f"SOL_USDC: {trades} trades." in told.summary


def test_who_is_not_on_record_is_said_to_be_unknown(books: Books) -> None:
    for order_id in (10 * books.venue.state.seq + 10, id_at(2)):
        with pytest.raises(UnknownSubject):
            explain.explain_order(books.data_dir, OrderId(order_id), everything(books))
    with pytest.raises(UnknownSubject):
        explain.explain_account(books.data_dir, AccountId(123_456), everything(books))
    with pytest.raises(UnknownSubject):
        explain.explain_asset(books.data_dir, "DOGE", everything(books))


def test_a_span_is_given_by_seq_or_by_time(books: Books) -> None:
    records = books.venue.records
    third = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=records[2].time_us)
    assert span(books.data_dir, third.isoformat()) == Span(3, len(records))
    assert span(books.data_dir, third.replace(tzinfo=None).isoformat()) == Span(3, len(records))
    assert span(books.data_dir, None, third.isoformat()) == Span(1, 2)
    assert span(books.data_dir, (third - timedelta(days=1)).isoformat(), "5") == Span(1, 5)
    assert span(books.data_dir, "5", str(10**9)) == Span(5, len(records))
    for begin, end in (("soon", None), ("5", "4"), (None, "0"), ((third + timedelta(days=9)).isoformat(), None)):
        with pytest.raises(SpanError):
            span(books.data_dir, begin, end)


class Meanwhile(JournalReader):
    """Each time it is asked where the journal ends, the exchange goes on, and a snapshot is made."""

    def __init__(self, books: Books) -> None:
        super().__init__(books.data_dir)
        self._books = books

    def last(self) -> tuple[int, bytes]:
        found = super().last()
        venue = self._books.venue
        venue.expect(SetUserTier(ADMIN, user_of(self._books.accounts[0]), found[0] % 2, "to and fro"))
        journal = open_writing(self._books.data_dir)
        journal.append(venue.state.seq, [encode(venue.records[-1])])
        journal.close()
        self._books.snapshot()
        return found


def test_a_snapshot_made_while_somebody_reads_is_no_sign_of_damage(tmp_path: Path) -> None:
    again = Books(tmp_path / "data", trades=0)
    again.write()
    with Meanwhile(again) as reader:
        end_seq = len(again.venue.records)
        assert replay(again.data_dir, reader).seq == end_seq


def test_each_fact_of_an_order_stands_in_its_story(books: Books, known: OrderId) -> None:
    told = explain.explain_order(books.data_dir, known, everything(books))
    facts = " ".join(fact for entry in told.entries for fact in entry.events)
    for kind in (OrderRested, Traded, OrderDone, Refused):
        assert kind.__name__ in facts
    assert "\n".join(told.text()).count("fact:") == sum(len(entry.events) for entry in told.entries)
