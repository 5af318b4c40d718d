"""Certificates as they stand on record: the text that was signed, and whether the venue signed it."""

from base64 import b64decode
from collections.abc import Callable, Sequence

import msgspec
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from exchange.journal.errors import JournalDamaged, SegmentError
from exchange.values.windows.certificate import Certificate, VenueKey, read_certificate


class CertificateError(ValueError):
    """A certificate, or what is kept beside it, is missing, damaged or not what was signed."""


class SignedText(msgspec.Struct, frozen=True, omit_defaults=True):
    """A certificate as it was signed, and the signature (base64, Ed25519 over the text's UTF-8)."""

    text: str
    signature: str

    @property
    def certificate(self) -> Certificate:
        """What the text says, signed by the venue or not. Raises CertificateError: it is none of a certificate."""
        try:
            return read_certificate(self.text)
        except msgspec.MsgspecError as error:
            raise CertificateError(f"not a certificate: {error}") from error


def check_signature(signed: SignedText, keys: Sequence[VenueKey], recorded_seq: int) -> None:
    """Whether the venue signed this text, with a key that was its own when the certificate was recorded.

    Raises:
        CertificateError
    """
    certificate = signed.certificate
    for key in keys:
        if key.public_key == certificate.public_key and key.since_seq <= recorded_seq:
            if key.revoked:
                raise CertificateError("signed with a key the venue has revoked")
            if key.until_seq and recorded_seq > key.until_seq:
                raise CertificateError("signed with a key the venue had replaced by then")
            break
    else:
        raise CertificateError("signed with a key that was never the venue's")
    try:
        VerifyKey(b64decode(certificate.public_key)).verify(signed.text.encode(), b64decode(signed.signature))
    except (BadSignatureError, ValueError) as error:
        raise CertificateError("the signature is not the venue's") from error


def check_chain(certificate: Certificate, chain_at: Callable[[int], bytes]) -> None:
    """Whether the records up to `as_of_seq` are those it was signed over; `chain_at` says a record's chain value.

    Raises:
        CertificateError: it was signed over others: the past was rewritten under it.
    """
    seq = certificate.as_of_seq
    try:
        chain = chain_at(seq)
    except JournalDamaged as error:
        raise CertificateError(f"record {seq}, which it was signed at, is not there") from error
    except SegmentError:
        # In an archive that is away: before the signed checkpoint at which this pass began, or it would have failed.
        return
    if chain.hex() != certificate.chain:
        raise CertificateError(f"it was signed over other records up to {seq} than these: the past was rewritten")
