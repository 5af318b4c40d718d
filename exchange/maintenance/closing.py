"""`python -m exchange.maintenance.closing`: makes the closing certificate of a window, beside the exchange.

It folds the whole history by itself and holds the outcome against the running state, so what is
certified at the close is what all records say, or nothing is.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from exchange.core import State
from exchange.core.digest import partition_digest
from exchange.journal.errors import JournalError
from exchange.journal.recovery import fold_batch, without_collection
from exchange.journal.store import JournalReader
from exchange.maintenance import certificates
from exchange.maintenance.history import Histories
from exchange.maintenance.messages import Line, LiveDigest, Request, Result, read_request, tell, telling
from exchange.maintenance.venue_key import VenueKeyError, read_signing_key
from exchange.values.maintenance import CertificateKind
from exchange.values.record import GENESIS_CHAIN, Record

NICE: Final = 5


class Books(msgspec.Struct, frozen=True):
    """What all records up to one seq come to; `differing` names live digests that say otherwise."""

    state: State
    histories: Histories
    chain: bytes
    differing: tuple[LiveDigest, ...]


def books_at(data_dir: Path, to_seq: int, live: tuple[LiveDigest, ...], progress: Callable[[int, int], None]) -> Books:
    """Fold everything from the first record on, comparing with the running state where it was looked at.

    Raises:
        JournalError
    """
    state, histories, chain = State(), Histories(), GENESIS_CHAIN
    differing: list[LiveDigest] = []
    waiting = iter(sorted(live, key=lambda each: each.seq))
    next_digest = next(waiting, None)

    def compare(upto_seq: int) -> None:
        nonlocal next_digest
        while next_digest is not None and next_digest.seq <= upto_seq:
            if partition_digest(state, next_digest.partition) != next_digest.digest:
                differing.append(next_digest)
            next_digest = next(waiting, None)

    def before(_state: State, record: Record) -> None:
        compare(record.seq - 1)
        histories.see(state, record)

    with without_collection(), JournalReader(data_dir) as journal:
        for batch in journal.checked_batches(1, to_seq, chain):
            fold_batch(state, batch, before)
            chain = batch.chain
            progress(state.seq, to_seq)
    compare(state.seq)
    return Books(state, histories, chain, tuple(differing))


def close(request: Request) -> Result:
    """The closing certificate, signed and kept; or why there is none."""
    data_dir = Path(request.data)
    try:
        key = read_signing_key(Path(request.key))
        books = books_at(data_dir, request.to_seq, request.live, telling(None))
    except (JournalError, VenueKeyError) as error:
        return Result(False, reason="the books could not be read for the closing certificate", report=str(error))
    if books.differing or books.state.seq != request.to_seq:
        return Result(False, reason="the running state is not what the records say", report=str(books.differing[:5]))
    made = certificates.body(books.state, books.histories)
    signed = certificates.certify(
        CertificateKind.CLOSING,
        books.state,
        made,
        chain=books.chain,
        time_us=request.time_us,
        window=request.window,
        markets=request.markets,
        key=key,
    )
    certificates.keep(data_dir, signed, made)
    return Result(True, certificate=signed.certificate, signature=signed.signature)


def main() -> None:
    os.nice(NICE)
    try:
        tell(Line(result=close(read_request())))
    except BrokenPipeError:
        sys.exit(1)


if __name__ == "__main__":
    main()
