"""`exchange journal show`: records for a person to read."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from exchange.core import State
from exchange.core.orders.sides import maker_side, paid_asset, taker_side
from exchange.journal import snapshots
from exchange.journal.errors import SegmentError, SnapshotDamaged, UnknownFormat
from exchange.journal.store import JournalReader
from exchange.values.base import Command, Event
from exchange.values.ids import AccountId, OrderId, seq_of
from exchange.values.listings.events import AssetListed, MarketListed
from exchange.values.listings.specs import AssetSpec, MarketSpec
from exchange.values.money.commands import CreditDeposit
from exchange.values.money.events import Leg
from exchange.values.numbers import E9, format_decimal
from exchange.values.orders.events import OrderDone, OrderRested, Traded
from exchange.values.record import Record
from exchange.values.text import visible
from exchange.values.times import stamp

#: Fields counted in ticks or lots, and what they are called in units.
_TICKS = {"price_ticks": "price"}
_LOTS = {"lots": "quantity", "left_lots": "left", "maker_left_lots": "maker_left"}


def show(
    data_dir: Path,
    *,
    from_seq: int = 1,
    to_seq: int | None = None,
    account: AccountId | None = None,
    order: OrderId | None = None,
    as_json: bool = False,
) -> Iterator[str]:
    """Records as text, some lines each, checked against the chain; those that name an account or an order, if given.

    Amounts are in units of their asset where the listing is known, in atoms, ticks and lots where it isn't;
    `as_json`: the records as they are kept, a line each.

    Raises:
        NoJournal, UnknownFormat, JournalDamaged (after the records before the damage), SegmentError
    """
    wanted = [] if account is None else [re.compile(rb'"(?:taker_|maker_)?account":%d[,}]' % account)]
    if order is not None:
        wanted.append(re.compile(rb'"(?:taker_|maker_)?order_id":%d[,}]' % order))
        from_seq = max(from_seq, seq_of(order))
    with JournalReader(data_dir) as reader:
        units = Units()
        units.learn_listings(data_dir, reader)
        for batch in reader.checked_batches(max(from_seq, 1), to_seq):
            for line, record in zip(batch.lines, batch.records, strict=True):
                units.learn(record)
                if all(pattern.search(line) for pattern in wanted):
                    yield visible(line.decode()) if as_json else units.text(record)


def head(seq: int, time_us: int) -> str:
    """What the text of a record begins with."""
    return f"#{seq}  {stamp(time_us)}"


class Units:
    """Turns whole numbers back into amounts, and facts into text; knows the listings met so far."""

    def __init__(self) -> None:
        self._assets: dict[str, AssetSpec] = {}
        self._markets: dict[str, MarketSpec] = {}

    def learn_listings(self, data_dir: Path, reader: JournalReader) -> None:
        """From the newest good snapshot, or from the first record."""
        for path in snapshots.newest_first(data_dir):
            try:
                _, state = snapshots.load(path)
            except (SnapshotDamaged, UnknownFormat):
                continue
            self.learn_state(state)
            return
        try:
            for record in reader.records(1, min(1, reader.last()[0])):
                self.learn(record)
        except SegmentError:
            return

    def learn_state(self, state: State) -> None:
        self._assets |= state.assets
        self._markets |= {symbol: market.spec for symbol, market in state.markets.items()}

    def learn(self, record: Record) -> None:
        for event in record.events:
            if type(event) is AssetListed:
                self._assets[event.asset.symbol] = event.asset
            elif type(event) is MarketListed:
                self._markets[event.spec.symbol] = event.spec

    def text(self, record: Record) -> str:
        lines = [f"{head(record.seq, record.time_us)}  {self.statement(record.command)}"]
        lines += [f"    {self.statement(event)}" for event in record.events]
        return "\n".join(lines)

    def amount(self, asset: str, atoms: int) -> str:
        """An amount with its asset, such as "1.5 SOL"."""
        spec = self._assets.get(asset)
        return f"{format_decimal(atoms, spec.decimals)} {asset}" if spec else f"{atoms} atoms {asset}"

    def price(self, market: str, ticks: int) -> str:
        return format_decimal(ticks * self._markets[market].tick_e9, _E9_DECIMALS)

    def quantity(self, market: str, lots: int) -> str:
        """A quantity with its asset."""
        spec = self._markets[market]
        return f"{format_decimal(lots * spec.step_e9, _E9_DECIMALS)} {spec.base}"

    def statement(self, said: Command | Event) -> str:
        """A command or an event in one line, with its fields in units."""
        words = [type(said).__name__]
        market = self._markets.get(getattr(said, "market", None) or "")
        for field in _fields(type(said)):
            value = getattr(said, field.name)
            if value == field.default:
                continue
            words.append(self._field(said, market, field.name, value))
        return " ".join(words)

    def _field(self, said: Command | Event, market: MarketSpec | None, name: str, value: Any) -> str:
        if name == "legs":
            return " ".join(self._leg(leg) for leg in value)
        if market is not None and name in _TICKS:
            return f"{_TICKS[name]}={format_decimal(value * market.tick_e9, _E9_DECIMALS)}"
        if market is not None and name in _LOTS:
            return f"{_LOTS[name]}={format_decimal(value * market.step_e9, _E9_DECIMALS)}"
        asset = self._assets.get(_asset_of(said, market, name) or "")
        if asset is not None and name.endswith("atoms"):
            return f"{name.removesuffix('_atoms')}={format_decimal(value, asset.decimals)} {asset.symbol}"
        return f"{name}={_plain(value)}"

    def _leg(self, leg: Leg) -> str:
        return f"[account={leg.account} {leg.bucket} {self.amount(leg.asset, leg.atoms)}]"


#: Looking them up anew for each fact would take longer than saying it; there are as many as kinds of facts.
_fields = cache(msgspec.structs.fields)
_E9_DECIMALS = len(str(E9)) - 1


def _asset_of(said: Command | Event, market: MarketSpec | None, name: str) -> str | None:
    """The asset a field of atoms counts."""
    if isinstance(said, CreditDeposit):
        return said.asset
    if market is None:
        return None
    if name in ("base_atoms", "quote_atoms", "filled_quote_atoms"):
        return market.base if name == "base_atoms" else market.quote
    if isinstance(said, OrderRested | OrderDone):
        return paid_asset(market, said.side)
    if isinstance(said, Traded):
        return (taker_side if name == "taker_fee_atoms" else maker_side)(market, said).fee_asset
    return None


def _plain(value: Any) -> str:
    # A record holds what somebody wrote: on a terminal it must not be more than text.
    return visible(str(value) if isinstance(value, str | int) else msgspec.json.encode(value).decode())
