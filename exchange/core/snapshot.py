"""The whole state as bytes, and back.

Canonical and versioned: the same state gives the same bytes in every process and build, whatever
the layout in memory. One line of JSON for the venue, then one per account by id, open orders with
their account. The queue of a price level needs no mention: it is its orders by rising id
(`core.book`).
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from exchange.core.images import AccountImage, EndedImage, KeyImage, MarketImage, OrderImage, VenueImage, WindowImage
from exchange.core.orders.book import Order
from exchange.core.state import Account, Balance, Key, Market, State, Window
from exchange.values.enums import Side
from exchange.values.ids import VENUE_ACCOUNTS

FORMAT: Final = 1


class SnapshotError(ValueError):
    """Bytes that are not a snapshot this build reads."""


_encode = msgspec.json.Encoder().encode
_decode_venue = msgspec.json.Decoder(VenueImage).decode
_decode_account = msgspec.json.Decoder(AccountImage).decode


def venue_line(state: State) -> bytes:
    """Everything that belongs to no account."""
    return _encode(
        VenueImage(
            format=FORMAT,
            seq=state.seq,
            time_us=state.time_us,
            epoch=state.epoch,
            venue=state.venue,
            venue_public_key=state.venue_public_key,
            assets=tuple(state.assets.values()),
            markets=tuple(_market_image(market) for market in state.markets.values()),
            fee_tiers=state.fee_tiers,
            limits=state.limits,
            auto_resume=state.auto_resume,
            rules=tuple(sorted(state.rules)),
            tiers=tuple(sorted((user.user_id, user.tier) for user in state.users.values() if user.tier)),
            admins=tuple((admin, state.admins[admin], state.added_by[admin]) for admin in sorted(state.admins)),
            references=tuple(sorted(state.references.items())),
            mode=state.venue_mode,
            mode_reason=state.mode_reason,
            mode_changed_us=state.mode_changed_us,
            pauses=tuple(sorted((pause, asset, reason) for (pause, asset), reason in state.pauses.items())),
            build=state.build,
            stopped=state.stopped,
            resume_mode=state.resume_mode,
            # Work is due in this order, so the order is part of the state.
            orphaned=tuple(state.orphaned),
            mode_seq=state.mode_seq,
            trading_seq=state.trading_seq,
            posted_seq=state.posted_seq,
            started_seq=state.started_seq,
            frozen_since_us=state.frozen_since_us,
            frozen_us=state.frozen_us,
            venue_keys=state.venue_keys,
            windows=tuple(_window_image(window) for window in state.windows.values()),
            certificates=tuple(state.certificates.items()),
            issued=tuple(state.issued.items()),
            approvals=tuple((of, tuple(admins)) for of, admins in state.approvals.items()),
            waivers=tuple((of, gate, tuple(admins)) for (of, gate), admins in state.waivers.items()),
            failed_gates=state.failed_gates,
            losses=state.losses,
            proposals=tuple(state.proposals.values()),
            spent_keys=tuple(sorted(state.spent_keys)),
            unheard=tuple(sorted(state.unheard)),
            ended_count=state.ended_client_ids.count,
        )
    )


def _market_image(market: Market) -> MarketImage:
    return MarketImage(
        market.spec,
        market.filters,
        market.listed_us,
        market.mode,
        market.mode_reason,
        market.last_price_ticks,
        market.trade_id,
        market.update_id,
        market.mode_changed_us,
        market.mode_seq,
        market.trading_seq,
    )


def _window_image(window: Window) -> WindowImage:
    return WindowImage(
        window.window_id,
        window.plan,
        window.stage,
        window.reason,
        window.stage_us,
        window.begun,
        window.closed,
        window.closing_id,
        window.waiting,
        window.canary_open,
    )


def account_line(account: Account) -> bytes:
    """One account with its balances, keys and open orders."""
    return _encode(
        AccountImage(
            account.account_id,
            account.label,
            tuple(
                (asset, balance.available_atoms, balance.locked_atoms)
                for asset, balance in sorted(account.balances.items())
            ),
            tuple(_order_image(order) for _, order in sorted(account.orders.items())),
            tuple(
                KeyImage(key.key_id, key.public_key, key.scopes, key.label) for _, key in sorted(account.keys.items())
            ),
            account.settings,
            account.cancel_all_after_us,
            # They become orphaned in this order.
            tuple(account.armed_sessions),
            account.changed_seq,
            tuple(_ended_images(account)),
            account.user.keyed,
        )
    )


def _ended_images(account: Account) -> Iterable[EndedImage]:
    for number, order_id, ended_us, _, (market, client_id) in (account.ended_client_ids or {}).values():
        yield EndedImage(number, order_id, ended_us, market, client_id)


def _order_image(order: Order) -> OrderImage:
    return OrderImage(
        order.order_id,
        order.market.symbol,
        order.side,
        order.price_ticks,
        order.lots,
        order.left_lots,
        order.reserved_atoms,
        order.filled_quote_atoms,
        order.post_only,
        order.self_trade_prevention,
        order.client_id,
        order.created_us,
        order.cancel_at_close,
    )


def dump(state: State) -> bytes:
    """The snapshot; each line ends in a newline."""
    lines = [venue_line(state)]
    lines.extend(account_line(account) for _, account in sorted(state.accounts.items()))
    lines.append(b"")
    return b"\n".join(lines)


def load(data: bytes) -> State:
    """The state a snapshot holds.

    Raises:
        SnapshotError: not a snapshot, or of a format this build does not read.
    """
    lines = data.splitlines()
    try:
        venue = _decode_venue(lines[0])
        accounts = [_decode_account(line) for line in lines[1:]]
    except (IndexError, msgspec.MsgspecError) as error:
        raise SnapshotError(f"not a snapshot: {error}") from error
    if venue.format != FORMAT:
        raise SnapshotError(f"snapshot format {venue.format}, this build reads {FORMAT}")
    state = State()
    try:
        _restore_venue(state, venue)
        orders = [order for image in accounts for order in _restore_account(state, image)]
    except KeyError as error:
        raise SnapshotError(f"the snapshot names {error}, which it does not hold") from error
    for user, tier in venue.tiers:
        state.users[user].tier = tier
    _restore_orders(state, orders)
    _restore_ended(state, accounts)
    return state


def _restore_venue(state: State, venue: VenueImage) -> None:
    state.seq = venue.seq
    state.time_us = venue.time_us
    state.epoch = venue.epoch
    state.venue = venue.venue
    state.venue_public_key = venue.venue_public_key
    state.assets = {asset.symbol: asset for asset in venue.assets}
    for image in venue.markets:
        market = state.markets[image.spec.symbol] = Market(image.spec, image.filters, image.listed_us)
        market.mode = image.mode
        market.mode_reason = image.mode_reason
        market.last_price_ticks = image.last_price_ticks
        market.trade_id = image.trade_id
        market.update_id = image.update_id
        market.mode_changed_us = image.mode_changed_us
        market.mode_seq = image.mode_seq
        market.trading_seq = image.trading_seq
    state.fee_tiers = venue.fee_tiers
    state.limits = venue.limits
    state.auto_resume = venue.auto_resume
    state.rules = dict.fromkeys(venue.rules)
    for admin_id, spec, added_by in venue.admins:
        state.admins[admin_id] = spec
        state.added_by[admin_id] = added_by
        state.admin_ids[spec.public_key] = admin_id
    state.references = dict(venue.references)
    state.venue_mode = venue.mode
    state.mode_reason = venue.mode_reason
    state.mode_changed_us = venue.mode_changed_us
    state.pauses = {(pause, asset): reason for pause, asset, reason in venue.pauses}
    state.build = venue.build
    state.stopped = venue.stopped
    state.resume_mode = venue.resume_mode
    state.orphaned = dict.fromkeys(venue.orphaned)
    state.mode_seq = venue.mode_seq
    state.trading_seq = venue.trading_seq
    state.posted_seq = venue.posted_seq
    state.started_seq = venue.started_seq
    state.frozen_since_us = venue.frozen_since_us
    state.frozen_us = venue.frozen_us
    _restore_maintenance(state, venue)


def _restore_maintenance(state: State, venue: VenueImage) -> None:
    state.venue_keys = venue.venue_keys
    for image in venue.windows:
        window = state.windows[image.window] = Window(image.window, image.plan)
        window.stage = image.stage
        window.reason = image.reason
        window.stage_us = image.stage_us
        window.begun = image.begun
        window.closed = image.closed
        window.closing_id = image.closing_id
        window.waiting = image.waiting
        window.canary_open = image.canary_open
    state.certificates = dict(venue.certificates)
    state.issued = dict(venue.issued)
    state.approvals = {of: dict.fromkeys(admins) for of, admins in venue.approvals}
    state.waivers = {(of, gate): dict.fromkeys(admins) for of, gate, admins in venue.waivers}
    state.failed_gates = venue.failed_gates
    state.losses = venue.losses
    state.proposals = {proposal.proposal: proposal for proposal in venue.proposals}
    state.spent_keys = dict.fromkeys(venue.spent_keys)
    state.unheard = dict.fromkeys(venue.unheard)
    state.ended_client_ids.count = venue.ended_count


def _restore_account(state: State, image: AccountImage) -> Iterable[tuple[OrderImage, Account]]:
    if image.account in VENUE_ACCOUNTS:
        account = state.accounts[image.account]
    else:
        account = state.open_account(image.account, image.label)
    account.settings = image.settings
    account.armed_sessions = dict.fromkeys(image.armed_sessions)
    account.cancel_all_after_us = image.cancel_all_after_us
    account.changed_seq = image.changed_seq
    account.user.keyed = account.user.keyed or image.keyed
    if image.cancel_all_after_us:
        state.deadlines.append((image.cancel_all_after_us, image.account))
    for asset, available_atoms, locked_atoms in image.balances:
        account.balances[asset] = Balance(available_atoms, locked_atoms)
    for key_image in image.keys:
        key = Key(key_image.key_id, account, key_image.public_key, key_image.scopes, key_image.label)
        state.keys[key.key_id] = account.keys[key.key_id] = key
        state.key_ids[key.public_key] = key.key_id
    return ((order, account) for order in image.orders)


def _restore_orders(state: State, orders: list[tuple[OrderImage, Account]]) -> None:
    """Orders join their levels by rising id, which is the order they joined in before."""
    state.deadlines.sort()
    orders.sort(key=lambda item: item[0].order_id)
    for image, account in orders:
        market = state.markets[image.market]
        spec = market.spec
        bid = image.side is Side.BID
        order = Order(
            image.order_id,
            account,
            market,
            image.side,
            image.price_ticks,
            image.lots,
            image.left_lots,
            image.reserved_atoms,
            image.filled_quote_atoms,
            image.post_only,
            image.self_trade_prevention,
            image.client_id,
            image.created_us,
            account.balance(spec.quote if bid else spec.base),
            account.balance(spec.base if bid else spec.quote),
            image.cancel_at_close,
        )
        market.book(image.side).add(order)
        state.orders[image.order_id] = account.orders[image.order_id] = order
        account.open_orders[image.market] = account.open_orders.get(image.market, 0) + 1
        if image.client_id is not None:
            account.client_ids[(image.market, image.client_id)] = order


def _restore_ended(state: State, accounts: list[AccountImage]) -> None:
    """In the order the orders ended in, over all accounts."""
    ended = [
        (image.number, image.order_id, image.ended_us, account.account, (image.market, image.client_id))
        for account in accounts
        for image in account.ended
    ]
    for each in sorted(ended):
        state.ended_client_ids.restore(state.accounts[each[3]], each)
