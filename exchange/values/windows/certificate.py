"""Certificates, the gates they speak of, and the venue's keys.

A certificate is signed as text: JSON, compact, UTF-8. The text is what is recorded, kept, shown and checked, never
an encoding of what was read from it. A field of a newer build is carried in it and left unread: what it says is
told and proved, nothing is done by it.
"""

from enum import StrEnum, unique
from typing import Final, NewType

import msgspec

from exchange.values.base import Part
from exchange.values.ids import AdminId
from exchange.values.windows.plan import WindowId

CertificateId = NewType("CertificateId", int)


@unique
class Gate(StrEnum):
    """What must be shown before a step up; `rules.gates` says which step asks for which, and who may waive it."""

    CHAIN = "chain"
    FOLDS = "folds"
    REHEARSAL = "rehearsal"
    INVARIANTS = "invariants"
    STATEMENTS = "statements"
    HISTORY = "history"
    CUSTODY = "custody"
    ORACLE = "oracle"
    FLOORS = "floors"


class GateResult(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a gate found. `evidence` is one public line; what it names of accounts goes to the operators' report.

    `waived_by` are the two admins who let a failed gate pass.
    """

    gate: Gate
    passed: bool
    evidence: str
    waived_by: tuple[AdminId, ...] = ()


@unique
class CertificateKind(StrEnum):
    CLOSING = "closing"
    OPENING = "opening"


class AssetTotal(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Atoms of one asset: on users' accounts, the venue's own, custody and clearing (`values.enums.Holder`)."""

    asset: str
    users_atoms: int
    venue_atoms: int
    custody_atoms: int
    clearing_atoms: int = 0

    @property
    def over_atoms(self) -> int:
        """What they sum to: zero, or the books are broken."""
        return self.users_atoms + self.venue_atoms + self.custody_atoms + self.clearing_atoms


class Certificate(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What the venue says of its books as of `as_of_seq`, for a scope.

    `markets` empty: the whole venue. `root` is the Merkle root (hex) over `statements` salted leaves of
    statement version `statement_version`; `chain` (hex) is the record chain at `as_of_seq`. An
    opening certificate names the closing one it was held against (`closing_id` 0: none, an unplanned
    start) and carries the result of every gate.
    """

    kind: CertificateKind
    venue: str
    build: str
    markets: tuple[str, ...]
    window: WindowId
    as_of_seq: int
    time_us: int
    chain: str
    statement_version: int
    statements: int
    root: str
    totals: tuple[AssetTotal, ...]
    public_key: str
    closing_id: CertificateId = CertificateId(0)
    gates: tuple[GateResult, ...] = ()


#: What a signed text says. Raises msgspec.MsgspecError: it is none of a certificate.
read_certificate: Final = msgspec.json.Decoder(Certificate).decode


class VenueKey(Part, frozen=True):
    """A key the venue signs with from `since_seq` on; `until_seq` 0: still. Revoked: nothing it signed counts.

    It is in no text that is signed: the state holds it, and refuses one with a field of a newer build.
    """

    public_key: str
    since_seq: int
    until_seq: int = 0
    revoked: bool = False
