"""History kept for questions: orders, fills, ledger, trades and candles in an SQLite file of their own.

`rows` makes rows of records, `writer` adds them (the follower does), `queries` answers (the venue asks).
"""

from exchange.runtime.follower.read_models.queries import ReadModels, Vouched
from exchange.runtime.follower.read_models.rows import Rows
from exchange.runtime.follower.read_models.schema import FILE_NAME, ReadModelsHarmed
from exchange.runtime.follower.read_models.writer import ReadModelWriter

__all__ = ["FILE_NAME", "ReadModelWriter", "ReadModels", "ReadModelsHarmed", "Rows", "Vouched"]
