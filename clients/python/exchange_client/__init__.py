"""A client of the exchange: REST, trading over the WebSocket, streams. See README.md beside this file."""

from exchange_client import models
from exchange_client.book import OrderBook
from exchange_client.errors import (
    ClientError,
    ExchangeError,
    NotConnected,
    NotPlaced,
    OutcomeUnknown,
    StreamLagged,
)
from exchange_client.live_book import LiveBook
from exchange_client.orders import NewOrder, limit, market
from exchange_client.rest import ExchangeClient
from exchange_client.signing import Keypair
from exchange_client.streams import Streams, Subscription
from exchange_client.trading import TradingSession

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
