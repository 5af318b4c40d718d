"""The gates of an opening: `python -m exchange.maintenance.evidence.gates`, a process beside the exchange.

Speaks as `messages` says. All gates passed, or waived by two approvers: the verdict carries the signed opening
certificate. The report for operators, with every account, asset, amount and order, is in `<data>/reports/`.
"""

import os
import shutil
import sqlite3
import time
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from nacl.signing import SigningKey

from exchange.core import State
from exchange.core.invariants import violations
from exchange.core.modes.clearance import waived_by
from exchange.journal import checkpoint, segments, witness
from exchange.journal.certified import SignedText
from exchange.journal.errors import JournalError
from exchange.journal.layout import whole_file, witness_path
from exchange.journal.recovery import without_collection
from exchange.journal.store import JournalReader
from exchange.maintenance.evidence import certificates, history, shown_history
from exchange.maintenance.evidence.gather import Closing, Evidence, balances
from exchange.maintenance.evidence.messages import Finding, GatesReport, Progress, Request, Said, Verdict, speak
from exchange.maintenance.evidence.statements import totals
from exchange.rules.gates import GATES
from exchange.runtime.build import build_id
from exchange.values.ids import seq_of
from exchange.values.windows.certificate import CertificateKind, Gate, GateResult, read_certificate
from exchange.values.windows.events import CertificateIssued

#: The exchange does not reopen with less room than this: an hour of a busy day's records, and a state's worth.
MIN_FREE_DISK_BYTES: Final = 512 * 2**20
MIN_FREE_MEMORY_BYTES: Final = 256 * 2**20
#: How long the read models may take to catch up with the journal's end.
READ_MODELS_WAIT_S: Final = 60.0
_PROGRESS_S: Final = 0.2


class Proving:
    """Runs the gates of one request."""

    def __init__(self, request: Request, say: Callable[[Said], None]) -> None:
        self._request = request
        self._data_dir = Path(request.data)
        self._wanted = request.gates or tuple(GATES)
        self._say = say
        self._said_at = 0.0
        self._findings: list[Finding] = []

    def run(self) -> Verdict:
        """Raises JournalError: there is no journal to prove."""
        started = time.monotonic()
        with without_collection(), JournalReader(self._data_dir) as reader:
            evidence = Evidence(self._data_dir, reader)
            closing = self._closing(reader)
            live = (self._request.live_seq, self._request.live_digest) if self._request.live_digest else None
            self._chain_outside(reader, evidence)
            evidence.gather(closing, live, lambda done, total: self._progress(Gate.FOLDS, done, total))
            self._judge(evidence, closing, live)
            results = self._results(evidence.state)
            report = self._report(evidence, time.monotonic() - started)
            failed = [result for result in results if not result.passed and not result.waived_by]
            if failed:
                reason = f"gate {failed[0].gate} failed: {failed[0].evidence}"
                return Verdict(False, results, reason, report)
            signed = self._sign(reader, evidence, closing, results)
        return Verdict(True, results, "all gates passed or waived", report, signed)

    # --- what the records can't tell of themselves ---

    def _closing(self, reader: JournalReader) -> Closing | None:
        """The window's closing certificate, from the record it stands in; None if that can't be reached."""
        end_seq, _ = reader.last()
        try:
            for record in reader.records(seq_of(self._request.window) or end_seq + 1, end_seq):
                for event in record.events:
                    if isinstance(event, CertificateIssued):
                        certificate = read_certificate(event.text)
                        if certificate.kind is CertificateKind.CLOSING and certificate.window == self._request.window:
                            return Closing(event.certificate_id, SignedText(event.text, event.signature), certificate)
        except JournalError:
            pass  # the pass over the records meets it too, and says what is damaged
        return None

    def _chain_outside(self, reader: JournalReader, evidence: Evidence) -> None:
        """The witness, and the files of sealed segments."""
        path = witness_path(self._data_dir, Path(self._request.witness) if self._request.witness else None)
        try:
            witness.require_agreement(path, reader)
            for segment in segments.manifest(self._data_dir):
                segments.require_whole(segment, segment.home(self._data_dir))
        except JournalError as error:
            evidence.broken_chain.append(str(error))

    # --- judging ---

    def _judge(self, evidence: Evidence, closing: Closing | None, live: tuple[int, str] | None) -> None:
        state = evidence.state
        if evidence.damaged_seq:
            evidence.broken_chain += shown_history.shown_at(self._data_dir, evidence.damaged_seq)
        began = f"checkpoint {evidence.from_seq}" if evidence.from_seq else "genesis"
        self._found(
            Gate.CHAIN, evidence.broken_chain, f"whole from {began} to record {state.seq}, not behind the witness"
        )
        agreed = f"{len(evidence.agreed)} snapshots" + (" and the running state" if live is not None else "")
        self._found(Gate.FOLDS, evidence.broken_folds, f"the fold from {began} agrees with {agreed}")
        self._rehearsal(evidence)
        self._found(Gate.INVARIANTS, violations(state), "all hold")
        self._statements(evidence, closing)
        self._history(evidence)
        self._custody(state)
        self._oracle(state)
        self._floors()

    def _found(self, gate: Gate, broken: list[str], evidence: str) -> None:
        """A finding from what is wrong, in words; `evidence` is what to say if nothing is."""
        count = len(broken)
        said = evidence if not count else f"{count} finding{'s' if count > 1 else ''}"
        self._findings.append(Finding(gate, not broken, said, tuple(broken)))

    def _rehearsal(self, evidence: Evidence) -> None:
        rehearsal = evidence.rehearsal
        lines = []
        for difference in rehearsal.differences:
            lines.append(f"record {difference.seq}: {difference.command} was decided {difference.recorded}")
            lines.append(f"record {difference.seq}: this build decides {difference.rehearsed}")
            lines += [
                f"record {difference.seq}: account {m.account} {m.asset} {m.bucket}: {m.recorded_atoms:+} atoms "
                f"on record, {m.rehearsed_atoms:+} rehearsed"
                for m in difference.moved
            ]
        said = f"{rehearsal.count} of {rehearsal.records} commands would be decided otherwise"
        if not rehearsal.count:
            said = f"{rehearsal.records} commands decided as they were"
        self._findings.append(Finding(Gate.REHEARSAL, not rehearsal.count, said, tuple(lines)))

    def _statements(self, evidence: Evidence, closing: Closing | None) -> None:
        if closing is None:
            passed = not self._request.window
            said = "no window: held against the snapshots of earlier processes" if passed else "no closing certificate"
            self._findings.append(Finding(Gate.STATEMENTS, passed, said))
            return
        if evidence.closing_differences is None:
            said = f"record {closing.certificate.as_of_seq} of the closing certificate was not reached"
            self._findings.append(Finding(Gate.STATEMENTS, False, said))
            return
        lines = [f"account {found.account}: {line}" for found in evidence.closing_differences for line in found.lines]
        lines += self._unaccounted(evidence)
        accounts = len(evidence.closing_differences)
        said = f"{accounts} account{'s' if accounts != 1 else ''} differ from the closing statements"
        if not lines:
            said = f"{closing.certificate.statements} closing statements, and all that was recorded since, add up"
        self._findings.append(Finding(Gate.STATEMENTS, not lines, said, tuple(lines)))

    def _unaccounted(self, evidence: Evidence) -> list[str]:
        """Balances that are not the closing one plus what the records since have posted."""
        now = balances(certificates.body(evidence.state, evidence.histories, secret=bytes(32)))
        keys = evidence.closing_balances.keys() | now.keys() | evidence.moved_since.keys()
        return [
            f"account {key[0]}: {key[1]} {key[2]}: {was} atoms at closing and {moved:+} recorded since, but {held} now"
            for key in sorted(keys)
            if (was := evidence.closing_balances.get(key, 0)) + (moved := evidence.moved_since.get(key, 0))
            != (held := now.get(key, 0))
        ]

    def _history(self, evidence: Evidence) -> None:
        seq = evidence.state.seq
        try:
            until = time.monotonic() + READ_MODELS_WAIT_S
            while (reached := shown_history.reached(self._data_dir)) < seq and time.monotonic() < until:
                self._progress(Gate.HISTORY, reached, seq)
                time.sleep(_PROGRESS_S)
            if reached < seq:
                broken = [f"the read models have reached record {reached} of {seq}"]
            else:
                found = shown_history.shown(self._data_dir, seq)
                broken = shown_history.untrue(evidence.histories, found)
        except (sqlite3.Error, JournalError) as error:
            broken = [f"the read models can't be read: {error}"]
        self._found(
            Gate.HISTORY, broken, f"orders, fills and postings of {len(evidence.histories.of)} accounts as recorded"
        )

    def _custody(self, state: State) -> None:
        broken = [
            f"{total.asset}: users {total.users_atoms}, venue {total.venue_atoms} and clearing {total.clearing_atoms}"
            f" atoms against custody {-total.custody_atoms}"
            for total in totals(state)
            if total.over_atoms
        ]
        self._found(Gate.CUSTODY, broken, "the custody account equals what is owed (no outside custody is connected)")

    def _oracle(self, state: State) -> None:
        markets = self._request.markets or tuple(state.markets)
        broken = [
            f"{symbol} has no reference price"
            for symbol in markets
            if symbol not in state.markets or not state.markets[symbol].active_price_ticks()
        ]
        self._found(Gate.ORACLE, broken, f"{len(markets)} markets have a reference price (spot needs no oracle)")

    def _floors(self) -> None:
        disk = shutil.disk_usage(self._data_dir).free
        memory = _available_memory_bytes()
        broken = []
        if disk < MIN_FREE_DISK_BYTES:
            broken.append(f"{disk:,} bytes of disk are free, {MIN_FREE_DISK_BYTES:,} are the floor")
        if memory < MIN_FREE_MEMORY_BYTES:
            broken.append(f"{memory:,} bytes of memory are free, {MIN_FREE_MEMORY_BYTES:,} are the floor")
        self._found(Gate.FLOORS, broken, f"{disk >> 20:,} MiB of disk and {memory >> 20:,} MiB of memory are free")

    # --- the end ---

    def _results(self, state: State) -> tuple[GateResult, ...]:
        """The findings of the gates that were asked for, with waivers that two approvers have given."""
        return tuple(
            GateResult(
                finding.gate,
                finding.passed,
                finding.evidence,
                ()
                if finding.passed or not GATES[finding.gate].waivable
                else waived_by(state, self._request.window, finding.gate),
            )
            for finding in self._findings
            if finding.gate in self._wanted
        )

    def _report(self, evidence: Evidence, seconds: float) -> str:
        request = self._request
        report = GatesReport(
            build_id(), request.window, evidence.state.seq, request.time_us, tuple(self._findings), seconds
        )
        name = f"gates-{evidence.state.seq}-{request.time_us}"
        folder = self._data_dir / "reports"
        for ending, content in (("json", msgspec.json.encode(report)), ("md", report.text().encode())):
            with whole_file(folder / f"{name}.{ending}") as file:
                file.write(content)
        return name

    def _sign(
        self, reader: JournalReader, evidence: Evidence, closing: Closing | None, results: tuple[GateResult, ...]
    ) -> SignedText:
        """The opening certificate; and, where everything passed, a checkpoint that the next run begins at."""
        key = SigningKey(b64decode(self._request.seed))
        made = certificates.body(evidence.state, evidence.histories)
        signed = certificates.certify(
            CertificateKind.OPENING,
            evidence.state,
            made,
            chain=evidence.chain,
            time_us=self._request.time_us,
            window=self._request.window,
            markets=self._request.markets,
            key=key,
            closing_id=None if closing is None else closing.certificate_id,
            gates=results,
        )
        certificates.keep(self._data_dir, signed, made)
        if all(finding.passed for finding in self._findings):
            histories = history.dump(evidence.histories)
            checkpoint.sign(self._data_dir, evidence.state, evidence.chain, reader.genesis(), key, histories)
        return signed

    def _progress(self, gate: Gate, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._said_at >= _PROGRESS_S:
            self._said_at = now
            self._say(Said(progress=Progress(gate, done, total)))


def _available_memory_bytes() -> int:
    """What a process could still have: on Linux with what the page cache would give up, elsewhere free pages only."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    speak(lambda request, say: Proving(request, say).run())


if __name__ == "__main__":
    main()
