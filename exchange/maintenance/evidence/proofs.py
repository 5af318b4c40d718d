"""A user's own proof: their statement at closing and at opening, and that the venue signed for both.

The document is self-contained JSON; `clients/python/verify_proof.py` checks it without any code of ours.
It reveals of others nothing but hashes.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from exchange.core import State
from exchange.maintenance.evidence import certificates, merkle
from exchange.maintenance.evidence.certificates import Body, CertificateError
from exchange.values.ids import AccountId, seq_of
from exchange.values.windows.certificate import Certificate, CertificateId, CertificateKind, VenueKey
from exchange.values.windows.plan import WindowId

#: Of the document; the verifier reads one format.
FORMAT: Final = 1

#: Reads what is kept with a certificate.
Reader = Callable[[Path, Certificate, str], Body]


class Part(msgspec.Struct, frozen=True):
    """One certificate and one account's way to its root.

    `statement` is the exact text that was hashed, `salt` and the siblings in `path` are hexadecimal,
    `recorded_seq` is the record the certificate stands in.
    """

    certificate: Certificate
    signature: str
    recorded_seq: int
    statement: str
    salt: str
    path: tuple[tuple[str, bool], ...]


class Proof(msgspec.Struct, frozen=True):
    """`opening` is None while the window has not been certified for opening."""

    format: int
    account: AccountId
    window: WindowId
    venue_keys: tuple[VenueKey, ...]
    closing: Part | None
    opening: Part | None


def part(
    data_dir: Path,
    certificate: Certificate,
    signature: str,
    recorded_seq: int,
    account: AccountId,
    read: Reader = certificates.read,
) -> Part:
    """Raises CertificateError: what is kept is damaged, or the account had no statement then."""
    kept = read(data_dir, certificate, signature)
    try:
        index = kept.index(account)
    except ValueError as error:
        raise CertificateError(f"account {account} was not open yet") from error
    return Part(
        certificate,
        signature,
        recorded_seq,
        kept.statements[index].decode(),
        certificates.salt(kept.secret, account).hex(),
        tuple((sibling.hex(), on_the_right) for sibling, on_the_right in merkle.path(kept.leaves, index)),
    )


def window_certificates(state: State, window: WindowId) -> tuple[CertificateId | None, CertificateId | None]:
    """The closing certificate of a window and the newest opening one, as far as they are on record."""
    found: dict[CertificateKind, CertificateId] = {}
    for certificate_id, certificate in state.certificates.items():
        if certificate.window == window:
            found[certificate.kind] = certificate_id
    return found.get(CertificateKind.CLOSING), found.get(CertificateKind.OPENING)


def prove(
    data_dir: Path,
    state: State,
    account: AccountId,
    window: WindowId,
    signatures: Mapping[CertificateId, str],
    read: Reader = certificates.read,
) -> Proof:
    """The proof of one account over one window; `signatures` are those the certificates were recorded with.

    `read` is `certificates.read`, or one that remembers what it has read.

    Raises:
        CertificateError: what is kept beside a certificate is missing or damaged, or the account had no statement then.
    """
    parts = [
        None
        if certificate_id is None
        else part(
            data_dir,
            state.certificates[certificate_id],
            signatures[certificate_id],
            seq_of(certificate_id),
            account,
            read,
        )
        for certificate_id in window_certificates(state, window)
    ]
    return Proof(FORMAT, account, window, state.venue_keys, *parts)
