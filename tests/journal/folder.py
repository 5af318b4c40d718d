"""A data folder with one of everything the journal writes: `python -m tests.journal.folder make|check FOLDER`.

Another build of the exchange can make or check it.
"""

import sys
from pathlib import Path

from exchange.journal import checkpoint, snapshots
from exchange.journal.backup import backup
from exchange.journal.backup import check as check_backup
from exchange.journal.lines import Lines
from exchange.journal.recovery import recover
from exchange.journal.sealing import attach, seal
from exchange.journal.segments import manifest
from exchange.journal.store import JournalReader, open_writing
from exchange.journal.verify import verify
from exchange.values.accounts.commands import OpenAccount
from tests.journal.kept import keep
from tests.journal.timeline import ADMIN, VENUE_KEY, Timeline

SEGMENT_RECORDS = 60


def make(folder: Path) -> None:
    """Records, those of admins signed, segments with an index, snapshots, a checkpoint, a witness; and a backup."""
    data = folder / "data"
    timeline = Timeline()
    timeline.trade(SEGMENT_RECORDS - timeline.state.seq)
    keep(data, timeline)  # a row that ends with its segment can go
    timeline.trade(76)
    timeline.do(OpenAccount(ADMIN))
    keep(data, timeline)
    snapshots.write(data, timeline.state, timeline.chain)
    timeline.trade(30)
    keep(data, timeline)
    seal(data, SEGMENT_RECORDS, 30)
    attach(data, manifest(data)[0], "index", b"an index")
    journal = open_writing(data)
    journal.drop_sealed(SEGMENT_RECORDS, 10)
    assert journal.first_seq() == SEGMENT_RECORDS + 1
    checkpoint.sign(data, timeline.state, timeline.chain, journal.genesis, VENUE_KEY)
    journal.close()
    backup(data, folder / "backup")


def check(folder: Path) -> None:
    """Open everything; raises what is wrong."""
    data = folder / "data"
    state = recover(data, now_us=None).state
    for from_genesis in (False, True):
        report = verify(data, from_genesis=from_genesis)
        assert report.ok, report.text()
        assert (report.unsigned, report.signed > 0) == (0, from_genesis)
    with JournalReader(data) as reader:
        found = checkpoint.newest(data, reader.genesis())
        kept = list(reader.lines())
    assert found is not None
    assert found[0].seq == state.seq
    lines = Lines(data)
    assert lines.lines(range(1, state.seq + 1)) == kept
    lines.close()
    assert [line for line in kept if b'"signed":[{' in line]
    check_backup(folder / "backup")


if __name__ == "__main__":
    {"make": make, "check": check}[sys.argv[1]](Path(sys.argv[2]))
