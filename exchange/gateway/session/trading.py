"""The trading half of a session: requests of one signed-in key become commands, outcomes become answers.

Every request is answered once. Those that wait for their answer are counted and limited. A session
that armed cancel-on-disconnect has its orders cancelled when it ends.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import msgspec
import structlog

from exchange.gateway.admission import batch_size, too_many
from exchange.gateway.session import frames
from exchange.gateway.session.frames import RequestId
from exchange.gateway.session.services import Services
from exchange.runtime.port import NotNow
from exchange.values.accounts.views import KeyView
from exchange.values.commands import AnyCommand
from exchange.values.enums import CancelReason, Scope
from exchange.values.orders.commands import CancelForAccount
from exchange.values.orders.views import Outcome
from exchange.values.refusals import Code, Refusal

T = TypeVar("T")

_SERVER_ERROR: Final = Refusal(Code.SERVER_ERROR, "Internal error")
_IN_FLIGHT: Final = Refusal(Code.TOO_MANY_REQUESTS, "Too many requests wait for their answer")
_NO_READ: Final = Refusal(Code.FORBIDDEN, "The API key may not do this")

_log: Final = structlog.get_logger(__name__)


class Trading:
    """What a session does for its key. `send` takes the bytes of one answer."""

    __slots__ = (
        "_admission",
        "_in_flight",
        "_limits",
        "_of_account",
        "_of_all",
        "_send",
        "_tasks",
        "armed",
        "exchange",
        "key",
        "session",
    )

    def __init__(self, services: Services, key: KeyView, session: str, send: Callable[[bytes], None]) -> None:
        self.key = key
        self.exchange = services.exchange
        self.session = session
        #: Whether its end cancels the account's orders.
        self.armed = False
        self._admission = services.admission
        self._limits = services.limits
        self._of_all = services.waiting
        self._of_account = services.waiting_of(key.account)
        self._send = send
        self._in_flight = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def refusal(self, method: "Method", params: Any) -> Refusal | None:
        """Why this request may not be made, if so: one too many, or not this key's; else it is counted."""
        reserve = self._admission.limits.reserved_cancels_in_flight if method.cancels else 0
        limits = self._limits
        if (
            self._in_flight >= limits.in_flight + reserve
            or self._of_account.count >= limits.in_flight_per_account + reserve
            or self._of_all.count >= limits.in_flight_total + reserve
        ):
            return _IN_FLIGHT
        cost, most = (len(params), self._admission.limits.batch_orders) if method.batch else (1, 1)
        fits = 1 <= cost <= most
        now_us = self.exchange.now_us()
        wait_s = self._admission.account_wait_s(self.key.account, now_us, cost if fits else 1, cancels=method.cancels)
        if wait_s:
            return too_many(wait_s)
        if not fits:
            return batch_size(most)
        # Commands are the core's to judge; a query has nobody else to ask.
        may = not method.reads or (Scope.READ in self.key.scopes and self.exchange.key(self.key.public_key) == self.key)
        return None if may else _NO_READ

    def end(self) -> None:
        """The connection is gone. The exchange cancels after all that this session has sent, until no order is left."""
        if self.armed:
            command = CancelForAccount(self.key.account, CancelReason.DISCONNECT, self.session)
            self.exchange.submit((command,), _ignore)

    # --- for the methods ------------------------------------------------------------------------------

    def carry_out(
        self, request_id: RequestId, command: AnyCommand, shown: Callable[[Outcome, T], object], about: T
    ) -> None:
        """Have a command carried out, and answer with what `shown` makes of its outcome and `about`, or its refusal."""
        self.waits()
        self.exchange.submit((command,), partial(self._carried_out, request_id, shown, about))

    def _carried_out(
        self, request_id: RequestId, shown: Callable[[Outcome, T], object], about: T, outcomes: Sequence[Outcome]
    ) -> None:
        self.landed()
        outcome = outcomes[0]
        if outcome.refusal is None:
            self._send(frames.result(request_id, shown(outcome, about)))
        else:
            self._send(frames.failure(request_id, outcome.refusal))

    def look_up(self, request_id: RequestId, found: Coroutine[Any, Any, object]) -> None:
        """Answer with what `found` comes to."""
        self.waits()
        task = asyncio.get_running_loop().create_task(self._find(request_id, found))
        self._tasks.add(task)
        task.add_done_callback(self._found)

    async def _find(self, request_id: RequestId, found: Coroutine[Any, Any, object]) -> None:
        try:
            result = await found
        except NotNow as error:
            result = error.refusal
        except Exception:
            _log.exception("query_failed")
            result = _SERVER_ERROR
        self.answer(request_id, result)

    def _found(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.landed()

    def answer(self, request_id: RequestId, result: object) -> None:
        """With a value of the wire, or with a refusal."""
        if isinstance(result, Refusal):
            self._send(frames.failure(request_id, result))
        else:
            self._send(frames.result(request_id, result))

    def waits(self) -> None:
        """One request more waits for its answer, until it has `landed`."""
        self._in_flight += 1
        self._of_account.count += 1
        self._of_all.count += 1

    def landed(self) -> None:
        self._in_flight -= 1
        self._of_account.count -= 1
        self._of_all.count -= 1


def _ignore(outcomes: list[Outcome]) -> None:
    """Nobody is there to be told."""


class Method(msgspec.Struct, frozen=True):
    """A method of the trading protocol: its frame is `name`, an id, and `params` of the type its handler takes.

    `cancels`: it takes orders back, or sees to it that they will be, so it is never behind anything else of the
    account. `reads`: it takes a key that may read. `batch`: each of its items counts as a request.
    """

    name: str
    handler: Callable[[Trading, RequestId, Any], None]
    cancels: bool = False
    reads: bool = False
    batch: bool = False
