"""Buys at once, sells a few seconds later, and begins anew: what it decides doesn't matter, that it trades does."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy
from pandas import DataFrame

HOLD = timedelta(seconds=5)


class InAndOut(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1m"
    startup_candle_count = 0
    process_only_new_candles = False
    minimal_roi: ClassVar[dict[str, float]] = {}
    stoploss = -0.99
    order_types: ClassVar[dict[str, Any]] = {
        "entry": "limit",
        "exit": "limit",
        "stoploss": "limit",
        "stoploss_on_exchange": False,
    }

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        dataframe["enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        return dataframe

    def custom_exit(self, pair: str, trade: Trade, current_time: datetime, *args: Any, **kwargs: Any) -> str | None:
        return "held long enough" if current_time - trade.open_date_utc >= HOLD else None
