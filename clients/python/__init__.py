"""A client of the exchange: REST, trading over the WebSocket, streams. See README.md beside this file."""

from clients.python import models
from clients.python.book import OrderBook
from clients.python.errors import (
    ClientError,
    ExchangeError,
    NotConnected,
    NotPlaced,
    OutcomeUnknown,
    StreamLagged,
)
from clients.python.live_book import LiveBook
from clients.python.orders import NewOrder, limit, market
from clients.python.rest import ExchangeClient
from clients.python.signing import Keypair
from clients.python.streams import Streams, Subscription
from clients.python.trading import TradingSession

__all__ = [
    "ClientError",
    "ExchangeClient",
    "ExchangeError",
    "Keypair",
    "LiveBook",
    "NewOrder",
    "NotConnected",
    "NotPlaced",
    "OrderBook",
    "OutcomeUnknown",
    "StreamLagged",
    "Streams",
    "Subscription",
    "TradingSession",
    "limit",
    "market",
    "models",
]
