"""One pass over the records that gathers what the gates judge.

The records are checked against the chain, decided again, taken into the histories, and folded; and
on the way the state is held against whatever else claims to know it: the snapshots of earlier
processes, the closing statements, the running state's own digest.
"""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import msgspec

from exchange.core import State
from exchange.core.digest import digest
from exchange.core.ledger import postings
from exchange.journal import checkpoint, snapshots
from exchange.journal.certified import CertificateError, SignedText, check_signature
from exchange.journal.errors import CheckpointRefused, JournalDamaged, JournalError, SnapshotDamaged, UnknownFormat
from exchange.journal.recovery import fold_batch
from exchange.journal.store import JournalReader
from exchange.maintenance.evidence import certificates, history, statements
from exchange.maintenance.evidence.certificates import Body
from exchange.maintenance.evidence.comparison import AccountDifference, compare
from exchange.maintenance.evidence.history import Histories
from exchange.maintenance.evidence.rehearsal import Rehearsal
from exchange.values.ids import AccountId, seq_of
from exchange.values.record import GENESIS_CHAIN, Record
from exchange.values.windows.certificate import Certificate, CertificateId

Progress = Callable[[int, int], None]
#: (account, asset, bucket) to atoms.
Moves = dict[tuple[AccountId, str, str], int]


class Closing(msgspec.Struct, frozen=True):
    """The closing certificate that the opening is held against: as it stands on record, and what it says."""

    certificate_id: CertificateId
    signed: SignedText
    certificate: Certificate


class Evidence:
    """What the pass found. `state` and `histories` are those at the journal's end."""

    def __init__(self, data_dir: Path, reader: JournalReader) -> None:
        self._data_dir = data_dir
        self._reader = reader
        self._snapshots: dict[int, Path] = {}
        self._leg: State | None = None
        self.state = State()
        self.histories = Histories()
        self.chain = GENESIS_CHAIN
        self.from_seq = 0
        self.rehearsal = Rehearsal()
        #: What is wrong with chain and folds, in words.
        self.broken_chain: list[str] = []
        #: The record the pass ended at because it can't be trusted; 0: none.
        self.damaged_seq = 0
        self.broken_folds: list[str] = []
        self.agreed: list[int] = []
        #: Set once the closing certificate's seq was passed: what differs there, and what records have moved since.
        self.closing_differences: tuple[AccountDifference, ...] | None = None
        self.closing_balances: Moves = {}
        self.moved_since: Moves = defaultdict(int)
        self._since_closing = False

    def gather(self, closing: Closing | None, live: tuple[int, str] | None, progress: Progress) -> None:
        """Read the records to the end. What is found broken ends the pass early, and is said."""
        self._begin(closing)
        end_seq, _ = self._reader.last()
        self._snapshots = {
            int(path.stem): path
            for path in snapshots.newest_first(self._data_dir)
            if self.state.seq <= int(path.stem) <= end_seq
        }
        stops = set(self._snapshots) | {end_seq}
        if closing is not None:
            stops.add(closing.certificate.as_of_seq)
        if live is not None and self.state.seq <= live[0] <= end_seq:
            stops.add(live[0])
        try:
            for stop in sorted(stops):
                self._fold_to(stop, end_seq, progress)
                self._look(stop, closing, live)
        except JournalDamaged as error:
            self.broken_chain.append(str(error))
            self.damaged_seq = error.seq
        except JournalError as error:
            self.broken_chain.append(str(error))
        if self._leg is not None and not self.broken_chain and digest(self._leg) != digest(self.state):
            self.broken_folds.append(f"the newest snapshot leads to another state at record {end_seq}")

    def _begin(self, closing: Closing | None) -> None:
        """From the last checkpoint before the closing, if the histories it was signed with are there; else genesis."""
        try:
            found = checkpoint.newest(self._data_dir, self._reader.genesis())
        except CheckpointRefused as error:
            self.broken_folds.append(str(error))
            return
        if found is None or (closing is not None and found[0].seq > closing.certificate.as_of_seq):
            return
        signed, state = found
        histories = checkpoint.histories(self._data_dir, signed)
        if histories is None:
            return
        self.histories = history.load(histories.splitlines())
        self.state, self.chain, self.from_seq = state, bytes.fromhex(signed.chain), signed.seq

    def _fold_to(self, stop: int, end_seq: int, progress: Progress) -> None:
        if stop <= self.state.seq:
            return
        for batch in self._reader.checked_batches(self.state.seq + 1, stop, self.chain):
            fold_batch(self.state, batch, self._see)
            if self._leg is not None:
                fold_batch(self._leg, batch)
            self.chain = batch.chain
            progress(self.state.seq, end_seq)

    def _see(self, state: State, record: Record) -> None:
        self.rehearsal.see(state, record)
        self.histories.see(state, record)
        if self._since_closing:
            for event in record.events:
                for _, leg in postings(state, event):
                    self.moved_since[leg.account, leg.asset, leg.bucket] += leg.atoms

    def _look(self, seq: int, closing: Closing | None, live: tuple[int, str] | None) -> None:
        if self.state.seq != seq:
            return
        if seq in self._snapshots:
            self._hold_against_snapshot(self._snapshots[seq])
        if live is not None and live[0] == seq and digest(self.state) != live[1]:
            self.broken_folds.append(f"the running state at record {seq} is not what its records lead to")
        if closing is not None and closing.certificate.as_of_seq == seq:
            self._hold_against_closing(closing)

    def _hold_against_snapshot(self, path: Path) -> None:
        """A snapshot holds the state as the process that made it knew it."""
        try:
            header, loaded = snapshots.load(path)
        except (SnapshotDamaged, UnknownFormat) as error:
            if path.exists():
                self.broken_folds.append(str(error))
            return
        reached = digest(self.state)
        if header.chain != self.chain.hex():
            self.broken_folds.append(f"snapshot {path.name} was not made at this journal's record {header.seq}")
        elif header.digest != reached or digest(loaded) != reached:
            self.broken_folds.append(
                f"snapshot {path.name}, made by build {header.build}, holds another state than its records lead to"
                + "".join(f"; {line}" for line in self._snapshot_differences(loaded))
            )
        elif self._leg is not None and digest(self._leg) != reached:
            self.broken_folds.append(f"the snapshot before {path.name} leads to another state there")
        else:
            self.agreed.append(header.seq)
            self._leg = loaded

    def _snapshot_differences(self, loaded: State) -> list[str]:
        """What differs, account by account: the snapshot's side before, the fold's after."""
        then = certificates.body(loaded, self.histories, secret=bytes(32))
        now = certificates.body(self.state, self.histories, secret=bytes(32))
        return [f"account {found.account} {line}" for found in compare(then, now) for line in found.lines]

    def _hold_against_closing(self, closing: Closing) -> None:
        """The statements as this build makes them, against those that were signed."""
        try:
            # The record could have been forged with its whole chain; the venue's signature can't.
            check_signature(closing.signed, self.state.venue_keys, seq_of(closing.certificate_id))
            signed = certificates.read(self._data_dir, closing.signed)
        except CertificateError as error:
            self.broken_folds.append(str(error))
            return
        if closing.certificate.chain != self.chain.hex():
            self.broken_chain.append(
                f"record {closing.certificate.as_of_seq} is not the one the closing certificate was signed at"
            )
        version = closing.certificate.statement_version
        if version not in statements.VERSIONS:
            self.broken_folds.append(
                f"the closing statements are of version {version}, which build {closing.certificate.build} made and"
                f" this build can't: it knows {', '.join(map(str, statements.VERSIONS))}"
            )
            return
        differences = compare(signed, certificates.body(self.state, self.histories, version, bytes(32)))
        self.closing_differences = (*differences, *self._unexplained(version))
        self.closing_balances = balances(signed)
        self._since_closing = True

    def _unexplained(self, version: int) -> list[AccountDifference]:
        """Accounts for whom this build states something in fields that are newer than the closing statements."""
        newest = statements.STATEMENT_VERSION
        if version == newest:
            return []
        found = []
        for account, line in statements.statements(self.state, self.histories, newest):
            names = statements.unexplained_new_fields(msgspec.json.decode(line), version)
            if names:
                lines = tuple(f"{name}: not stated at closing, and not at its initial value" for name in names)
                found.append(AccountDifference(account, lines))
        return found


def balances(body: Body) -> Moves:
    """What each account's statement says it holds."""
    held: Moves = {}
    for account, line in zip(body.accounts, body.statements, strict=True):
        for asset, buckets in msgspec.json.decode(line)["balances"].items():
            for bucket, atoms in buckets.items():
                held[account, asset, bucket] = atoms
    return held
