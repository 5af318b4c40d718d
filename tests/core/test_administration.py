"""Listings, fees, tiers, keys, admins, deposits and rule versions: who may, and what is refused."""

import pytest

from exchange.core.money.sources import MAX_REFERENCES, MAX_SOURCES
from exchange.rules.versions import BAND_BY_SIDE
from exchange.values.accounts.commands import AddKey, OpenAccount, RevokeKey, SetUserTier
from exchange.values.accounts.events import KeyAdded
from exchange.values.commands import AnyCommand
from exchange.values.enums import Mode, Pause, Scope, Side
from exchange.values.ids import MAX_USER, AccountId, KeyId, SubaccountId, UserId, user_of
from exchange.values.listings.commands import ListAsset, ListMarket, SetFeeTiers
from exchange.values.listings.specs import (
    AssetSpec,
    FeeTier,
    Limits,
    ListedMarket,
    MarketFilters,
    SpecError,
    spot_market,
)
from exchange.values.modes.commands import SetMode, SetPause
from exchange.values.money.commands import CreditDeposit
from exchange.values.orders.commands import CancelOrder
from exchange.values.process.commands import ActivateRule
from exchange.values.process.events import Refused
from exchange.values.refusals import Code
from tests.venue import ADMIN, FILTERS, SOL, SOL_USDC, TIERS, USDC, Venue, deposit, genesis, public_key, refold

BTC = AssetSpec("BTC", 8, "Bitcoin")
BTC_USDC = spot_market(BTC, USDC, 100_000_000, 10_000)


def refused(venue: Venue, command: AnyCommand) -> Code:
    [event] = venue.do(command)
    assert isinstance(event, Refused), event
    return event.code


def test_ticks_and_steps_must_keep_the_books_exact() -> None:
    spot_market(SOL, USDC, 10_000_000, 10_000_000)
    with pytest.raises(SpecError, match="USDC"):
        spot_market(SOL, AssetSpec("USDC", 3), 10_000_000, 10_000_000)
    with pytest.raises(SpecError, match="SOL"):
        spot_market(AssetSpec("SOL", 1), USDC, 10_000_000, 10_000_000)


def test_a_new_market_starts_shut_and_opens_by_command() -> None:
    venue = Venue().open()
    assert refused(venue, ListMarket(ADMIN, ListedMarket(BTC_USDC, FILTERS), "test")) is Code.INVALID_CLIENT_REQUEST
    venue.expect(ListAsset(ADMIN, BTC, "test"))
    venue.expect(ListMarket(ADMIN, ListedMarket(BTC_USDC, FILTERS), "test"))
    assert venue.state.ruling_mode(venue.state.markets["BTC_USDC"]) is Mode.OFFLINE
    venue.expect(SetMode(ADMIN, Mode.POST_ONLY, "listing", "BTC_USDC"))
    assert refused(venue, ListMarket(ADMIN, ListedMarket(BTC_USDC, FILTERS), "test")) is Code.PRECONDITION_FAILED
    assert refused(venue, ListAsset(ADMIN, BTC, "test")) is Code.PRECONDITION_FAILED


def test_genesis_happens_once() -> None:
    assert refused(Venue(), genesis()) is Code.PRECONDITION_FAILED


def test_a_deposit_is_credited_once_and_balanced_by_custody() -> None:
    venue = Venue()
    account = venue.account({"USDC": 5})
    assert venue.balance(account, "USDC") == (5, 0)
    assert venue.balance(AccountId(1), "USDC") == (-5, 0)
    credited_at = venue.state.seq
    [reference] = venue.state.sources[""].references
    [again] = venue.do(deposit(venue.state, account, "USDC", 5, reference))
    assert isinstance(again, Refused)
    assert again.message.endswith(f"has been credited: record {credited_at}")
    for number in (0, 1, 3):
        taken = CreditDeposit(ADMIN, account, "USDC", 5, "another", number)
        assert refused(venue, taken) is Code.PRECONDITION_FAILED
    venue.expect(CreditDeposit(ADMIN, account, "USDC", 5, "another", 2))
    [posted] = venue.expect(CreditDeposit(ADMIN, account, "USDC", 5, reference, 1, "a bank"))
    assert (posted.deposit, posted.number, posted.source) == (3, 1, "a bank")  # type: ignore[union-attr]
    venue.check()


def test_state_holds_of_deposits_what_a_bound_says() -> None:
    venue = Venue()
    account = venue.account({})
    for n in range(MAX_REFERENCES + 50):
        venue.expect(deposit(venue.state, account, "USDC", 5, f"wire {n}"))
    assert len(venue.state.sources[""].references) == MAX_REFERENCES
    for n in range(1, MAX_SOURCES):
        venue.expect(CreditDeposit(ADMIN, account, "USDC", 5, "first", 1, f"source {n}"))
    more = CreditDeposit(ADMIN, account, "USDC", 5, "first", 1, "one more")
    assert refused(venue, more) is Code.PRECONDITION_FAILED


def test_no_asset_can_grow_beyond_what_the_ledger_counts() -> None:
    venue = Venue()
    account = venue.account({"USDC": 2**62 - 1})
    for atoms in (1, 0, -1):
        assert refused(venue, deposit(venue.state, account, "USDC", atoms, "x")) is Code.INVALID_CLIENT_REQUEST


def test_fee_tiers_follow_the_user_over_all_sub_accounts() -> None:
    venue = Venue().open()
    one = venue.account({"SOL": 10**12, "USDC": 10**12})
    two = venue.account({"SOL": 10**12, "USDC": 10**12}, one, 1)
    venue.expect(SetUserTier(ADMIN, user_of(one), 1, "volume"))
    assert venue.state.accounts[two].user.tier == 1
    assert refused(venue, SetFeeTiers(ADMIN, TIERS[:1], "cut")) is Code.INVALID_CLIENT_REQUEST
    assert refused(venue, SetUserTier(ADMIN, user_of(one), 2, "no such tier")) is Code.INVALID_CLIENT_REQUEST
    bad = (FeeTier("x", -1, 0), TIERS[1])
    assert refused(venue, SetFeeTiers(ADMIN, bad, "a rebate")) is Code.INVALID_CLIENT_REQUEST


def test_a_revoked_key_is_refused_from_that_seq_on() -> None:
    venue = Venue().open()
    account = venue.account({"USDC": 10**12})
    venue.expect(venue.limit(account, Side.BID, 9_000, 1))
    venue.expect(RevokeKey(ADMIN, venue.key(account), "lost"))
    assert refused(venue, venue.limit(account, Side.BID, 9_000, 1)) is Code.UNAUTHORIZED
    assert refused(venue, RevokeKey(ADMIN, venue.key(account), "lost")) is Code.RESOURCE_NOT_FOUND


def test_keys_must_be_well_formed_and_new() -> None:
    venue = Venue()
    account = venue.account({})
    for text in ("", "x" * 44, public_key(5)[:-1], public_key(5) + "="):
        assert refused(venue, AddKey(ADMIN, account, text, (Scope.READ,), reason="test")) is Code.INVALID_CLIENT_REQUEST
    [added] = venue.expect(AddKey(ADMIN, account, public_key(5), (Scope.READ,), reason="test"))
    assert isinstance(added, KeyAdded)
    assert (
        refused(venue, AddKey(ADMIN, account, public_key(5), (Scope.READ,), reason="test")) is Code.PRECONDITION_FAILED
    )
    assert (
        refused(venue, AddKey(ADMIN, AccountId(2), public_key(6), (Scope.READ,), reason="test"))
        is Code.INVALID_CLIENT_REQUEST
    )


def test_reasons_are_needed_and_bounded() -> None:
    venue = Venue()
    for reason in ("", "  ", "x" * 501):
        assert refused(venue, SetMode(ADMIN, Mode.CANCEL_ONLY, reason)) is Code.INVALID_CLIENT_REQUEST


def test_accounts_open_once_and_users_are_numbered_as_they_come() -> None:
    venue = Venue()
    account = venue.account({})
    assert user_of(account) == venue.state.last_user == len(venue.state.users) - 1
    again = OpenAccount(ADMIN, user_of(account), SubaccountId(0))
    assert refused(venue, again) is Code.PRECONDITION_FAILED
    assert refused(venue, OpenAccount(ADMIN, UserId(0), SubaccountId(3))) is Code.INVALID_CLIENT_REQUEST
    assert refused(venue, OpenAccount(ADMIN, UserId(12345))) is Code.INVALID_CLIENT_REQUEST
    assert refused(venue, OpenAccount(ADMIN, None, SubaccountId(70_000))) is Code.INVALID_CLIENT_REQUEST
    next_one = venue.account({})
    assert user_of(next_one) == user_of(account) + 1
    venue.state.last_user = UserId(MAX_USER)
    assert refused(venue, OpenAccount(ADMIN)) is Code.PRECONDITION_FAILED, "a u32 on the wire"
    venue.expect(SetPause(ADMIN, Pause.NEW_ACCOUNTS, True, "busy"))
    assert refused(venue, OpenAccount(ADMIN)) is Code.PRECONDITION_FAILED


def test_the_open_order_limit() -> None:
    venue = Venue(limits=Limits(open_orders_per_market=2)).open()
    account = venue.account({"USDC": 10**12, "SOL": 10**12})
    venue.expect(venue.limit(account, Side.BID, 9_000, 1))
    venue.expect(venue.limit(account, Side.BID, 9_000, 1))
    assert refused(venue, venue.limit(account, Side.BID, 9_000, 1)) is Code.ORDER_LIMIT
    venue.expect(venue.market(account, Side.BID, 1))


def test_value_bounds_where_a_market_sets_them() -> None:
    filters = MarketFilters(10_000, min_notional_atoms=10**6, max_notional_atoms=10**9, max_lots=5_000)
    venue = Venue(filters).open()
    account = venue.account({"USDC": 10**13, "SOL": 10**13})
    assert refused(venue, venue.limit(account, Side.BID, 9_999, 1)) is Code.INVALID_QUANTITY
    venue.expect(venue.limit(account, Side.BID, 10_000, 1))
    assert refused(venue, venue.limit(account, Side.BID, 10_000, 1_001)) is Code.INVALID_QUANTITY
    assert refused(venue, venue.market(account, Side.BID, 5_001)) is Code.INVALID_QUANTITY
    assert refused(venue, venue.market(account, Side.BID, quote_atoms=10**6 - 1)) is Code.INVALID_QUANTITY


def test_a_rule_version_changes_behaviour_from_its_seq_on_and_not_before() -> None:
    venue = Venue().open()
    account = venue.account({"USDC": 10**12, "SOL": 10**12})
    deep = venue.limit(account, Side.BID, 5_000, 1)
    assert refused(venue, deep) is Code.INVALID_PRICE
    venue.expect(ActivateRule(ADMIN, BAND_BY_SIDE, "deep bids harm nobody"))
    venue.expect(deep)
    assert refused(venue, venue.limit(account, Side.BID, 12_501, 1)) is Code.INVALID_PRICE
    assert refused(venue, venue.limit(account, Side.ASK, 7_499, 1)) is Code.INVALID_PRICE
    assert refused(venue, ActivateRule(ADMIN, BAND_BY_SIDE, "again")) is Code.PRECONDITION_FAILED
    assert refused(venue, ActivateRule(ADMIN, "no-such-rule", "r")) is Code.INVALID_CLIENT_REQUEST
    assert list(refold(venue.records).rules) == [BAND_BY_SIDE]


def test_huge_orders_are_refused_before_they_overflow() -> None:
    venue = Venue().open()
    account = venue.account({"USDC": 2**61, "SOL": 2**61})
    assert refused(venue, venue.limit(account, Side.BID, 10_000, 2**62)) is Code.INVALID_QUANTITY
    assert refused(venue, venue.limit(account, Side.ASK, 10_000, 2**60)) is Code.INVALID_QUANTITY
    assert refused(venue, venue.market(account, Side.BID, 2**60)) is Code.INVALID_QUANTITY
    assert refused(venue, CancelOrder(account, KeyId(1), SOL_USDC.symbol)) is Code.UNAUTHORIZED
