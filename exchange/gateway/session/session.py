"""One client on one WebSocket: bytes of a message in, calls on the exchange and the hub, bytes out.

No I/O happens here. The same session runs on the trading port and on the HTTP port. It logs in
once, for one key and for as long as it lives (another key takes another session); private streams
are signed for one by one and belong to the key that signed.
"""

from itertools import islice
from typing import Final, Protocol

import msgspec

from exchange.gateway.admission import too_many
from exchange.gateway.auth import DEFAULT_WINDOW_MS, JUST_STARTED, SIGN_AGAIN, Credentials, SignedFields, proved
from exchange.gateway.session import frames, methods
from exchange.gateway.session.hub import Feed, Reader
from exchange.gateway.session.limits import CloseCode
from exchange.gateway.session.services import Services
from exchange.gateway.session.stream_names import (
    INVALID_SIGNATURE,
    PARSE_ERROR,
    TOO_MANY_FRAMES,
    TOO_MANY_SUBSCRIPTIONS,
    StreamError,
    StreamName,
    parse_stream_name,
)
from exchange.gateway.session.trading import Trading
from exchange.gateway.wire.errors import UNREADABLE, invalid, unparsable
from exchange.values.accounts.views import KeyView
from exchange.values.enums import Scope
from exchange.values.ids import AccountId
from exchange.values.refusals import Code, Refusal

#: A SUBSCRIBE or UNSUBSCRIBE counts as one request more for each so many of its names.
NAMES_PER_REQUEST: Final = 10

_NOT_LOGGED_IN: Final = Refusal(Code.UNAUTHORIZED, "Log in first: session.login")
_LOGGED_IN: Final = invalid("This session is already logged in: open another one for another key")
_UNKNOWN_METHOD: Final = invalid("Unknown method")

_LOGIN: Final = SignedFields("sessionLogin")
_SUBSCRIBE: Final = SignedFields("subscribe")


class Outlet(Reader, Protocol):
    """The session's connection."""

    def earned(self) -> None:
        """The client has logged in or reads a stream: its connection is one to keep."""

    def logged_in(self, account: AccountId) -> None:
        """From now on it is read as one of the account's."""

    def close(self, code: int, reason: str) -> None:
        """End the connection, behind what has been sent."""


class Session:
    """`name` tells this session from every other one, also from those before a restart; `address` is the client's."""

    __slots__ = ("_address", "_feeds", "_name", "_outlet", "_services", "_trading")

    def __init__(self, services: Services, name: str, address: str, outlet: Outlet) -> None:
        self._services = services
        self._name = name
        self._address = address
        self._outlet = outlet
        self._trading: Trading | None = None
        self._feeds: dict[tuple[str, AccountId], Feed | None] = {}

    @property
    def is_logged_in(self) -> bool:
        return self._trading is not None

    def receive(self, message: bytes) -> bool:
        """Take one text message; whatever it holds, this doesn't raise. Whether it was refused for the number of those
        before it."""
        try:
            frame = methods.decode(message)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return self._unreadable(message, error)
        method = methods.BY_FRAME.get(type(frame))
        if method is not None:
            trading = self._trading
            if trading is None:
                return self._refuse(frame.id, too_many(wait_s) if (wait_s := self._wait_s()) else _NOT_LOGGED_IN)
            if (refusal := trading.refusal(method, frame.params)) is not None:
                return self._refuse(frame.id, refusal)
            method.handler(trading, frame.id, frame.params)
            return False
        if isinstance(frame, frames.Login):
            return self._login(frame)
        if isinstance(frame, frames.Subscribe | frames.Unsubscribe):
            names = min(len(frame.params), self._services.limits.subscriptions)
            if self._wait_s(1 + names // NAMES_PER_REQUEST):
                return self._stream_failure(TOO_MANY_FRAMES)
            if isinstance(frame, frames.Subscribe):
                self._subscribe(frame)
            else:
                self._unsubscribe(frame)
        return False

    def admits(self) -> bool:
        """Whether something that isn't answered may be counted as a request of the address, and has been."""
        return not self._wait_s()

    def is_exhausted(self) -> bool:
        """Whether its address may send no requests just now; a session has its account's."""
        services = self._services
        now_us = services.exchange.now_us()
        return self._trading is None and services.admission.addresses.exhausted_s(self._address, now_us) > 0

    def close(self) -> None:
        """The connection is gone."""
        for feed in self._feeds.values():
            if feed is not None:
                self._services.hub.unsubscribe(feed, self._outlet)
        if self._feeds:
            self._services.subscriptions.give_back(self._address, len(self._feeds))
        self._feeds.clear()
        if self._trading is not None:
            self._trading.end()

    def _unreadable(self, message: bytes, error: Exception) -> bool:
        """A method with a dot in its name is one of ours and is answered; the rest gets the stream protocol's error."""
        wait_s = self._wait_s()
        try:
            envelope = frames.decode_envelope(message)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            envelope = None
        if envelope is None or "." not in envelope.method:
            return self._stream_failure(TOO_MANY_FRAMES if wait_s else PARSE_ERROR)
        if wait_s:
            return self._refuse(envelope.id, too_many(wait_s))
        if envelope.method not in methods.NAMES:
            return self._refuse(envelope.id, _UNKNOWN_METHOD)
        return self._refuse(envelope.id, unparsable(error) if isinstance(error, msgspec.MsgspecError) else UNREADABLE)

    # --- trading -----------------------------------------------------------------------------------

    def _login(self, request: frames.Login) -> bool:
        if self._trading is not None:
            return self._refuse(request.id, too_many(wait_s) if (wait_s := self._wait_s()) else _LOGGED_IN)
        params = request.params
        window = DEFAULT_WINDOW_MS if params.window is None else params.window
        credentials = Credentials(params.api_key, params.signature, str(params.timestamp), str(window))
        key = self._proved(credentials, _LOGIN)
        if isinstance(key, Refusal):
            return self._refuse(request.id, key)
        self._trading = Trading(self._services, key, self._name, self._outlet.send)
        self._outlet.earned()
        self._outlet.logged_in(key.account)
        self._outlet.send(frames.result(request.id, {"session": self._name}))
        return False

    def _refuse(self, request_id: frames.RequestId, refusal: Refusal) -> bool:
        """Whether it is for their number."""
        self._outlet.send(frames.failure(request_id, refusal))
        return refusal.code is Code.TOO_MANY_REQUESTS

    # --- who and how often ----------------------------------------------------------------------------

    def _proved(self, credentials: Credentials, signed: SignedFields, connection: str = "") -> KeyView | Refusal:
        """The key that signed; who signs in vain too often isn't listened to for a while."""
        admission, now_us = self._services.admission, self._services.exchange.now_us()
        wait_s = admission.vain_s(self._address, credentials.api_key, now_us)
        if wait_s:
            return too_many(wait_s)
        key = self._services.authenticator.trader(credentials, signed, changes=True, connection=connection)
        if not isinstance(key, Refusal):
            admission.proved(self._address, credentials.api_key)
        elif proved(key):
            wait_s = admission.addresses.wait_s(self._address, now_us)
        else:
            admission.failed(self._address, credentials.api_key, now_us)
        return too_many(wait_s) if wait_s else key

    def _wait_s(self, requests: int = 1) -> int:
        """Frames of the stream protocol, and those that can't be read, count as public requests of their address."""
        services = self._services
        return services.admission.addresses.wait_s(self._address, services.exchange.now_us(), requests)

    # --- streams ------------------------------------------------------------------------------------

    def _subscribe(self, frame: frames.Subscribe) -> None:
        """Each name stands or falls alone, in their order. One error is sent, that of the first name that fell: some
        clients give up all they wait for at each error. More names than a connection may read aren't looked at."""
        texts, most = dict.fromkeys(frame.params), self._services.limits.subscriptions
        names = [parse_stream_name(text) for text in islice(texts, most)]
        signer: KeyView | StreamError = INVALID_SIGNATURE
        if any(isinstance(name, StreamName) and name.private for name in names):
            signer = self._signer(frame.signature)
        failures = [error for name in names if (error := self._subscribe_one(name, signer)) is not None]
        if len(texts) > most:
            failures.append(TOO_MANY_SUBSCRIPTIONS)
        if failures:
            self._stream_failure(failures[0])

    def _subscribe_one(self, name: StreamName | StreamError, signer: KeyView | StreamError) -> StreamError | None:
        if isinstance(name, StreamError):
            return name
        key = None
        if name.private:
            if isinstance(signer, StreamError):
                return signer
            key = signer
        held = (name.text, AccountId(0) if key is None else key.account)
        services = self._services
        if held not in self._feeds and (
            len(self._feeds) >= services.limits.subscriptions or not services.subscriptions.take(self._address)
        ):
            return TOO_MANY_SUBSCRIPTIONS
        feed = self._feeds[held] = services.hub.subscribe(name, self._outlet, key)
        if feed is not None:
            self._outlet.earned()
        return None

    def _signer(self, signature: tuple[str, str, str, str] | None) -> KeyView | StreamError:
        """The key behind a signed frame; it must be allowed to read.

        A signature that is good, but not here, ends the connection: clients sign anew on their next one, while after
        an error some would wait for ever for the stream.
        """
        if signature is None:
            return INVALID_SIGNATURE
        key = self._proved(Credentials(*signature), _SUBSCRIBE, connection=self._name)
        if not isinstance(key, Refusal):
            return key if Scope.READ in key.scopes else INVALID_SIGNATURE
        if key is SIGN_AGAIN or key is JUST_STARTED:
            self._outlet.close(CloseCode.TRY_AGAIN_LATER, "sign again")
        return TOO_MANY_FRAMES if key.code is Code.TOO_MANY_REQUESTS else INVALID_SIGNATURE

    def _unsubscribe(self, frame: frames.Unsubscribe) -> None:
        """A name goes for every key that holds it here; names not held, and a signature, don't matter."""
        gone = frozenset(frame.params)
        for held in [held for held in self._feeds if held[0] in gone]:
            feed = self._feeds.pop(held)
            self._services.subscriptions.give_back(self._address)
            if feed is not None:
                self._services.hub.unsubscribe(feed, self._outlet)

    def _stream_failure(self, error: StreamError) -> bool:
        """As `_refuse`."""
        self._outlet.send(frames.stream_failure(error))
        return error is TOO_MANY_FRAMES
