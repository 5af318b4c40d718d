"""Probes of orders."""

from exchange.values.commands import AnyCommand
from exchange.values.enums import CancelReason, Side
from exchange.values.ids import OrderId
from exchange.values.orders.commands import (
    CancelAll,
    CancelForAccount,
    CancelOrder,
    PlaceOrder,
    SetCancelAllAfter,
    SetCancelOnDisconnect,
)
from exchange.values.refusals import Code
from tests.probes import Numbers, Probe, Scene


def _place(s: Scene, n: Numbers) -> AnyCommand:
    side = (Side.BID, Side.ASK)[n.which]
    return s.venue.limit(s.account(n), side, 10_000 + 5 * n.offset, n.number, post_only=n.number == 1)


def _meet(s: Scene) -> AnyCommand:
    """It trades, and its rest goes into the book."""
    s.venue.expect(s.venue.limit(s.accounts[1], Side.ASK, 10_000, 1))
    return s.venue.limit(s.accounts[0], Side.BID, 10_000, 2)


def _cancel(s: Scene, n: Numbers) -> AnyCommand:
    orders = sorted(s.venue.state.accounts[s.account(n)].orders)
    return s.venue.cancel(s.account(n), orders[n.number % len(orders)] if orders else OrderId(10))


def _cancel_placed(s: Scene) -> AnyCommand:
    s.venue.expect(s.venue.limit(s.accounts[0], Side.BID, 9_000, 1))
    [order] = s.venue.state.accounts[s.accounts[0]].orders
    return s.venue.cancel(s.accounts[0], order)


def _end_session(s: Scene, n: Numbers) -> AnyCommand:
    reason = (CancelReason.DISCONNECT, CancelReason.CANCEL_ALL_AFTER)[n.which]
    return CancelForAccount(s.account(n), reason, None if n.which else f"session {n.number % 3}")


def _end_armed_session(s: Scene) -> AnyCommand:
    account = s.accounts[0]
    s.venue.expect(SetCancelOnDisconnect(account, s.venue.key(account), "session", True))
    return CancelForAccount(account, CancelReason.DISCONNECT, "session")


def _switch(s: Scene, timeout_us: int, who: int = 0) -> AnyCommand:
    return SetCancelAllAfter(s.accounts[who], s.venue.key(s.accounts[who]), timeout_us)


def _session(s: Scene, name: str, armed: bool = True, who: int = 0) -> AnyCommand:
    return SetCancelOnDisconnect(s.accounts[who], s.venue.key(s.accounts[who]), name, armed)


PROBES = (
    Probe(
        PlaceOrder,
        _place,
        _meet,
        lambda s: s.venue.limit(s.accounts[0], Side.BID, 1, 1),
        Code.INVALID_PRICE,
    ),
    Probe(
        CancelOrder,
        _cancel,
        _cancel_placed,
        lambda s: s.venue.cancel(s.accounts[0], OrderId(10)),
        Code.RESOURCE_NOT_FOUND,
    ),
    Probe(
        CancelAll,
        lambda s, n: s.venue.cancel_all(s.account(n)),
        lambda s: s.venue.cancel_all(s.accounts[0]),
        lambda s: CancelAll(s.accounts[0], s.venue.key(s.accounts[0]), "NO_SUCH"),
        Code.INVALID_CLIENT_REQUEST,
    ),
    Probe(
        SetCancelAllAfter,
        lambda s, n: _switch(s, n.number * 1_000 * n.which, n.who),
        lambda s: _switch(s, 60_000_000),
        lambda s: _switch(s, -1),
        Code.INVALID_CLIENT_REQUEST,
    ),
    Probe(
        SetCancelOnDisconnect,
        lambda s, n: _session(s, f"session {n.number % 3}", bool(n.which), n.who),
        lambda s: _session(s, "session"),
        lambda s: _session(s, ""),
        Code.INVALID_CLIENT_REQUEST,
    ),
    Probe(
        CancelForAccount,
        _end_session,
        _end_armed_session,
        lambda s: CancelForAccount(s.accounts[0], CancelReason.DISCONNECT, "session"),
        Code.RESOURCE_NOT_FOUND,
    ),
)
