"""`python -m tests.maintenance.evidence.folder DO FOLDER`: windows closed and reopened by the build that lies there.

`make` founds and closes a window; `reopen` is the next process: it starts, runs the gates, certifies, is approved and
opens; `close` closes another window. The last line printed says what came of it.
"""

import sys
from pathlib import Path

import msgspec

from exchange.core import fold
from exchange.journal.store import JournalReader
from exchange.journal.verify import verify
from exchange.maintenance.evidence import proofs
from exchange.runtime.build import build_id
from exchange.values.process.commands import StartProcess
from exchange.values.windows.commands import Certify
from exchange.values.windows.plan import ENDED_STAGES, WindowId
from tests.core.windows import by_hand as m
from tests.maintenance.evidence.books import SIGNS, Books
from tests.venue import ADMIN, Venue


def resumed(data_dir: Path) -> Books:
    """The books of a data folder, as the next process goes on with them."""
    books, books.venue = Books.__new__(Books), Venue.__new__(Venue)
    books.data_dir, venue = data_dir, books.venue
    Venue.__init__(venue, signs=SIGNS)
    venue.state, venue.records = type(venue.state)(), []
    with JournalReader(data_dir) as reader:
        for record in reader.records():
            fold(venue.state, record)
            venue.records.append(record)
    venue.time_us = venue.state.time_us
    books.second = m.second_approver(venue)
    books.accounts = [account for account in venue.state.accounts if account > 100_000]
    return books


def shut(books: Books) -> WindowId:
    [window] = [of for of, window in books.venue.state.windows.items() if window.stage not in ENDED_STAGES]
    return window


def close(books: Books) -> None:
    books.snapshot()
    books.close()
    books.write()


def reopen(books: Books) -> str:
    window = shut(books)
    books.venue.expect(StartProcess(build_id(), True))
    books.write()
    verdict = books.prove(window)
    if verdict.signed is None:
        return f"{verdict.reason}\n{books.report(verdict)}"
    books.venue.expect(Certify(verdict.signed.text, verdict.signed.signature))
    m.approve(books.venue, max(books.venue.state.certificates), ADMIN, books.second)
    m.open_window(books.venue, window)
    books.write()
    report = verify(books.data_dir)
    return "reopened" if report.ok else report.text()


def proof(books: Books) -> str:
    window = max(books.venue.state.windows)
    venue_keys, account = books.venue.state.venue_keys, books.accounts[0]
    return msgspec.json.encode(proofs.prove(books.data_dir, venue_keys, account, window, books.signed())).decode()


def do(what: str, folder: Path) -> str:
    match what:
        case "make":
            books = Books(folder, trades=120)
            close(books)
        case "close":
            close(resumed(folder))
        case "reopen":
            return reopen(resumed(folder))
        case "proof":
            return proof(resumed(folder))
    return "done"


if __name__ == "__main__":
    print(do(sys.argv[1], Path(sys.argv[2])))
