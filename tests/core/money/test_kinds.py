"""Whatever anybody holds is a balance of an asset: positions and debts, too, go everywhere balances go.

Two assets that no build lists, lots of a perpetual and shares of a pool's debt, are posted by a command that no build
has: below zero on one side, as they are meant to be.
"""

from pathlib import Path

import msgspec
import pytest

from exchange.core import State
from exchange.core.digest import digest
from exchange.core.invariants import violations
from exchange.core.money.posting import BadPosting
from exchange.core.snapshot import dump, load
from exchange.journal.show import show
from exchange.maintenance.evidence.reading import span
from exchange.maintenance.evidence.statements import statements, totals
from exchange.maintenance.stories import explain, incident, incident_text
from exchange.runtime.follower.read_models import FILE_NAME, ReadModels
from exchange.runtime.port import Channel, Page, Topic
from exchange.values.base import Command
from exchange.values.commands import AnyCommand
from exchange.values.enums import AssetKind, Holder
from exchange.values.events import AnyEvent
from exchange.values.ids import CLEARING, CUSTODY, FEES, VENUE_ACCOUNTS, AccountId
from exchange.values.listings.commands import ListAsset, ListMarket
from exchange.values.listings.events import AssetListed
from exchange.values.listings.specs import AssetSpec, ListedMarket, SpecError, spot_market, symbol_of
from exchange.values.money.events import Leg, Posted
from exchange.values.money.holdings import holder, may_be_negative
from exchange.values.process.events import Refused
from exchange.values.windows.certificate import AssetTotal
from tests.gateway.live_venue import LiveVenue
from tests.maintenance.evidence.books import Books
from tests.patched import teach
from tests.runtime.running import HandClock, Seen
from tests.venue import ADMIN, FILTERS, USDC, Venue, deposit

LOTS = AssetSpec(symbol_of(AssetKind.CONTRACT, "SOL_USDC_PERP"), 2, kind=AssetKind.CONTRACT)
DEBT = AssetSpec(symbol_of(AssetKind.DEBT, "USDC"), 6, kind=AssetKind.DEBT)
ALL = Page(limit=100, ascending=True)


class Post(Command, frozen=True):
    """The venue lists assets and posts these legs."""

    legs: tuple[Leg, ...]
    lists: tuple[AssetSpec, ...] = ()


def post(state: State, time_us: int, command: Post) -> list[AnyEvent]:
    return [*map(AssetListed, command.lists), Posted("perpetual", command.legs)]


@pytest.fixture(autouse=True)
def with_posts(monkeypatch: pytest.MonkeyPatch) -> None:
    teach(monkeypatch, Post, post)


def posting(*legs: tuple[AccountId, AssetSpec, int], lists: tuple[AssetSpec, ...] = ()) -> AnyCommand:
    made = tuple(Leg(account, asset.symbol, atoms) for account, asset, atoms in legs)
    return Post(made, lists)  # type: ignore[return-value]


def long_short_and_borrowed(ann: AccountId, bob: AccountId) -> AnyCommand:
    """`bob` is short what `ann` and the venue are long; he owes 5 shares of the pool, which stands on clearing."""
    legs = ((FEES, LOTS, 1), (ann, LOTS, 300), (bob, LOTS, -301), (bob, DEBT, -5_000_000), (CLEARING, DEBT, 5_000_000))
    return posting(*legs, lists=(LOTS, DEBT))


class Held:
    """Books on disk in which they are held, behind a window that closed on them."""

    def __init__(self, data_dir: Path) -> None:
        self.books = books = Books(data_dir, trades=40)
        self.ann, self.bob, *_ = books.accounts
        books.venue.expect(long_short_and_borrowed(self.ann, self.bob))
        self.seq = books.venue.state.seq
        self.window = books.close()
        books.snapshot()
        books.write()


def test_the_books_hold_and_a_snapshot_holds_them(tmp_path: Path) -> None:
    venue = Held(tmp_path).books.venue
    venue.check()
    restored = load(dump(venue.state))
    assert (digest(restored), violations(restored)) == (digest(venue.state), [])
    assert restored.assets[DEBT.symbol] == DEBT
    assert b'"kind":"debt"' in dump(venue.state)
    assert b'"kind":"coin"' not in dump(venue.state), "what says nothing of its kind is one"


def test_statements_totals_and_gates_count_them(tmp_path: Path) -> None:
    held = Held(tmp_path)
    books = held.books
    state, histories, _ = books.read_back()
    said = {account: msgspec.json.decode(line) for account, line in statements(state, histories)}
    assert said[held.bob]["balances"][LOTS.symbol] == {"available": -301, "locked": 0}
    assert said[held.bob]["balances"][DEBT.symbol] == {"available": -5_000_000, "locked": 0}
    assert said[held.ann]["balances"][LOTS.symbol] == {"available": 300, "locked": 0}
    found = {total.asset: total for total in totals(state)}
    assert found[LOTS.symbol] == AssetTotal(LOTS.symbol, -1, 1, 0)
    assert found[DEBT.symbol] == AssetTotal(DEBT.symbol, -5_000_000, 0, 0, 5_000_000)
    assert not any(total.over_atoms for total in found.values())
    outcome = books.prove(held.window)
    assert outcome.passed, books.report(outcome)
    assert outcome.signed is not None
    assert found[DEBT.symbol] in outcome.signed.certificate.totals


def test_history_and_stories_tell_of_them(tmp_path: Path) -> None:
    held = Held(tmp_path)
    models = ReadModels(tmp_path / FILE_NAME)
    lines = models.ledger(held.bob, ALL, asset=LOTS.symbol).rows
    models.close()
    assert [(line.asset, line.atoms, line.balance_atoms, line.kind) for line in lines] == [
        (LOTS.symbol, -301, -301, "perpetual")
    ]
    everything = span(tmp_path)
    told = explain.explain_account(tmp_path, held.bob, everything)
    assert f"-3.01 {LOTS.symbol} available, 0 {LOTS.symbol} locked." in told.summary
    [entry] = [entry for entry in told.entries if entry.seq == held.seq]
    assert [change.said for change in entry.changes] == [
        f"account {held.bob} available -3.01 {LOTS.symbol} -> -3.01 {LOTS.symbol} (perpetual)",
        f"account {held.bob} available -5 {DEBT.symbol} -> -5 {DEBT.symbol} (perpetual)",
    ]
    told = explain.explain_asset(tmp_path, DEBT.symbol, everything)
    assert f"users -5 {DEBT.symbol}, the venue's own accounts 0 {DEBT.symbol}, clearing 5" in " ".join(told.summary)
    assert "They balance." in told.summary
    assert f"Account {held.bob} holds -5 {DEBT.symbol}." in told.summary
    told = explain.explain_asset(tmp_path, LOTS.symbol, everything)
    holders = [line.split()[1] for line in told.summary if line.startswith("Account ")]
    assert holders == [str(held.bob), str(held.ann), str(FEES)], (
        "whoever has most of it, whatever its sign, comes first"
    )
    assert f"{held.bob} available -3.01 {LOTS.symbol}]" in "".join(show(tmp_path, from_seq=held.seq, to_seq=held.seq))
    report = incident.investigate(tmp_path, everything)
    assert not report.violations
    assert f"| {DEBT.symbol} | 0 | -5000000 | 0 | 0 | 0 | 0 | 0 | 5000000 |" in incident_text.text(report)


async def test_clients_know_coins_alone() -> None:
    venue = LiveVenue(HandClock())
    ann, bob = (venue.trader().account for _ in range(2))
    seen = Seen()
    venue.exchange.watch(Topic(Channel.BALANCE_UPDATE, account=bob), seen.add)
    venue.commit(long_short_and_borrowed(ann, bob))
    venue.commit(deposit(venue.core.state, bob, "USDC", 1, "one more"))
    assert [balance.asset for balance in await venue.exchange.balances(bob)] == ["SOL", "USDC"]
    assert [update.asset for update in seen] == ["USDC"]  # type: ignore[union-attr]
    assert {asset.symbol for asset in venue.exchange.assets()} == {"SOL", "USDC"}
    assert {LOTS, DEBT} < set(venue.exchange.all_assets()), "the ledger names them"


@pytest.mark.parametrize(
    ("legs", "why"),
    [
        (((CLEARING, DEBT, -1),), "USDC:debt: legs that sum to -1 atoms"),
        (((CUSTODY, DEBT, -1), (CLEARING, DEBT, 1)), "account 1 USDC:debt: available -1"),
        (((FEES, USDC, -1), (CUSTODY, USDC, 1)), "account 2 USDC: available -1"),
    ],
)
def test_no_posting_makes_money_or_takes_what_is_not_there(
    legs: tuple[tuple[AccountId, AssetSpec, int], ...], why: str
) -> None:
    """A bug that posted so would end the process, as every fold that fails does, and never reach a balance."""
    venue = Venue().open()
    with pytest.raises(BadPosting, match=why):
        venue.do(posting(*legs, lists=(DEBT,)))


def test_only_coins_are_listed_traded_and_credited() -> None:
    venue = Venue().open()
    ann = venue.account({})
    venue.expect(long_short_and_borrowed(ann, venue.account({})))
    sold = ListedMarket(spot_market(msgspec.structs.replace(LOTS, decimals=9), USDC, 10**7, 10**7), FILTERS)
    for wanted in (
        ListAsset(ADMIN, AssetSpec("SOL:debt", 9, kind=AssetKind.DEBT), "test"),
        ListMarket(ADMIN, sold, "test"),
        deposit(venue.state, ann, DEBT.symbol, 1, "shares"),
    ):
        assert isinstance(venue.do(wanted)[0], Refused), wanted


@pytest.mark.parametrize(
    ("symbol", "kind"),
    [
        ("USDC:debt", AssetKind.COIN),
        ("USDC", AssetKind.DEBT),
        ("USDC:claim", AssetKind.DEBT),
        (":debt", AssetKind.DEBT),
    ],
)
def test_a_symbol_says_the_kind(symbol: str, kind: AssetKind) -> None:
    with pytest.raises(SpecError):
        AssetSpec(symbol, 6, kind=kind).check()


@pytest.mark.parametrize("kind", AssetKind)
def test_the_invariant_asks_the_table(kind: AssetKind) -> None:
    """For every kind and every holder: below zero is a violation exactly where the table doesn't allow it."""
    venue = Venue().open()
    user = venue.account({})
    symbol = "SOL" if kind is AssetKind.COIN else symbol_of(kind, "SOL")
    venue.state.assets[symbol] = AssetSpec(symbol, 9, kind=kind)
    seen = set()
    for account in (user, *VENUE_ACCOUNTS):
        held = venue.state.accounts[account].balance(symbol)
        held.available_atoms = -1
        found = [line for line in violations(venue.state) if line.startswith(f"account {account} {symbol}: available")]
        assert bool(found) is not may_be_negative(kind, account)
        seen.add((holder(account), may_be_negative(kind, account)))
        held.available_atoms, held.locked_atoms = 0, -1
        assert any(line.startswith(f"account {account} {symbol}: available") for line in violations(venue.state))
        held.locked_atoms = 0
    assert {who for who, _ in seen} == set(Holder)
    assert any(allowed for _, allowed in seen), "somebody stands against those who have some"
