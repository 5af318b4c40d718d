"""A user's own proof: their statement at closing and at opening, and that the venue signed for both.

The document is self-contained JSON; `clients/python/verify_proof.py` checks it without any code of ours.
It reveals of others nothing but hashes.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from exchange.journal.certified import SignedText
from exchange.maintenance.evidence import certificates, merkle
from exchange.maintenance.evidence.certificates import Body
from exchange.values.ids import AccountId, seq_of
from exchange.values.windows.certificate import CertificateId, CertificateKind, VenueKey
from exchange.values.windows.plan import WindowId

#: Of the document; the verifier reads one format.
FORMAT: Final = 1

#: Reads what is kept with a certificate.
Reader = Callable[[Path, SignedText], Body]


class NotOpenYet(Exception):
    """The account had no statement when a certificate was made."""


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """One certificate and one account's way to its root.

    `certificate` is the exact text that was signed, `statement` the exact text that was hashed, `salt` and the
    siblings in `path` are hexadecimal, `recorded_seq` is the record the certificate stands in.
    """

    certificate: str
    signature: str
    recorded_seq: int
    statement: str
    salt: str
    path: tuple[tuple[str, bool], ...]


class Proof(msgspec.Struct, frozen=True, omit_defaults=True):
    """`opening` is None while the window has not been certified for opening."""

    format: int
    account: AccountId
    window: WindowId
    venue_keys: tuple[VenueKey, ...]
    closing: Part | None
    opening: Part | None


def part(
    data_dir: Path,
    signed: SignedText,
    recorded_seq: int,
    account: AccountId,
    read: Reader = certificates.read,
) -> Part:
    """Raises CertificateError: what is kept is missing or damaged. NotOpenYet"""
    kept = read(data_dir, signed)
    try:
        index = kept.index(account)
    except ValueError as error:
        raise NotOpenYet(f"account {account} was not open yet") from error
    return Part(
        signed.text,
        signed.signature,
        recorded_seq,
        kept.statements[index].decode(),
        certificates.salt(kept.secret, account).hex(),
        tuple((sibling.hex(), on_the_right) for sibling, on_the_right in merkle.path(kept.leaves, index)),
    )


def window_certificates(
    signed: Mapping[CertificateId, SignedText], window: WindowId
) -> tuple[CertificateId | None, CertificateId | None]:
    """The closing certificate of a window and the newest opening one, as far as they are among these."""
    found: dict[CertificateKind, CertificateId] = {}
    for certificate_id, each in sorted(signed.items()):
        if each.certificate.window == window:
            found[each.certificate.kind] = certificate_id
    return found.get(CertificateKind.CLOSING), found.get(CertificateKind.OPENING)


def prove(
    data_dir: Path,
    venue_keys: tuple[VenueKey, ...],
    account: AccountId,
    window: WindowId,
    signed: Mapping[CertificateId, SignedText],
    read: Reader = certificates.read,
) -> Proof:
    """The proof of one account over one window; `signed` holds its certificates as they are on record.

    `read` is `certificates.read`, or one that remembers what it has read.

    Raises:
        CertificateError: what is kept beside a certificate is missing or damaged.
        NotOpenYet: the account had no statement then.
    """
    parts = [
        None
        if certificate_id is None
        else part(
            data_dir,
            signed[certificate_id],
            seq_of(certificate_id),
            account,
            read,
        )
        for certificate_id in window_certificates(signed, window)
    ]
    return Proof(FORMAT, account, window, venue_keys, *parts)
