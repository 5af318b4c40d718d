"""Statements and certificates: what they cover, their versions, and what is kept beside them."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from nacl.signing import SigningKey

from exchange.core import State, fold
from exchange.core.state import Account
from exchange.journal.certified import CertificateError, SignedText, check_signature
from exchange.maintenance.evidence import certificates, history, shown_history, statements
from exchange.maintenance.evidence.comparison import compare
from exchange.maintenance.evidence.history import AccountHistory, Histories
from exchange.values.accounts.settings import AccountSettings
from exchange.values.enums import Side
from exchange.values.ids import AccountId
from exchange.values.modes.commands import SetMode
from exchange.values.windows.certificate import CertificateKind, VenueKey
from exchange.values.windows.plan import WindowId
from tests.maintenance.evidence.books import KEY, Books
from tests.venue import ADMIN, public_key


def test_a_statement_covers_balances_orders_with_their_place_tier_settings_and_history(tmp_path: Path) -> None:
    books = Books(tmp_path, trades=0)
    venue, (one, two, *_) = books.venue, books.accounts
    for account in (one, two):
        venue.expect(venue.limit(account, Side.BID, 9_000, 7))
    state, histories, _ = books.read_back()
    found = dict(statements.statements(state, histories))
    said = msgspec.json.decode(found[two])
    [order] = said["orders"]
    assert (order["orders_ahead"], order["lots_ahead"], order["left_lots"]) == (1, 7, 7)
    assert said["balances"]["USDC"]["locked"] == 9_000 * 7 * 100
    assert said["history"]["orders"]["count"] == 1
    assert said["history"]["postings"]["count"] == 2 + 2
    assert set(found) == set(state.accounts)


def test_a_change_anywhere_in_an_account_changes_its_statement_and_no_other(tmp_path: Path) -> None:
    books = Books(tmp_path)
    state, histories, _ = books.read_back()
    before = certificates.body(state, histories, secret=bytes(32))
    hurt = books.accounts[1]
    account = state.accounts[hurt]
    changes: tuple[Callable[[], None], ...] = (
        lambda: setattr(account.balances["SOL"], "available_atoms", 1),
        lambda: setattr(account.balances["USDC"], "locked_atoms", 1),
        lambda: setattr(account, "settings", AccountSettings(auto_lend=True)),
        lambda: setattr(account.user, "tier", 1),
        lambda: histories.add(hurt, history.FILLS, "one more"),
    )
    for change in changes:
        change()
        found = compare(before, certificates.body(state, histories, secret=bytes(32)))
        assert [difference.account for difference in found] == [hurt]
        before = certificates.body(state, histories, secret=bytes(32))


def test_losing_its_place_in_the_queue_shows_though_no_amount_changes(tmp_path: Path) -> None:
    books = Books(tmp_path, trades=0)
    venue, (one, two, *_) = books.venue, books.accounts
    for account in (one, two):
        venue.expect(venue.limit(account, Side.BID, 9_000, 7))
    state, histories, _ = books.read_back()
    before = certificates.body(state, histories, secret=bytes(32))
    bids = state.markets["SOL_USDC"].bids
    first = bids.levels[9_000].first
    assert first is not None
    bids.remove(first)
    bids.add(first)
    found = compare(before, certificates.body(state, histories, secret=bytes(32)))
    assert [difference.account for difference in found] == [one, two]
    assert any("orders_ahead: 0 before, 1 after" in line for line in found[0].lines)


def test_a_later_version_can_be_judged_in_the_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A made-up version 2 with debts: version 1 is still stated, and new fields must hold their initial value."""

    def version_2(account: Account, past: AccountHistory, places: statements.Places) -> statements.Statement:
        return {**statements.version_1(account, past, places), "version": 2, "debts": {}}

    books = Books(tmp_path)
    state, histories, _ = books.read_back()
    closing = certificates.body(state, histories, 1, bytes(32))
    monkeypatch.setitem(statements.VERSIONS, 2, version_2)
    assert certificates.body(state, histories, 1, bytes(32)) == closing
    newer = certificates.body(state, histories, 2, bytes(32))
    initial: dict[int, statements.Statement] = {2: {"debts": {}}}
    said = msgspec.json.decode(newer.statements[-1])
    assert statements.unexplained_new_fields(said, 1, initial) == []
    assert statements.unexplained_new_fields({**said, "debts": {"USDC": 80_000}}, 1, initial) == ["debts"]
    with pytest.raises(KeyError):
        certificates.body(state, histories, 3)


def test_totals_sum_to_zero_per_asset(tmp_path: Path) -> None:
    state, _, _ = Books(tmp_path).read_back()
    totals = statements.totals(state)
    assert [total.asset for total in totals] == ["SOL", "USDC"]
    for total in totals:
        assert total.users_atoms > 0
        assert total.users_atoms + total.venue_atoms + total.custody_atoms == 0


def test_histories_go_on_from_what_was_kept(tmp_path: Path) -> None:
    _, histories, _ = Books(tmp_path).read_back()
    assert history.load(history.dump(histories).splitlines()).of == histories.of


def test_legs_of_a_history_gone_through_apart_add_up_to_the_whole(tmp_path: Path) -> None:
    books = Books(tmp_path)
    _, whole, _ = books.read_back()
    records = books.venue.records
    state, histories = State(), Histories()
    for begin in range(0, len(records), 90):
        # As another process would: what it is given are the ordinals, and the sums are only its own.
        leg = histories.begin_leg()
        for record in records[begin : begin + 90]:
            leg.see(state, record)
            fold(state, record)
        histories.join(leg)
    assert histories.of == whole.of
    assert len(records) > 3 * 90


@pytest.mark.parametrize("lines", [("b", "a"), ("a",), ("a", "b", "b"), ("a", "c"), ("b", "b")])
def test_a_history_in_another_order_or_with_another_line_has_another_hash(lines: tuple[str, ...]) -> None:
    account = AccountId(100_000)
    said, shown = Histories(), Histories()
    for line in ("a", "b"):
        said.add(account, history.FILLS, line)
    for line in lines:
        shown.add(account, history.FILLS, line)
    assert said.of != shown.of
    assert [f"account {account}" in line for line in shown_history.untrue(said, shown)] == [True]


def certificate(books: Books) -> tuple[SignedText, certificates.Body]:
    state, histories, chain = books.read_back()
    made = certificates.body(state, histories)
    signed = certificates.certify(
        CertificateKind.CLOSING, state, made, chain=chain, time_us=1, window=WindowId(10), markets=(), key=KEY
    )
    return signed, made


def test_what_is_kept_reads_back_and_is_checked_to_the_last_byte(tmp_path: Path) -> None:
    signed, made = certificate(Books(tmp_path))
    certificates.keep(tmp_path, signed, made)
    read = certificates.read(tmp_path, signed)
    assert (read.root, read.statements) == (made.root, made.statements)
    place = certificates.folder(tmp_path, signed.certificate)
    assert (place / "secret.json").stat().st_mode & 0o777 == 0o600
    for name in ("certificate.json", "secret.json", "statements.jsonl"):
        content = (place / name).read_bytes()
        middle = len(content) // 2
        (place / name).write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        with pytest.raises(CertificateError):
            certificates.read(tmp_path, signed)
        (place / name).write_bytes(content)
    with pytest.raises(CertificateError):
        certificates.read(tmp_path, SignedText(signed.text, "other"))


@pytest.mark.parametrize("secret", ["no hexadecimal", "00" * 31, "00" * 65, ""])
def test_a_damaged_secret_is_named(tmp_path: Path, secret: str) -> None:
    signed, made = certificate(Books(tmp_path))
    certificates.keep(tmp_path, signed, made)
    path = certificates.folder(tmp_path, signed.certificate) / "secret.json"
    path.write_bytes(msgspec.json.encode({**msgspec.json.decode(path.read_bytes()), "secret": secret}))
    with pytest.raises(CertificateError, match="closing-"):
        certificates.read(tmp_path, signed)


def test_signatures_count_only_under_the_venues_keys_of_the_time(tmp_path: Path) -> None:
    books = Books(tmp_path)
    signed, _ = certificate(books)
    keys = (VenueKey(public_key(1), 0, 1), *books.venue.state.venue_keys)
    check_signature(signed, keys, books.venue.state.seq)
    with pytest.raises(CertificateError, match="never"):
        check_signature(signed, keys[:1], books.venue.state.seq)
    forged = SignedText(signed.text.replace('"time_us":1,', '"time_us":2,'), signed.signature)
    with pytest.raises(CertificateError, match="not the venue's"):
        check_signature(forged, keys, books.venue.state.seq)
    mine = keys[-1]
    for key, why in (
        (VenueKey(mine.public_key, mine.since_seq, 5), "replaced"),
        (VenueKey(mine.public_key, mine.since_seq, 0, True), "revoked"),
    ):
        with pytest.raises(CertificateError, match=why):
            check_signature(signed, (key,), books.venue.state.seq)


def test_only_the_venues_key_in_force_signs(tmp_path: Path) -> None:
    books = Books(tmp_path)
    state, histories, chain = books.read_back()
    made = certificates.body(state, histories)
    with pytest.raises(CertificateError):
        certificates.certify(
            CertificateKind.CLOSING,
            state,
            made,
            chain=chain,
            time_us=1,
            window=WindowId(10),
            markets=(),
            key=SigningKey.generate(),
        )


def test_the_books_of_a_refused_command_state_the_same(tmp_path: Path) -> None:
    books = Books(tmp_path)
    before = certificates.body(*books.read_back()[:2], secret=bytes(32))
    books.venue.do(SetMode(ADMIN, books.venue.state.venue_mode, "the same again"))
    assert certificates.body(*books.read_back()[:2], secret=bytes(32)).root == before.root
