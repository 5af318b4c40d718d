"""What can go wrong, told apart by what the caller may conclude from it."""

from typing import Final

TRANSIENT: Final = frozenset(
    {"MAINTENANCE", "SERVER_ERROR", "TIMEOUT", "TOO_EARLY", "TOO_MANY_REQUESTS", "TRADING_PAUSED"}
)


class ClientError(Exception):
    """Base of everything this package raises on purpose."""


class ExchangeError(ClientError):
    """The exchange refused: nothing of the request was carried out.

    `code` is one of the exchange's error codes (`HTTP_<status>` where a proxy answered without one),
    `status` the HTTP status, the same one over the WebSocket.
    """

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status

    @property
    def transient(self) -> bool:
        """Whether the same request may pass later."""
        return self.code in TRANSIENT


class NotConnected(ClientError):
    """There is no connection: the request has not been sent."""


class NotPlaced(ClientError):
    """The connection broke and the exchange, asked again, does not know the order: it was never placed."""

    def __init__(self, client_id: int) -> None:
        super().__init__(f"order with client id {client_id} never reached the exchange")
        self.client_id = client_id


class OutcomeUnknown(ClientError):
    """The request was sent, its answer never came, and the exchange could not be asked in time.

    `client_id`, where there is one, finds the order once the exchange answers again.
    """

    def __init__(self, request: str, client_id: int | None = None) -> None:
        super().__init__(f"no answer to {request}" + ("" if client_id is None else f" with client id {client_id}"))
        self.client_id = client_id


class StreamLagged(ClientError):
    """The reader of a subscription was too slow and its queue is full: events would be missing from here on."""
