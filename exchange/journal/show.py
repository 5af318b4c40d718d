"""`exchange journal show`: records for a person to read."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from exchange.journal import snapshots
from exchange.journal.errors import SegmentError, SnapshotDamaged, UnknownFormat
from exchange.journal.store import JournalReader
from exchange.values.commands import Command, CreditDeposit
from exchange.values.enums import Side
from exchange.values.events import AssetListed, Event, Leg, MarketListed, OrderDone, OrderRested, Traded
from exchange.values.ids import AccountId, OrderId, seq_of
from exchange.values.numbers import E9, format_decimal
from exchange.values.record import Record
from exchange.values.specs import AssetSpec, MarketSpec

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
) -> Iterator[str]:
    """Records as text, some lines each, checked against the chain; those that name an account or an order, if given.

    Amounts are in units of their asset where the listing is known, in atoms, ticks and lots where it isn't.

    Raises:
        NoJournal, UnknownFormat, JournalDamaged (after the records before the damage), SegmentError
    """
    wanted = [] if account is None else [re.compile(rb'"(?:taker_|maker_)?account":%d[,}]' % account)]
    if order is not None:
        wanted.append(re.compile(rb'"(?:taker_|maker_)?order_id":%d[,}]' % order))
        from_seq = max(from_seq, seq_of(order))
    with JournalReader(data_dir) as reader:
        units = _Units()
        units.learn_listings(data_dir, reader)
        for batch in reader.checked_batches(max(from_seq, 1), to_seq):
            for line, record in zip(batch.lines, batch.records, strict=True):
                units.learn(record)
                if all(pattern.search(line) for pattern in wanted):
                    yield units.text(record)


class _Units:
    """Turns whole numbers back into amounts; knows the listings met so far."""

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
            self._assets |= state.assets
            self._markets |= {symbol: market.spec for symbol, market in state.markets.items()}
            return
        try:
            for record in reader.records(1, min(1, reader.last()[0])):
                self.learn(record)
        except SegmentError:
            return

    def learn(self, record: Record) -> None:
        for event in record.events:
            if type(event) is AssetListed:
                self._assets[event.asset.symbol] = event.asset
            elif type(event) is MarketListed:
                self._markets[event.spec.symbol] = event.spec

    def text(self, record: Record) -> str:
        stamp = datetime.fromtimestamp(record.time_us // 10**6, UTC)
        head = f"#{record.seq}  {stamp:%Y-%m-%d %H:%M:%S}.{record.time_us % 10**6:06d} UTC"
        lines = [f"{head}  {self._statement(record.command)}"]
        lines += [f"    {self._statement(event)}" for event in record.events]
        return "\n".join(lines)

    def _statement(self, said: Command | Event) -> str:
        words = [type(said).__name__]
        market = self._markets.get(getattr(said, "market", None) or "")
        for field in msgspec.structs.fields(said):
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
        asset = self._assets.get(leg.asset)
        amount = format_decimal(leg.atoms, asset.decimals) if asset else f"{leg.atoms} atoms"
        return f"[account={leg.account} {leg.bucket} {amount} {leg.asset}]"


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
        return market.quote if said.side is Side.BID else market.base
    if isinstance(said, Traded):
        # Each pays the fee out of what they receive: the buyer base, the seller quote.
        buys = (said.taker_side is Side.BID) == (name == "taker_fee_atoms")
        return market.base if buys else market.quote
    return None


def _plain(value: Any) -> str:
    if isinstance(value, str | int):
        return str(value)
    return msgspec.json.encode(value).decode()
