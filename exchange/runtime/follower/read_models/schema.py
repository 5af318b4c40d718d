"""The tables of the read models, in a SQLite file of their own beside the journal.

An account's history is an index over the records; public trades and candles are rows. Everything here can be rebuilt
from the journal at any time, so a file of another version is emptied and filled again, never migrated. Tables are
clustered by what is asked: an account's chunks, or a market's trades, lie together in the order of the timeline.
"""

import sqlite3
from pathlib import Path
from typing import Final

from exchange.journal.privacy import prepare_database

#: Raised with every change of a table or of what its columns mean.
VERSION: Final = 4
FILE_NAME: Final = "read.sqlite"
#: Volume of a candle stops here, the largest whole number SQLite holds.
MAX_VOLUME: Final = 2**63 - 1
#: How long a reader waits for the writer, or the writer for the end of a checkpoint.
BUSY_TIMEOUT_S: Final = 5.0

#: Pages of the file the writer keeps in memory.
_CACHE_KIB: Final = 64 * 1024
#: Pages in the log before they are moved into the file: the more, the fewer are moved twice.
_CHECKPOINT_PAGES: Final = 4_096

#: A page holds at least four chunks of a list.
_PAGE_BYTES: Final = 8_192
#: Records whose hash and time are in one row.
RECORDS_A_ROW: Final = 256

_TABLES: Final = f"""
CREATE TABLE progress (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    seq INTEGER NOT NULL,
    time_us INTEGER NOT NULL,
    chain BLOB NOT NULL
) STRICT;
INSERT INTO progress VALUES (0, 0, 0, zeroblob(32));

CREATE TABLE markets (
    number INTEGER PRIMARY KEY,
    symbol TEXT NOT NULL UNIQUE,
    spec BLOB NOT NULL
) STRICT;

CREATE TABLE assets (
    number INTEGER PRIMARY KEY,
    symbol TEXT NOT NULL UNIQUE
) STRICT;

-- Hash and time of every record, {RECORDS_A_ROW} to a row (`rows.KEPT`).
CREATE TABLE records (
    block INTEGER PRIMARY KEY,
    kept BLOB NOT NULL
) STRICT;

-- What touches an account, in chunks (`lists`).
CREATE TABLE lists (
    account INTEGER NOT NULL,
    chunk INTEGER NOT NULL,
    before BLOB NOT NULL,
    entries BLOB NOT NULL,
    PRIMARY KEY (account, chunk)
) STRICT, WITHOUT ROWID;

-- What happened to an order after the record it came in by, and how far it was filled then.
CREATE TABLE touches (
    order_id INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    "index" INTEGER NOT NULL,
    filled_lots INTEGER NOT NULL,
    filled_quote_atoms INTEGER NOT NULL,
    what INTEGER NOT NULL,
    PRIMARY KEY (order_id, seq)
) STRICT, WITHOUT ROWID;

-- The newest order under a client id. It is found for a day after its end; its row stays,
-- since an index file holds what a segment's records add, and not when orders ended that came in before it. A row has
-- 21 to 23 bytes, beside the five list entries of 23 of an order that is placed and cancelled: a million orders whose
-- ids are never used again make 22 MB of it. Who uses ids again adds none.
CREATE TABLE client_ids (
    account INTEGER NOT NULL,
    market INTEGER NOT NULL,
    client_id INTEGER NOT NULL,
    order_id INTEGER NOT NULL,
    PRIMARY KEY (account, market, client_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE trades (
    market TEXT NOT NULL,
    trade_id INTEGER NOT NULL,
    price_ticks INTEGER NOT NULL,
    lots INTEGER NOT NULL,
    quote_atoms INTEGER NOT NULL,
    time_us INTEGER NOT NULL,
    buyer_order_id INTEGER NOT NULL,
    seller_order_id INTEGER NOT NULL,
    buyer_is_maker INTEGER NOT NULL,
    PRIMARY KEY (market, trade_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE candles (
    market TEXT NOT NULL,
    interval TEXT NOT NULL,
    start_us INTEGER NOT NULL,
    open_ticks INTEGER NOT NULL,
    high_ticks INTEGER NOT NULL,
    low_ticks INTEGER NOT NULL,
    close_ticks INTEGER NOT NULL,
    lots INTEGER NOT NULL,
    quote_atoms INTEGER NOT NULL,
    trades INTEGER NOT NULL,
    PRIMARY KEY (interval, market, start_us)
) STRICT, WITHOUT ROWID;
"""


class ReadModelsHarmed(sqlite3.OperationalError):
    """The file of read models is missing, or isn't the one that was written: no answer may be made of it."""


def open_for_writing(path: Path) -> sqlite3.Connection:
    """The read models at `path`, made or made anew if there are none of this version.

    Raises:
        sqlite3.Error: the file can't be written.
    """
    connection = _connect(path)
    try:
        whole = _version(connection) == VERSION and _says_what_it_holds(connection)
    except sqlite3.DatabaseError as error:
        connection.close()
        if not is_damage(error):
            raise
        delete(path)
        connection, whole = _connect(path), False
    connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = WAL")
    # A commit lost to a power cut is folded again from the journal; only the file must stay whole.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    if not whole:
        empty(connection)
    return connection


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether the bytes of the file are wrong: what is cured by making it anew, unlike a full disk."""
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def delete(path: Path) -> None:
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)


def empty(connection: sqlite3.Connection) -> None:
    """Throw everything away, in place so that readers follow, and start again before the first record."""
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    drops = "".join(f"DROP TABLE {name};" for name in names)
    connection.executescript(f"BEGIN IMMEDIATE;{drops}{_TABLES}PRAGMA user_version = {VERSION};COMMIT")


def _connect(path: Path) -> sqlite3.Connection:
    prepare_database(path)
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)


def _says_what_it_holds(connection: sqlite3.Connection) -> bool:
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'progress'").fetchall():
        return False
    return len(connection.execute("SELECT seq FROM progress").fetchall()) == 1


def _version(connection: sqlite3.Connection) -> int:
    """0 for a new file."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)
