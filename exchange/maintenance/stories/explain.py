"""The story of an order, an account or an asset, from records alone: what happened to it, when, and by whom.

Every entry names its record, the command and who sent it, the facts that concern the subject, and
each balance they moved with what it came to.
"""

from collections import Counter
from pathlib import Path
from typing import Final

from exchange.core import State
from exchange.core.ledger import postings, touched
from exchange.core.money.posting import overdrawn
from exchange.core.orders.sides import maker_side, taker_side
from exchange.journal.recovery import Progress
from exchange.journal.show import Units
from exchange.maintenance.evidence.reading import Span, read
from exchange.maintenance.evidence.statements import queue_places, totals
from exchange.maintenance.stories.story import Story, Teller, UnknownSubject
from exchange.values.actors import actor
from exchange.values.commands import AnyCommand
from exchange.values.enums import Holder
from exchange.values.events import AnyEvent
from exchange.values.ids import AccountId, OrderId, id_at, seq_of, user_of
from exchange.values.money.holdings import holder
from exchange.values.orders.commands import PlaceOrder
from exchange.values.orders.events import IncomingOrder, OrderDone, OrderRested, Traded
from exchange.values.process.events import Faulted, Refused
from exchange.values.record import Record, carried_out, placed_order

#: Accounts named as the holders of an asset.
MAX_HOLDERS: Final = 20
#: Told of an asset in sum.
_TRADING: Final = (OrderRested, Traded, OrderDone)


# --- an order ------------------------------------------------------------------------------------------------


def explain_order(data_dir: Path, order_id: OrderId, span: Span, progress: Progress | None = None) -> Story:
    """From its placing to the last record that names it, a cancel that came too late included.

    Raises:
        UnknownSubject, JournalError
    """
    teller = Teller()
    placed_seq = seq_of(order_id)
    facts = _OrderFacts(order_id)

    def see(state: State, record: Record) -> None:
        command = record.command
        about = [event for event in record.events if _names_order(event, order_id)]
        if record.seq == placed_seq and (asked := _asked_for(record, order_id)) is not None:
            facts.placed = (command, asked.account)
            came = carried_out(record.events)
            about = [each for each in record.events if each is asked or not came or _names_order(each, order_id)]
        elif getattr(command, "order_id", None) == order_id:
            about = about or list(record.events)
        elif not about:
            return
        facts.see(state, record.seq, about)
        owner = _owner(about, order_id, command)
        teller.tell(state, record, about, lambda event, leg: leg.account == owner and _names_order(event, order_id))

    from_seq = min(max(span.from_seq, placed_seq), span.to_seq)
    state = read(data_dir, Span(from_seq, span.to_seq), see, progress)
    return teller.story(f"order {order_id}", span, state, facts.summary)


def _asked_for(record: Record, order_id: OrderId) -> IncomingOrder | None:
    """The terms under which this order came in with its record, or was to."""
    if id_at(record.seq) != order_id:
        return None
    command = record.command
    return command if type(command) is PlaceOrder else placed_order(command, record.events)


def _names_order(event: AnyEvent, order_id: OrderId) -> bool:
    if type(event) is Traded:
        return order_id in (event.taker_order_id, event.maker_order_id)
    return getattr(event, "order_id", None) == order_id


def _owner(about: list[AnyEvent], order_id: OrderId, command: AnyCommand) -> AccountId | None:
    for event in about:
        if type(event) is Traded:
            return event.taker_account if event.taker_order_id == order_id else event.maker_account
        if hasattr(event, "account"):
            return AccountId(event.account)
    return getattr(command, "account", None)


class _OrderFacts:
    """What became of an order, in sum."""

    def __init__(self, order_id: OrderId) -> None:
        self._order_id = order_id
        #: The command that brought it, and the account it is of.
        self.placed: tuple[AnyCommand, AccountId] | None = None
        self._never_came_in = ""
        self._trades = self._lots = self._quote_atoms = 0
        self._fees: Counter[str] = Counter()
        self._market = ""
        self._ended: str | None = None

    def see(self, state: State, seq: int, about: list[AnyEvent]) -> None:
        for event in about:
            if type(event) is Traded:
                self._traded(state, seq, event)
            elif type(event) is OrderDone:
                reason = event.cancel_reason or event.expiry_reason
                self._ended = f"{event.status}{f' ({reason})' if reason else ''} in record {seq}"
            elif type(event) is Refused and seq == seq_of(self._order_id):
                self._never_came_in = f"Refused: {event.code}, {event.message}"
            elif type(event) is Faulted and seq == seq_of(self._order_id):
                self._never_came_in = f"Met a fault of the exchange's, {event.error_id}"

    def _traded(self, state: State, seq: int, event: Traded) -> None:
        self._market = event.market
        self._trades += 1
        self._lots += event.lots
        self._quote_atoms += event.quote_atoms
        of_side = taker_side if event.taker_order_id == self._order_id else maker_side
        side = of_side(state.markets[event.market].spec, event)
        self._fees[side.fee_asset] += side.fee_atoms
        if side.is_maker and not event.maker_left_lots:
            self._ended = f"Filled in record {seq}"

    def summary(self, state: State, units: Units) -> list[str]:
        lines = []
        if self.placed is not None:
            command, account = self.placed
            lines.append(f"Placed in record {seq_of(self._order_id)} by account {account}, {actor(command)}.")
        if self._never_came_in:
            return [*lines, f"{self._never_came_in}. There never was such an order."]
        if self._trades:
            spec = state.markets[self._market].spec
            fees = [units.amount(asset, atoms) for asset, atoms in self._fees.items()]
            lines.append(
                f"Traded {units.quantity(self._market, self._lots)} for {units.amount(spec.quote, self._quote_atoms)}"
                f" in {self._trades} trade{'s' * (self._trades > 1)}, fees {' and '.join(fees)}."
            )
        order = state.orders.get(self._order_id)
        if order is not None:
            ahead, lots_ahead = queue_places(state)[self._order_id]
            symbol = order.market.symbol
            lines.append(
                f"Open as of record {state.seq}: {order.side} at {units.price(symbol, order.price_ticks)},"
                f" {units.quantity(symbol, order.left_lots)} left, {ahead} orders"
                f" with {units.quantity(symbol, lots_ahead)} ahead of it at its price."
            )
        elif self._ended is not None:
            lines.append(f"Ended: {self._ended}.")
        return lines


# --- an account -----------------------------------------------------------------------------------------------


def explain_account(data_dir: Path, account: AccountId, span: Span, progress: Progress | None = None) -> Story:
    """Every change of its balances, orders, keys, settings and tier, and what it asked for in vain.

    Raises:
        UnknownSubject, JournalError
    """
    teller = Teller()
    counted: Counter[str] = Counter()

    def see(state: State, record: Record) -> None:
        about = [event for event in record.events if _concerns(state, event, account)]
        asked = getattr(record.command, "account", None) == account
        if not about and not asked:
            return
        about = about or ([] if carried_out(record.events) else list(record.events))
        for event in about:
            counted["refused" if type(event) is Refused else type(event).__name__] += 1
        placed = placed_order(record.command, record.events)
        counted["orders"] += placed is not None and placed.account == account
        teller.tell(state, record, about, lambda _, leg: leg.account == account)

    def summary(state: State, units: Units) -> list[str]:
        lines = [
            f"{counted['orders']} orders placed, {counted['Traded']} fills, {counted['Posted']} postings,"
            f" {counted['refused']} commands refused."
        ]
        if (found := state.accounts.get(account)) is None:
            return lines
        lines += [
            f"{units.amount(asset, held.available_atoms)} available, {units.amount(asset, held.locked_atoms)} locked."
            + " THAT MAY NOT BE BELOW ZERO." * overdrawn(state, account, asset, held)
            for asset, held in sorted(found.balances.items())
        ]
        lines += [
            f"Order {order.order_id} is open: {order.side} {units.quantity(order.market.symbol, order.left_lots)}"
            f" at {units.price(order.market.symbol, order.price_ticks)} on {order.market.symbol}."
            for _, order in sorted(found.orders.items())
        ]
        return [*lines, f"Fee tier {found.user.tier}. All as of record {state.seq}."]

    state = read(data_dir, span, see, progress)
    return teller.story(f"account {account}", span, state, summary)


def _concerns(state: State, event: AnyEvent, account: AccountId) -> bool:
    if (user := getattr(event, "user", None)) is not None:
        return bool(user == user_of(account))
    return account in touched(state, event)


# --- an asset ---------------------------------------------------------------------------------------------------


def explain_asset(data_dir: Path, asset: str, span: Span, progress: Progress | None = None) -> Story:
    """What came in from outside and what was decided about it, record by record; what trading moved, in sum.

    Raises:
        UnknownSubject, JournalError
    """
    teller = Teller()
    moved: Counter[str] = Counter()
    postings_of: Counter[str] = Counter()
    trades: Counter[str] = Counter()

    def see(state: State, record: Record) -> None:
        for event in record.events:
            legs = [(kind, leg) for kind, leg in postings(state, event) if leg.asset == asset]
            for kind, leg in legs:
                if leg.atoms > 0:
                    moved[kind] += leg.atoms
                    postings_of[kind] += 1
            if type(event) is Traded and legs:
                trades[event.market] += 1
        about = [event for event in record.events if _about_asset(state, event, asset)]
        if about:
            teller.tell(state, record, about, lambda event, leg: leg.asset == asset and type(event) not in _TRADING)

    def summary(state: State, units: Units) -> list[str]:
        lines = [
            f"{kind}: {postings_of[kind]} postings that moved {units.amount(asset, atoms)}."
            for kind, atoms in sorted(moved.items())
        ]
        lines += [f"{market}: {count} trades." for market, count in sorted(trades.items())]
        [total] = [each for each in totals(state) if each.asset == asset]
        lines.append(
            f"As of record {state.seq}: users {units.amount(asset, total.users_atoms)}, the venue's own accounts"
            f" {units.amount(asset, total.venue_atoms)}, clearing {units.amount(asset, total.clearing_atoms)},"
            f" custody {units.amount(asset, -total.custody_atoms)}."
        )
        over = total.over_atoms
        lines.append("They balance." if not over else f"THEY DO NOT BALANCE: {units.amount(asset, over)} too much.")
        holders = sorted(
            ((account_id, held.available_atoms + held.locked_atoms)
             for account_id, account in state.accounts.items()
             if holder(account_id) is not Holder.CUSTODY and (held := account.balances.get(asset)) is not None),
            key=lambda holding: (-abs(holding[1]), holding[0]),
        )  # fmt: skip
        lines += [
            f"Account {account_id} holds {units.amount(asset, atoms)}." for account_id, atoms in holders[:MAX_HOLDERS]
        ]
        return lines + [f"And {len(holders) - MAX_HOLDERS} more accounts."] * (len(holders) > MAX_HOLDERS)

    state = read(data_dir, span, see, progress)
    if asset not in state.assets:
        raise UnknownSubject(f"asset {asset} is not listed as of record {state.seq}")
    return teller.story(f"asset {asset}", span, state, summary)


def _about_asset(state: State, event: AnyEvent, asset: str) -> bool:
    if type(event) in _TRADING:
        return False
    if any(leg.asset == asset for _, leg in postings(state, event)):
        return True
    named = getattr(event, "asset", None)
    return asset in (named, getattr(named, "symbol", None))
