"""What is told to whoever watches."""

from exchange.values.listings.views import BookTicker, CandleView, DepthDelta, TickerView, TradeView
from exchange.values.modes.views import StatusView
from exchange.values.money.views import BalanceUpdate
from exchange.values.orders.views import OrderUpdate

Update = DepthDelta | BookTicker | TradeView | CandleView | TickerView | OrderUpdate | BalanceUpdate | StatusView
