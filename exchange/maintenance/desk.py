"""What the running venue is asked about maintenance: certificates, proofs, and to have the gates run."""

import asyncio
import sqlite3
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import msgspec
import structlog

from exchange.journal.certified import CertificateError, SignedText
from exchange.journal.errors import JournalError, SegmentAway
from exchange.journal.store import JournalReader
from exchange.maintenance.evidence import certificates, proofs
from exchange.runtime.core.life import Life
from exchange.values.ids import AccountId, seq_of
from exchange.values.people.views import AdminView
from exchange.values.refusals import Code, Refusal
from exchange.values.times import utc_text
from exchange.values.windows.certificate import CertificateId
from exchange.values.windows.plan import WindowId
from exchange.values.windows.views import CertificatesView, SignedCertificate

#: Certificates whose statements are kept in memory for proofs: the last window's closing and opening.
KEPT_CERTIFICATES: Final = 2
#: Proofs waiting to be made at one time; reading the statements of a large venue takes a second.
MAX_WAITING: Final = 100

_NO_CERTIFICATE: Final = Refusal(Code.RESOURCE_NOT_FOUND, "No certificate of that window is on record")
_TOO_MANY: Final = Refusal(Code.TOO_MANY_REQUESTS, "Too many proofs are being made")
_AWAY: Final = "Certificates from {} to {} are in an archive that can't be reached at present"
_NO_STATEMENTS: Final = Refusal(
    Code.SERVER_ERROR, "The proof can't be made: what is kept with its certificate is missing or damaged"
)
_UNREADABLE: Final = Refusal(Code.SERVER_ERROR, "The certificates can't be read")

RunGates = Callable[[WindowId, AdminView, str], Refusal | None]

_log = structlog.get_logger(__name__)


class Desk:
    """Implements `runtime.core.venue.Desk`."""

    def __init__(self, life: Life, run_gates: RunGates) -> None:
        self._life = life
        self.run_gates = run_gates
        self._recorded: dict[CertificateId, SignedText] = {}
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._read = lru_cache(KEPT_CERTIFICATES)(certificates.read)

    async def certificates(self, limit: int) -> CertificatesView | Refusal:
        state = self._life.state
        newest = sorted(state.issued, reverse=True)[:limit]
        await self._life.settled()
        try:
            found = await self._fetch(newest)
        except (JournalError, OSError, sqlite3.Error) as error:
            return _unread(error)
        return CertificatesView(
            state.venue_keys,
            tuple(
                SignedCertificate(certificate_id, seq_of(certificate_id), signed.text, signed.signature)
                for certificate_id, signed in found.items()
            ),
        )

    async def proof(self, account: AccountId, window: WindowId | None) -> bytes | Refusal:
        state = self._life.state
        if window is None and state.issued:
            window = state.issued[max(state.issued)]
        if window is None:
            return _NO_CERTIFICATE
        if self._waiting >= MAX_WAITING:
            return _TOO_MANY
        self._waiting += 1
        try:
            async with self._turn:
                await self._life.settled()
                found = await self._fetch([of for of, which in state.issued.items() if which == window])
                # Of a window that the state has let go of it may still know the opening one.
                if not found or (window and proofs.window_certificates(found, window)[0] is None):
                    found |= await asyncio.to_thread(certificates.long_ago, self._life.data_dir, window)
                if not found:
                    return _NO_CERTIFICATE
                proof = await asyncio.to_thread(
                    proofs.prove, self._life.data_dir, state.venue_keys, account, window, found, self._read
                )
        except proofs.NotOpenYet as error:
            return Refusal(Code.RESOURCE_NOT_FOUND, f"There is no proof: {error}")
        except CertificateError as error:
            # On record, and so not "not found"; where our files lie is the operators' to know alone.
            _log.error("proof_not_made", folder=str(self._life.data_dir / certificates.FOLDER), reason=str(error))
            return _NO_STATEMENTS
        except (JournalError, OSError, sqlite3.Error) as error:
            return _unread(error)
        finally:
            self._waiting -= 1
        return msgspec.json.encode(proof)

    async def _fetch(self, wanted: list[CertificateId]) -> dict[CertificateId, SignedText]:
        """The certificates as they stand in their records, remembered while the state knows of them.

        Raises:
            JournalError
        """
        known = self._recorded
        missing = [certificate_id for certificate_id in wanted if certificate_id not in known]
        if missing:
            known = known | await asyncio.to_thread(self._look_up, missing)
            issued = self._life.state.issued
            self._recorded = {of: signed for of, signed in known.items() if of in issued}
        return {certificate_id: known[certificate_id] for certificate_id in wanted}

    def _look_up(self, wanted: list[CertificateId]) -> dict[CertificateId, SignedText]:
        with JournalReader(self._life.data_dir) as journal:
            return {
                certificate_id: signed
                for wanted_id in wanted
                for certificate_id, signed in certificates.recorded(journal, seq_of(wanted_id), seq_of(wanted_id))
            }


def _unread(error: JournalError | OSError | sqlite3.Error) -> Refusal:
    _log.error("certificates_unread", reason=str(error))
    if isinstance(error, SegmentAway):
        return Refusal(Code.MAINTENANCE, _AWAY.format(utc_text(error.first_time_us), utc_text(error.last_time_us)))
    return _UNREADABLE
