"""A data folder as an exchange leaves it: real journal, witness, snapshots, read models, from a venue in memory."""

import sqlite3
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
from nacl.signing import SigningKey

from exchange.core import State, fold
from exchange.core.digest import digest
from exchange.journal import snapshots
from exchange.journal.certified import SignedText
from exchange.journal.layout import witness_path
from exchange.journal.store import JournalReader, open_writing
from exchange.journal.witness import Witness
from exchange.maintenance.evidence import certificates
from exchange.maintenance.evidence.gates import Proving
from exchange.maintenance.evidence.history import Histories
from exchange.maintenance.evidence.messages import Request, Verdict
from exchange.runtime.build import build_id
from exchange.runtime.follower.read_models import FILE_NAME, ReadModelWriter
from exchange.runtime.follower.read_models.lists import ENTRY, Entry, entries
from exchange.values.enums import Mode
from exchange.values.ids import AccountId
from exchange.values.modes.commands import SetMode
from exchange.values.orders.commands import PlaceOrder
from exchange.values.process.commands import StartProcess
from exchange.values.process.events import Faulted
from exchange.values.record import GENESIS_CHAIN, Record, encode, link
from exchange.values.windows.certificate import CertificateId, CertificateKind
from exchange.values.windows.commands import Certify
from exchange.values.windows.events import CertificateIssued
from exchange.values.windows.plan import WindowId
from tests.core.windows import by_hand as m
from tests.properties.flow import START, command, random_choices
from tests.venue import ADMIN, Venue, signing_key

KEY = SigningKey(bytes(range(32)))
#: Those of `tests.venue`'s founder, and of whoever is the second approver.
SIGNS = tuple(signing_key(number) for number in (2, *range(700, 720)))
SEED = b64encode(bytes(KEY)).decode()


class Books:
    """An open venue with four accounts and a random past; `write` puts it on disk."""

    def __init__(self, data_dir: Path, trades: int = 300, build: str | None = None) -> None:
        data_dir.mkdir(exist_ok=True)
        self.data_dir = data_dir
        self.venue = venue = Venue(venue_key=b64encode(bytes(KEY.verify_key)).decode(), signs=SIGNS)
        self.second = m.second_approver(venue)
        venue.expect(StartProcess(build_id() if build is None else build, True))
        venue.open()
        self.accounts: list[AccountId] = [venue.account(START) for _ in range(4)]
        for choice in random_choices(5, trades):
            if choice[0] != 13:
                venue.do(command(venue, self.accounts, choice))

    def close(self) -> WindowId:
        """Begin a window and issue its closing certificate, as the exchange does; returns the window."""
        window = m.plan(self.venue)
        m.begin(self.venue, window)
        self.certify_closing(window)
        return window

    def certify_closing(self, window: WindowId, forged: bool = False) -> CertificateId:
        """`forged`: all is as it should be, but the signature."""
        venue = self.venue
        state, histories, chain = self.read_back()
        made = certificates.body(state, histories)
        signed = certificates.certify(
            CertificateKind.CLOSING,
            state,
            made,
            chain=chain,
            time_us=venue.time_us,
            window=window,
            markets=venue.state.windows[window].plan.markets,
            key=KEY,
        )
        if forged:
            signed = SignedText(signed.text, b64encode(bytes(64)).decode())
        certificates.keep(self.data_dir, signed, made)
        [issued] = venue.expect(Certify(signed.text, signed.signature))
        assert isinstance(issued, CertificateIssued)
        return issued.certificate_id

    def read_back(self) -> tuple[State, Histories, bytes]:
        """State, histories and chain after the last record."""
        state, histories, chain = State(), Histories(), GENESIS_CHAIN
        for record in self.venue.records:
            histories.see(state, record)
            fold(state, record)
            chain = link(chain, encode(record))
        return state, histories, chain

    def signed(self) -> dict[CertificateId, SignedText]:
        """Every certificate on record."""
        events = (event for record in self.venue.records for event in record.events)
        return {e.certificate_id: SignedText(e.text, e.signature) for e in events if isinstance(e, CertificateIssued)}

    def write(self) -> None:
        """Journal, witness and read models."""
        write_records(self.data_dir, self.venue.records)

    def snapshot(self) -> None:
        state, _, chain = self.read_back()
        snapshots.write(self.data_dir, state, chain)

    def prove(self, window: WindowId = m.NO_WINDOW, live: bool = True) -> Verdict:
        """Run the gates on what is on disk."""
        request = Request(
            data=str(self.data_dir),
            seed=SEED,
            time_us=self.venue.time_us,
            window=window,
            live_seq=self.venue.state.seq if live else 0,
            live_digest=digest(self.venue.state) if live else "",
        )
        return Proving(request, lambda said: None).run()

    def report(self, verdict: Verdict) -> str:
        return (self.data_dir / "reports" / f"{verdict.report}.md").read_text()

    def fault(self, command: PlaceOrder) -> None:
        """A bug stopped this command: it stands on record, and has done nothing."""
        venue = self.venue
        venue.time_us += 1_000
        faulted = Record(venue.state.seq + 1, venue.time_us, command, [Faulted("e-1", command.market)])
        venue.state.seq, venue.state.time_us = faulted.seq, faulted.time_us
        venue.records.append(faulted)

    def shut(self) -> None:
        """OFFLINE by hand, without a window."""
        self.venue.expect(SetMode(ADMIN, Mode.OFFLINE, "test"))


def write_records(data_dir: Path, records: list[Record]) -> None:
    """Those that are not there yet behind those that are, and the read models anew."""
    journal = open_writing(data_dir)
    witness = Witness(witness_path(data_dir))
    witness.begin(journal.genesis, journal.last_seq, journal.last_chain)
    bodies = [encode(record) for record in records[journal.last_seq :]]
    journal.append(journal.last_seq + 1, bodies)
    witness.write(journal.genesis, journal.last_seq, journal.last_chain)
    witness.sync()
    for path in data_dir.glob(f"{FILE_NAME}*"):
        path.unlink()
    models = ReadModelWriter(data_dir / FILE_NAME)
    state, rows = State(), models.rows()
    with JournalReader(data_dir) as reader:
        for batch in reader.checked_batches(1, chain=GENESIS_CHAIN):
            for record, line in zip(batch.records, batch.lines, strict=True):
                rows.add(state, record, line)
                fold(state, record)
    models.write(rows, journal.last_chain)
    models.close()
    journal.close()


def rewrite_list(data_dir: Path, account: AccountId, change: Callable[[Entry], Entry | None]) -> None:
    """Change entries of an account in the read models' index, or leave some out."""
    with closing(sqlite3.connect(data_dir / FILE_NAME)) as models, models:
        for chunk, packed in models.execute(
            "SELECT chunk, entries FROM lists WHERE account = ?", (account,)
        ).fetchall():
            left = [changed for entry in entries(packed) if (changed := change(entry)) is not None]
            assert left != list(entries(packed)), "it changes nothing"
            models.execute(
                "UPDATE lists SET entries = ? WHERE account = ? AND chunk = ?",
                (b"".join(ENTRY.pack(*entry) for entry in left), account, chunk),
            )


def as_json(value: object) -> object:
    """What a client gets to see of a struct."""
    return msgspec.json.decode(msgspec.json.encode(value))
