"""The core with the record behind it and nothing around it: commands in, events folded, lines out."""

import base64
from collections.abc import Sequence
from hashlib import blake2b
from itertools import cycle
from typing import Final

from exchange.core import State, decide, fold
from exchange.values.accounts.commands import AddKey, OpenAccount
from exchange.values.accounts.events import AccountOpened, KeyAdded
from exchange.values.commands import AnyCommand
from exchange.values.enums import Mode, OrderType, Role, Scope, Side
from exchange.values.events import AnyEvent
from exchange.values.ids import AccountId, KeyId, OrderId, id_at
from exchange.values.listings.specs import Limits, MarketFilters
from exchange.values.modes.commands import SetMode
from exchange.values.orders.commands import CancelOrder, PlaceOrder
from exchange.values.people.admins import AdminSpec
from exchange.values.process.events import Refused
from exchange.values.record import Record, encode
from tests.bench.flow import MID_TICKS, Kind, Step
from tests.venue import ADMIN, SOL, SOL_USDC, USDC, deposit, genesis

SPEC: Final = SOL_USDC
START_US: Final = 1_750_000_000_000_000
#: More than any flow here can spend.
DEPOSIT_ATOMS: Final = 10**13


class Refusal(AssertionError):
    """The core refused a command of the bench: the figure would be one of refusals."""


class Core:
    """Decides, folds and encodes; `lines` holds the unchained line of every record if `keep` is set."""

    def __init__(self, *, keep: bool = False) -> None:
        self.state = State()
        self.lines: list[bytes] = []
        self.keep = keep

    def run(self, command: AnyCommand) -> list[AnyEvent]:
        """One command and everything it causes.

        Raises:
            Refusal
        """
        state = self.state
        time_us = START_US + state.seq
        events = decide(state, time_us, command)
        if type(events[0]) is Refused:
            raise Refusal(f"{command}: {events[0]}")
        record = Record(state.seq + 1, time_us, command, events)
        fold(state, record)
        if self.keep:
            self.lines.append(encode(record))
        return events


def public_key(number: int) -> str:
    """Key material nobody signs with: 32 bytes told apart by `number`."""
    return base64.b64encode(blake2b(number.to_bytes(8, "big"), digest_size=32).digest()).decode()


def founded(*, keep: bool = False, venue_key: str = public_key(0)) -> Core:
    """One market, open."""
    core = Core(keep=keep)
    core.run(
        genesis(
            MarketFilters(reference_price_ticks=MID_TICKS),
            Limits(open_orders_per_market=5_000),
            venue_key=venue_key,
            founders=(AdminSpec("bench", public_key(1), tuple(Role)),),
        )
    )
    for mode in (Mode.POST_ONLY, Mode.FULL):
        core.run(SetMode(ADMIN, mode, "bench"))
    return core


def open_accounts(core: Core, count: int) -> list[tuple[AccountId, KeyId]]:
    """Funded accounts with a trading key each."""
    opened: list[tuple[AccountId, KeyId]] = []
    for number in range(count):
        (account_event,) = core.run(OpenAccount(ADMIN))
        assert isinstance(account_event, AccountOpened)
        account = account_event.account
        (key_event,) = core.run(AddKey(ADMIN, account, public_key(1_000 + number), (Scope.READ, Scope.TRADE)))
        assert isinstance(key_event, KeyAdded)
        for asset in (USDC, SOL):
            core.run(deposit(core.state, account, asset.symbol, DEPOSIT_ATOMS, f"{account} {asset.symbol}"))
        opened.append((account, key_event.key_id))
    return opened


class Translator:
    """Turns a flow into commands; remembers which order a step became, as cancels name it.

    Bids come from one half of the accounts and asks from the other, so that nobody meets himself.
    """

    def __init__(self, accounts: Sequence[tuple[AccountId, KeyId]]) -> None:
        half = len(accounts) // 2
        self.turns = {True: cycle(accounts[:half]), False: cycle(accounts[half:])}
        self.placed: dict[int, tuple[OrderId, tuple[AccountId, KeyId]]] = {}

    def commands(self, after_seq: int, steps: Sequence[Step]) -> list[AnyCommand]:
        """The steps as commands that will be recorded from `after_seq` + 1 on, without a gap."""
        return [self.command(seq, step) for seq, step in enumerate(steps, after_seq + 1)]

    def command(self, seq: int, step: Step) -> AnyCommand:
        if step.kind is Kind.CANCEL:
            order_id, owner = self.placed.pop(step.number)
            return CancelOrder(*owner, SPEC.symbol, order_id=order_id)
        owner = next(self.turns[step.is_bid])
        self.placed[step.number] = OrderId(id_at(seq)), owner
        side = Side.BID if step.is_bid else Side.ASK
        if step.kind is Kind.LIMIT:
            return PlaceOrder(*owner, SPEC.symbol, side, price_ticks=step.price_ticks, lots=step.lots)
        return PlaceOrder(*owner, SPEC.symbol, side, OrderType.MARKET, lots=step.lots)
