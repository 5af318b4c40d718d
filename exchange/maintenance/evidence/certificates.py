"""Certificates: built from a state and its histories, signed by the venue, kept, and verified.

A certificate's folder, `<data>/certificates/<kind>-<as_of_seq>/`, holds what a proof needs beside it:

    certificate.json   the certificate's text and its signature
    secret.json        what the salts are derived from: it keeps statements unguessable
    statements.jsonl   one line per account: the statement, in the order of the leaves
    histories.jsonl    the accounts' histories, from which a later reading of the records goes on
"""

import os
import secrets
from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec
from nacl.signing import SigningKey

from exchange.core import State
from exchange.journal.certified import CertificateError, SignedText
from exchange.journal.privacy import make_folder, open_private
from exchange.journal.store import JournalReader
from exchange.maintenance.evidence import history, merkle
from exchange.maintenance.evidence.history import Histories
from exchange.maintenance.evidence.statements import STATEMENT_VERSION, statements, totals
from exchange.values.ids import AccountId, seq_of
from exchange.values.windows.certificate import (
    Certificate,
    CertificateId,
    CertificateKind,
    GateResult,
)
from exchange.values.windows.events import CertificateIssued
from exchange.values.windows.plan import WindowId

FOLDER: Final = "certificates"
#: Certificates looked at for those of a window, and records gone through from where one was made to its own.
MAX_FOLDERS: Final = 1_000
MAX_LATER: Final = 200_000
_SECRET_BYTES: Final = 32
_encode = msgspec.json.Encoder().encode


class Body(msgspec.Struct, frozen=True):
    """A certificate's content before it has gates and a signature, and what stands behind its root."""

    secret: bytes
    accounts: tuple[AccountId, ...]
    statements: tuple[bytes, ...]
    leaves: tuple[bytes, ...]
    root: bytes
    histories: Histories

    def index(self, account: AccountId) -> int:
        """Where the account's leaf stands. Raises ValueError: it has none."""
        return self.accounts.index(account)


def body(state: State, histories: Histories, version: int = STATEMENT_VERSION, secret: bytes | None = None) -> Body:
    """State every account and hash the statements up to one root."""
    secret = secrets.token_bytes(_SECRET_BYTES) if secret is None else secret
    stated = list(statements(state, histories, version))
    leaves = tuple(merkle.leaf(salt(secret, account), line) for account, line in stated)
    accounts = tuple(account for account, _ in stated)
    return Body(secret, accounts, tuple(line for _, line in stated), leaves, merkle.root(leaves), histories)


def salt(secret: bytes, account: AccountId) -> bytes:
    """The salt of one leaf: told to the account it belongs to, and no use for any other."""
    return blake2b(str(account).encode(), digest_size=16, key=secret).digest()


def certify(
    kind: CertificateKind,
    state: State,
    made: Body,
    *,
    chain: bytes,
    time_us: int,
    window: WindowId,
    markets: Sequence[str],
    key: SigningKey,
    closing_id: CertificateId | None = None,
    gates: Sequence[GateResult] = (),
    version: int = STATEMENT_VERSION,
) -> SignedText:
    """Sign for the state as it stands at `state.seq`, whose record chain is `chain`.

    Raises:
        CertificateError: the key is not the venue's key in force.
    """
    public_key = b64encode(bytes(key.verify_key)).decode()
    if public_key != state.venue_public_key:
        raise CertificateError("the signing key is not the venue's key in force")
    certificate = Certificate(
        kind=kind,
        venue=state.venue,
        build=state.build,
        markets=tuple(markets),
        window=window,
        as_of_seq=state.seq,
        time_us=time_us,
        chain=chain.hex(),
        statement_version=version,
        statements=len(made.statements),
        root=made.root.hex(),
        totals=totals(state),
        public_key=public_key,
        closing_id=closing_id or CertificateId(0),
        gates=tuple(gates),
    )
    text = _encode(certificate)
    return SignedText(text.decode(), b64encode(key.sign(text).signature).decode())


# --- on disk -----------------------------------------------------------------------------------------


def folder(data_dir: Path, certificate: Certificate) -> Path:
    return data_dir / FOLDER / f"{certificate.kind}-{certificate.as_of_seq}"


def keep(data_dir: Path, signed: SignedText, made: Body) -> None:
    """Write the certificate's folder: whole, or not at all."""
    target = folder(data_dir, signed.certificate)
    make_folder(target.parent)
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    make_folder(draft)
    _write(draft / "statements.jsonl", b"\n".join(made.statements) + b"\n")
    _write(draft / "histories.jsonl", history.dump(made.histories) + b"\n")
    _write(draft / "secret.json", _encode(_Kept(made.secret.hex(), made.accounts)))
    _write(draft / "certificate.json", _encode(signed) + b"\n")
    if target.exists():
        # Made again at the same seq, with other gates or after a crash: the journal's signature says which counts.
        target.rename(target.with_name(f".{target.name}.replaced.{secrets.token_hex(4)}"))
    draft.rename(target)
    _sync(target.parent)


def _write(path: Path, content: bytes) -> None:
    with open(open_private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read(data_dir: Path, on_record: SignedText) -> Body:
    """What was kept with a certificate that is on record, checked against it to the last byte.

    Raises:
        CertificateError: it is not there, or not what the certificate says.
    """
    certificate = on_record.certificate
    place = folder(data_dir, certificate)
    try:
        signed = msgspec.json.decode((place / "certificate.json").read_bytes(), type=SignedText)
        kept = msgspec.json.decode((place / "secret.json").read_bytes(), type=_Kept)
        lines = tuple((place / "statements.jsonl").read_bytes().splitlines())
        histories = history.load((place / "histories.jsonl").read_bytes().splitlines())
        secret = bytes.fromhex(kept.secret)
    except OSError as error:  # its text names the folder, which is nobody's to know
        raise CertificateError(f"{place.name}/{Path(error.filename or '').name}: {error.strerror}") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise CertificateError(f"{place.name}: {error}") from error
    if signed != on_record:
        raise CertificateError(f"{place.name} is not the certificate on record")
    if len(secret) != _SECRET_BYTES:
        raise CertificateError(f"{place.name}: the secret has {len(secret)} bytes instead of {_SECRET_BYTES}")
    if len(lines) != len(kept.accounts):
        raise CertificateError(f"{place.name}: {len(lines)} statements for {len(kept.accounts)} accounts")
    leaves = tuple(merkle.leaf(salt(secret, account), line) for account, line in zip(kept.accounts, lines, strict=True))
    root = merkle.root(leaves)
    if root.hex() != certificate.root:
        raise CertificateError(f"{place.name}: the statements do not lead to the signed root")
    return Body(secret, kept.accounts, lines, leaves, root, histories)


# --- on record ---------------------------------------------------------------------------------------


def recorded(journal: JournalReader, from_seq: int, to_seq: int) -> Iterator[tuple[CertificateId, SignedText]]:
    """Every certificate in these records. Raises JournalError."""
    for record in journal.records(from_seq, to_seq):
        for event in record.events:
            if isinstance(event, CertificateIssued):
                yield event.certificate_id, SignedText(event.text, event.signature)


def long_ago(data_dir: Path, window: WindowId) -> dict[CertificateId, SignedText]:
    """The certificates of a window that the state has let go of; those that are kept say where in the journal they are.

    Raises:
        JournalError: they can't be looked up now, as where an archive is away.
        CertificateError: none is found, and what is kept of one can't be read: it may be this window's.
    """
    found: dict[CertificateId, SignedText] = {}
    unreadable: list[str] = []
    with JournalReader(data_dir) as journal:
        end_seq, _ = journal.last()
        for signed in _kept_of(data_dir, window, unreadable):
            made_seq = signed.certificate.as_of_seq
            for certificate_id, each in recorded(journal, made_seq + 1, min(made_seq + MAX_LATER, end_seq)):
                if each == signed:
                    found[certificate_id] = each
                    break
    first = CertificateKind.CLOSING if window else CertificateKind.OPENING
    if unreadable and first not in (each.certificate.kind for each in found.values()):
        raise CertificateError(f"can't be read: {', '.join(unreadable)}")
    return found


def _kept_of(data_dir: Path, window: WindowId, unreadable: list[str]) -> Iterator[SignedText]:
    """What is kept of a window, whose certificates are all made after it was planned; notes what can't be read."""
    seqs = {}
    for path in (data_dir / FOLDER).glob("[!.]*-*"):
        kind, _, seq = path.name.rpartition("-")
        if kind in tuple(CertificateKind) and seq.isdigit() and int(seq) > seq_of(window):
            seqs[int(seq), kind] = path
    for _, path in sorted(seqs.items())[:MAX_FOLDERS]:
        try:
            signed = msgspec.json.decode((path / "certificate.json").read_bytes(), type=SignedText)
            wanted = signed.certificate.window == window
        except (OSError, msgspec.MsgspecError, CertificateError):
            unreadable.append(path.name)
            continue
        if wanted:
            yield signed


class _Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """`secret.json`; a field of a newer build is left unread, as in `certificate.json`."""

    secret: str
    accounts: tuple[AccountId, ...]
