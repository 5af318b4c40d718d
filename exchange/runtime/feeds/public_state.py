"""What anybody may read without waiting: listings, modes, keys, admins, as of the durable seq.

The gateway asks for these on every request, so they are ready-made views; a change is computed
with the record that makes it and put in place when that record is durable.
"""

from typing import Final

import msgspec

from exchange.core.accounts.view import key_view
from exchange.core.listings.view import market_view
from exchange.core.machine import EVENTS
from exchange.core.modes.view import status_view
from exchange.core.people.view import people_view
from exchange.core.state import State
from exchange.runtime.core.outbox import Outbox
from exchange.runtime.feeds.market_data import Watcher
from exchange.values.accounts.events import KeyRevoked
from exchange.values.accounts.views import KeyView
from exchange.values.enums import AssetKind
from exchange.values.events import AnyEvent
from exchange.values.ids import KeyId, seq_of
from exchange.values.listings.specs import AssetSpec
from exchange.values.listings.views import MarketView
from exchange.values.modes.views import ConditionView, StatusView
from exchange.values.people.views import AdminView, PeopleView
from exchange.values.windows.views import VerificationView

_SHOWN: Final = frozenset(kind for kind, row in EVENTS.items() if row.shown)


class _Shown(msgspec.Struct, frozen=True):
    """Everything but the keys, at one seq."""

    assets: tuple[AssetSpec, ...]
    all_assets: tuple[AssetSpec, ...]
    markets: dict[str, MarketView]
    admins: dict[str, AdminView]
    people: PeopleView
    status: StatusView


class PublicState:
    """`see` every event that is folded, `flush` at the end of a commit batch; `watcher` hears of a new status."""

    def __init__(self, state: State, outbox: Outbox) -> None:
        self._state = state
        self._outbox = outbox
        self._changed = False
        self._shown = self._now()
        self._last_prices = {market.symbol: market.last_price_ticks for market in state.markets.values()}
        # Keys somebody has used; the others are found in the state, which may hold very many.
        self._keys: dict[str, KeyView] = {}
        self.watcher: Watcher | None = None
        self._verification: VerificationView | None = None
        #: By who says them.
        self._conditions: dict[str, tuple[ConditionView, ...]] = {}

    # --- reading ---

    @property
    def assets(self) -> tuple[AssetSpec, ...]:
        """The coins."""
        return self._shown.assets

    @property
    def all_assets(self) -> tuple[AssetSpec, ...]:
        return self._shown.all_assets

    @property
    def markets(self) -> dict[str, MarketView]:
        return self._shown.markets

    @property
    def admins(self) -> dict[str, AdminView]:
        """By public key."""
        return self._shown.admins

    @property
    def people(self) -> PeopleView:
        return self._shown.people

    @property
    def status(self) -> StatusView:
        return self._as_it_is(self._shown.status)

    def key(self, public_key: str) -> KeyView | None:
        """A key is there from when its record is durable until its revocation is; commands meet the live state."""
        view = self._keys.get(public_key)
        if view is None:
            key_id = self._state.key_ids.get(public_key)
            if key_id is None or seq_of(key_id) > self._outbox.durable_seq:
                return None
            view = self._keys[public_key] = key_view(self._state.keys[key_id])
        return view

    # --- changing ---

    def see(self, event: AnyEvent) -> None:
        if type(event) is KeyRevoked:
            self._outbox.stage(self._state.seq, self._forget_key, event.key_id)
        elif type(event) in _SHOWN:
            self._changed = True

    def touched(self, symbol: str) -> None:
        """A commit batch touched the market's book: show its last price if that has changed."""
        market = self._state.markets[symbol]
        if self._last_prices.get(symbol) != market.last_price_ticks:
            self._last_prices[symbol] = market.last_price_ticks
            self._outbox.stage(self._state.seq, self._show_market, market_view(self._state, market))

    def flush(self) -> None:
        if not self._changed:
            return
        self._changed = False
        shown = self._now()
        self._outbox.stage(self._state.seq, self._show, shown)
        if self.watcher is not None:
            self._outbox.stage(self._state.seq, self._tell, shown.status)

    def show_progress(self, verification: VerificationView | None) -> None:
        """How far a certificate in the making is; None: none is being made."""
        if verification != self._verification:
            self._verification = verification
            self._tell(self._shown.status)

    def show_conditions(self, said_by: str, conditions: tuple[ConditionView, ...]) -> None:
        """All that `said_by` knows to keep the process from its full service, in place of what it said before.

        The stream hears of a change, not of every second of it.
        """
        before = self._conditions.get(said_by, ())
        self._conditions[said_by] = conditions
        if [(each.part, each.stops_orders) for each in conditions] != [
            (each.part, each.stops_orders) for each in before
        ]:
            self._tell(self._shown.status)

    def _tell(self, status: StatusView) -> None:
        if self.watcher is not None:
            self.watcher(self._as_it_is(status))

    def _as_it_is(self, status: StatusView) -> StatusView:
        """With what isn't on record: progress, and conditions of this process."""
        if conditions := tuple(each for said in self._conditions.values() for each in said):
            status = msgspec.structs.replace(status, conditions=conditions)
        if self._verification is None:
            return status
        maintenance = msgspec.structs.replace(status.maintenance, verification=self._verification)
        return msgspec.structs.replace(status, maintenance=maintenance)

    def _now(self) -> _Shown:
        state = self._state
        people = people_view(state)
        return _Shown(
            tuple(asset for asset in state.assets.values() if asset.kind is AssetKind.COIN),
            tuple(state.assets.values()),
            {market.symbol: market_view(state, market) for market in state.markets.values()},
            {admin.public_key: admin for admin in people.admins},
            people,
            status_view(state),
        )

    def _show(self, shown: _Shown) -> None:
        self._shown = shown

    def _show_market(self, view: MarketView) -> None:
        self._shown.markets[view.spec.symbol] = view

    def _forget_key(self, key_id: KeyId) -> None:
        for public_key, view in self._keys.items():
            if view.key_id == key_id:
                del self._keys[public_key]
                return
