"""The trading half of a session: requests of one signed-in key become commands, outcomes become answers.

Every request is answered once. Those that wait for their answer are counted and limited. A session
that armed cancel-on-disconnect has its orders cancelled when it ends.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import msgspec
import structlog

from exchange.gateway.admission import too_many
from exchange.gateway.orders.batches import BatchItem, place_batch
from exchange.gateway.orders.wire import cancel_all, cancel_order, order_ids, order_to_wire, place_order
from exchange.gateway.session import frames
from exchange.gateway.session.frames import RequestId
from exchange.gateway.session.services import Services
from exchange.gateway.wire.errors import INVALID_SYMBOL, NOT_FOUND
from exchange.runtime.port import NotNow
from exchange.values.accounts.views import KeyView
from exchange.values.commands import AnyCommand
from exchange.values.enums import CancelReason, Scope
from exchange.values.ids import OrderId
from exchange.values.listings.specs import MarketSpec
from exchange.values.orders.commands import CancelForAccount, SetCancelAllAfter, SetCancelOnDisconnect
from exchange.values.orders.views import OrderView, Outcome
from exchange.values.refusals import Code, Refusal

_SERVER_ERROR: Final = Refusal(Code.SERVER_ERROR, "Internal error")
#: They take orders back, or see to it that they will be: never behind anything else of the account.
_CANCELS: Final = (frames.Cancel, frames.CancelAllOrders, frames.CancelAllAfter, frames.CancelOnDisconnect)
_IN_FLIGHT: Final = Refusal(Code.TOO_MANY_REQUESTS, "Too many requests wait for their answer")
_NO_READ: Final = Refusal(Code.FORBIDDEN, "The API key may not do this")

_log: Final = structlog.get_logger(__name__)


class Trading:
    """What a session does for its key. `send` takes the bytes of one answer."""

    __slots__ = (
        "_admission",
        "_armed",
        "_exchange",
        "_in_flight",
        "_limits",
        "_of_account",
        "_of_all",
        "_send",
        "_session",
        "_tasks",
        "key",
    )

    def __init__(self, services: Services, key: KeyView, session: str, send: Callable[[bytes], None]) -> None:
        self.key = key
        self._exchange = services.exchange
        self._admission = services.admission
        self._limits = services.limits
        self._of_all = services.waiting
        self._of_account = services.waiting_of(key.account)
        self._session = session
        self._send = send
        self._in_flight = 0
        self._armed = False
        self._tasks: set[asyncio.Task[None]] = set()

    def refuse(self, request: frames.Request) -> Refusal | None:
        """Whether this request is one too many; if not, it is counted."""
        cancels = isinstance(request, _CANCELS)
        reserve = self._admission.limits.reserved_cancels_in_flight if cancels else 0
        limits = self._limits
        if (
            self._in_flight >= limits.in_flight + reserve
            or self._of_account.count >= limits.in_flight_per_account + reserve
            or self._of_all.count >= limits.in_flight_total + reserve
        ):
            return _IN_FLIGHT
        cost = len(request.params) if isinstance(request, frames.Batch) else 1
        wait_s = self._admission.account_wait_s(self.key.account, self._exchange.now_us(), cost, cancels=cancels)
        return too_many(wait_s) if wait_s else None

    def end(self) -> None:
        """The connection is gone. The exchange cancels after all that this session has sent, until no order is left."""
        if self._armed:
            command = CancelForAccount(self.key.account, CancelReason.DISCONNECT, self._session)
            self._exchange.submit((command,), _ignore)

    # --- orders ---------------------------------------------------------------------------------

    def place(self, request: frames.Place) -> None:
        market = self._exchange.market(request.params.symbol)
        if market is None:
            return self._refuse(request.id, INVALID_SYMBOL)
        command = place_order(request.params, self.key, market)
        if isinstance(command, Refusal):
            return self._refuse(request.id, command)
        self._submit((command,), partial(self._one_order, request.id, market.spec))

    def cancel(self, request: frames.Cancel) -> None:
        market = self._exchange.market(request.params.symbol)
        if market is None:
            return self._refuse(request.id, INVALID_SYMBOL)
        command = cancel_order(request.params, self.key, market)
        if isinstance(command, Refusal):
            return self._refuse(request.id, command)
        self._submit((command,), partial(self._one_order, request.id, market.spec))

    def _one_order(self, request_id: RequestId, spec: MarketSpec, outcomes: list[Outcome]) -> None:
        self._landed()
        outcome = outcomes[0]
        if outcome.refusal is None:
            self._send(frames.result(request_id, order_to_wire(outcome.orders[0], spec)))
        else:
            self._refuse(request_id, outcome.refusal)

    def cancel_all(self, request: frames.CancelAllOrders) -> None:
        market = self._exchange.market(request.params.symbol)
        if market is None:
            return self._refuse(request.id, INVALID_SYMBOL)
        command = cancel_all(request.params, self.key, market)
        if command is None:
            return self._send(frames.result(request.id, []))
        if isinstance(command, Refusal):
            return self._refuse(request.id, command)
        self._submit((command,), partial(self._orders, request.id, market.spec))

    def _orders(self, request_id: RequestId, spec: MarketSpec, outcomes: list[Outcome]) -> None:
        self._landed()
        outcome = outcomes[0]
        if outcome.refusal is None:
            self._send(frames.result(request_id, [order_to_wire(order, spec) for order in outcome.orders]))
        else:
            self._refuse(request_id, outcome.refusal)

    def query(self, request: frames.Query) -> None:
        """Open orders and ended ones: a client that lost its connection finds out here what became of its order."""
        market = self._exchange.market(request.params.symbol)
        ids = order_ids(request.params)
        if market is None:
            return self._refuse(request.id, INVALID_SYMBOL)
        if isinstance(ids, Refusal):
            return self._refuse(request.id, ids)
        if Scope.READ not in self.key.scopes or self._exchange.key(self.key.public_key) != self.key:
            return self._refuse(request.id, _NO_READ)
        task = asyncio.get_running_loop().create_task(self._find(request.id, market.spec, *ids))
        self._waits()
        self._tasks.add(task)
        task.add_done_callback(self._found)

    async def _find(
        self, request_id: RequestId, spec: MarketSpec, order_id: OrderId | None, client_id: int | None
    ) -> None:
        order: OrderView | Refusal | None
        try:
            order = await self._exchange.order(self.key.account, spec.symbol, order_id=order_id, client_id=client_id)
        except NotNow as error:
            order = error.refusal
        except Exception:
            _log.exception("query_failed")
            order = _SERVER_ERROR
        if order is None or isinstance(order, Refusal):
            self._refuse(request_id, order or NOT_FOUND)
        else:
            self._send(frames.result(request_id, order_to_wire(order, spec)))

    def _found(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._landed()

    def batch(self, request: frames.Batch) -> None:
        self._waits()
        place_batch(self._exchange, self.key, request.params, partial(self._batch_done, request.id))

    def _batch_done(self, request_id: RequestId, items: list[BatchItem]) -> None:
        self._landed()
        self._send(frames.result(request_id, items))

    # --- switches -----------------------------------------------------------------------------------

    def cancel_all_after(self, request: frames.CancelAllAfter) -> None:
        command = SetCancelAllAfter(self.key.account, self.key.key_id, request.params.timeout * 1_000)
        self._submit((command,), partial(self._switched, request.id, request.params))

    def cancel_on_disconnect(self, request: frames.CancelOnDisconnect) -> None:
        # Armed from the moment it is asked for: the session may end before the answer is there.
        self._armed = self._armed or request.params.armed
        command = SetCancelOnDisconnect(self.key.account, self.key.key_id, self._session, request.params.armed)
        self._submit((command,), partial(self._armed_is, request))

    def _armed_is(self, request: frames.CancelOnDisconnect, outcomes: list[Outcome]) -> None:
        if outcomes[0].refusal is None:
            self._armed = request.params.armed
        self._switched(request.id, request.params, outcomes)

    def _switched(self, request_id: RequestId, params: msgspec.Struct, outcomes: list[Outcome]) -> None:
        self._landed()
        refusal = outcomes[0].refusal
        if refusal is None:
            self._send(frames.result(request_id, params))
        else:
            self._refuse(request_id, refusal)

    # --- what they share ------------------------------------------------------------------------------

    def _submit(self, commands: Sequence[AnyCommand], reply: Callable[[list[Outcome]], None]) -> None:
        self._waits()
        self._exchange.submit(commands, reply)

    def _waits(self) -> None:
        self._in_flight += 1
        self._of_account.count += 1
        self._of_all.count += 1

    def _landed(self) -> None:
        self._in_flight -= 1
        self._of_account.count -= 1
        self._of_all.count -= 1

    def _refuse(self, request_id: RequestId, refusal: Refusal) -> None:
        self._send(frames.failure(request_id, refusal))


def _ignore(outcomes: list[Outcome]) -> None:
    """Nobody is there to be told."""
