"""The venue that tests are about, in memory: the real core, records included, without a process around it.

This is the one place where tests found a venue; what lies on a disk or runs in a process is made of its records.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Self

from msgspec.structs import replace
from nacl.signing import SigningKey

from exchange.core import State, decide, fold, next_seq
from exchange.core.invariants import violations
from exchange.journal.signatures import sign
from exchange.values.accounts.commands import AddKey, OpenAccount
from exchange.values.accounts.events import AccountOpened, KeyAdded
from exchange.values.actors import senders
from exchange.values.commands import AnyCommand, TwoPeopleCommand
from exchange.values.enums import Mode, OrderType, ProposalEnd, Role, Scope, SelfTradePrevention, Side, TimeInForce
from exchange.values.events import AnyEvent
from exchange.values.ids import AccountId, AdminId, KeyId, OrderId, SubaccountId, UserId, id_at, user_of
from exchange.values.listings.specs import (
    AssetSpec,
    FeeTier,
    Limits,
    ListedMarket,
    MarketFilters,
    MarketSpec,
    spot_market,
)
from exchange.values.modes.commands import SetMode
from exchange.values.money.commands import CreditDeposit
from exchange.values.orders.commands import CancelAll, CancelOrder, PlaceOrder
from exchange.values.people.admins import AdminSpec
from exchange.values.people.events import CommandProposed, ProposalEnded
from exchange.values.process.commands import Genesis
from exchange.values.process.events import Refused
from exchange.values.record import Record, Signed

SOL = AssetSpec("SOL", 9, "Solana")
USDC = AssetSpec("USDC", 6, "USD Coin")
BEGIN_US = 1_750_000_000_000_000
#: Tick 0.01 USDC, step 0.01 SOL: one tick times one lot is 100 atoms of USDC.
SOL_USDC = spot_market(SOL, USDC, 10_000_000, 10_000_000)
FILTERS = MarketFilters(reference_price_ticks=10_000)
#: Maker 8 bps, taker 10 bps; and a tier with none.
TIERS = (FeeTier("VIP0", 800, 1_000), FeeTier("free", 0, 0))
ADMIN = AdminId(id_at(1, 1))
ALL_ROLES = (Role.OPERATOR, Role.APPROVER, Role.TREASURER, Role.SUPPORT, Role.AUDITOR)


def signing_key(number: int) -> SigningKey:
    """What signs for `public_key` of that number."""
    return SigningKey(number.to_bytes(32, "little"))


@lru_cache(None)
def public_key(number: int) -> str:
    """The public key (base64) of whoever is called by that number."""
    return b64encode(bytes(signing_key(number).verify_key)).decode()


def genesis(
    filters: MarketFilters = FILTERS,
    limits: Limits | None = None,
    auto_resume: bool = False,
    venue_key: str = public_key(1),
    founders: tuple[AdminSpec, ...] = (),
    assets: tuple[AssetSpec, ...] = (SOL, USDC),
    markets: tuple[MarketSpec, ...] = (SOL_USDC,),
) -> Genesis:
    return Genesis(
        "test venue",
        venue_key,
        assets,
        tuple(ListedMarket(spec, filters) for spec in markets),
        TIERS,
        founders or (AdminSpec("founder", public_key(2), ALL_ROLES),),
        limits or Limits(),
        auto_resume,
    )


def deposit(
    state: State, account: AccountId, asset: str, atoms: int, reference: str, admin: AdminId = ADMIN
) -> CreditDeposit:
    """What administrators credit next by hand."""
    source = state.sources.get("")
    return CreditDeposit(admin, account, asset, atoms, reference, 1 if source is None else source.number + 1)


class Venue:
    """The core with a clock that steps by a millisecond, and the records it made."""

    def __init__(
        self,
        filters: MarketFilters = FILTERS,
        limits: Limits | None = None,
        auto_resume: bool = False,
        venue_key: str = public_key(1),
        founders: tuple[AdminSpec, ...] = (),
        assets: tuple[AssetSpec, ...] = (SOL, USDC),
        markets: tuple[MarketSpec, ...] = (SOL_USDC,),
        begin_us: int = BEGIN_US,
        step_us: int = 1_000,
        signs: Iterable[SigningKey] = (),
    ) -> None:
        """Its first record, at `begin_us`, and no other; `step_us` lie between two records.

        With the keys of `signs` every command of their admins is signed.
        """
        self.state = State()
        self.records: list[Record] = []
        self.time_us = begin_us - step_us
        self.step_us = step_us
        self._signs = {b64encode(bytes(key.verify_key)).decode(): key for key in signs}
        self._keys: dict[AccountId, KeyId] = {}
        self.expect(genesis(filters, limits, auto_resume, venue_key, founders, assets, markets))

    def open(self) -> Self:
        """All modes FULL."""
        self.expect(SetMode(ADMIN, Mode.POST_ONLY, "test"))
        self.expect(SetMode(ADMIN, Mode.FULL, "test"))
        return self

    def do(self, command: AnyCommand, *signed: Signed) -> list[AnyEvent]:
        """Decide and fold one command; its events."""
        self.time_us += self.step_us
        events = decide(self.state, self.time_us, command)
        signed = signed or self._signed(command)
        record = Record(next_seq(self.state, command), self.time_us, command, events, signed)
        fold(self.state, record)
        self.records.append(record)
        return events

    def _signed(self, command: AnyCommand) -> tuple[Signed, ...]:
        if not self._signs:
            return ()
        if isinstance(command, Genesis):
            public_keys = [command.admins[0].public_key]
        else:
            public_keys = [self.state.admins[admin].public_key for admin in senders(command)]
        keys = [self._signs[public_key] for public_key in public_keys if public_key in self._signs]
        return tuple(sign(command, key, self.time_us) for key in keys)

    def expect(self, command: AnyCommand) -> list[AnyEvent]:
        """`do`, for a command that must be carried out."""
        events = self.do(command)
        assert not any(isinstance(event, Refused) for event in events), events
        return events

    def agree(self, command: TwoPeopleCommand, second: AdminId) -> list[AnyEvent]:
        """A command that two people ask for: whoever it names, then `second`; what it causes in the end."""
        [proposed] = self.expect(command)
        assert isinstance(proposed, CommandProposed), proposed
        ended, *carried_out = self.expect(replace(command, admin=second))
        assert ended == ProposalEnded(proposed.proposal, ProposalEnd.CONFIRMED)
        return carried_out

    def account(
        self, deposits: Mapping[str, int], subaccount_of: AccountId | None = None, subaccount: int = 0
    ) -> AccountId:
        """A new account with a trading key and so many atoms of each asset."""
        user: UserId | None = None if subaccount_of is None else user_of(subaccount_of)
        [opened] = self.expect(OpenAccount(ADMIN, user, SubaccountId(subaccount)))
        assert isinstance(opened, AccountOpened)
        scopes = (Scope.READ, Scope.TRADE)
        key = AddKey(ADMIN, opened.account, public_key(1_000 + self.state.seq), scopes, reason="test")
        [added] = self.expect(key)
        assert isinstance(added, KeyAdded)
        self._keys[opened.account] = added.key_id
        for asset, atoms in deposits.items():
            self.expect(deposit(self.state, opened.account, asset, atoms, f"deposit {self.state.seq}"))
        return opened.account

    def key(self, account: AccountId) -> KeyId:
        return self._keys[account]

    def limit(
        self,
        account: AccountId,
        side: Side,
        price_ticks: int,
        lots: int,
        time_in_force: TimeInForce = TimeInForce.GTC,
        post_only: bool = False,
        client_id: int | None = None,
        stp: SelfTradePrevention = SelfTradePrevention.REJECT_TAKER,
    ) -> PlaceOrder:
        return PlaceOrder(
            account,
            self._keys[account],
            SOL_USDC.symbol,
            side,
            OrderType.LIMIT,
            price_ticks,
            lots,
            time_in_force=time_in_force,
            post_only=post_only,
            client_id=client_id,
            self_trade_prevention=stp,
        )

    def market(
        self,
        account: AccountId,
        side: Side,
        lots: int = 0,
        quote_atoms: int = 0,
        stp: SelfTradePrevention = SelfTradePrevention.REJECT_TAKER,
        time_in_force: TimeInForce = TimeInForce.GTC,
        slippage_ticks: int | None = None,
        slippage_ppm: int | None = None,
        client_id: int | None = None,
    ) -> PlaceOrder:
        return PlaceOrder(
            account,
            self._keys[account],
            SOL_USDC.symbol,
            side,
            OrderType.MARKET,
            lots=lots,
            quote_atoms=quote_atoms,
            self_trade_prevention=stp,
            time_in_force=time_in_force,
            slippage_ticks=slippage_ticks,
            slippage_ppm=slippage_ppm,
            client_id=client_id,
        )

    def cancel(self, account: AccountId, order_id: OrderId) -> CancelOrder:
        return CancelOrder(account, self._keys[account], SOL_USDC.symbol, order_id)

    def cancel_client_id(self, account: AccountId, client_id: int) -> CancelOrder:
        return CancelOrder(account, self._keys[account], SOL_USDC.symbol, client_id=client_id)

    def cancel_all(self, account: AccountId) -> CancelAll:
        return CancelAll(account, self._keys[account], SOL_USDC.symbol)

    def balance(self, account: AccountId, asset: str) -> tuple[int, int]:
        """(available, locked) atoms."""
        held = self.state.accounts[account].balances.get(asset)
        return (held.available_atoms, held.locked_atoms) if held is not None else (0, 0)

    def check(self) -> None:
        """All invariants hold."""
        assert violations(self.state) == []


def refold(records: Iterable[Record]) -> State:
    """The state that a recovery from genesis gives."""
    state = State()
    for record in records:
        fold(state, record)
    return state
