"""History kept for questions: an index over the records by account, and trades and candles, in an SQLite file.

`rows` says what records add, `writer` adds it (the follower does). `queries` answers (the venue asks): `pages` finds
entries in the `lists` of accounts, and `views` makes lines of their `records`.
"""

from exchange.runtime.follower.read_models.queries import ReadModels, Vouched
from exchange.runtime.follower.read_models.rows import Rows
from exchange.runtime.follower.read_models.schema import FILE_NAME, ReadModelsHarmed
from exchange.runtime.follower.read_models.writer import ReadModelWriter

__all__ = ["FILE_NAME", "ReadModelWriter", "ReadModels", "ReadModelsHarmed", "Rows", "Vouched"]
