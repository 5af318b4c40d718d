"""Signed checkpoints: "verified from genesis to seq N", so that a check of the whole history need not begin anew.

`<data>/checkpoints/<seq>.json` is the state there (a snapshot), `<seq>.signed.json` the statement, signed with
the venue's Ed25519 key, and `<seq>.histories.jsonl` the accounts' histories up to there, where whoever verified leaves
them. Believing a checkpoint is believing that key; `verify` can always begin at genesis instead.
The signature is over the statement's bytes as they are kept, so a newer build's field in it is passed over, and signed.
"""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec
from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey

from exchange.core import State
from exchange.core.digest import digest
from exchange.journal import snapshots
from exchange.journal.errors import CheckpointRefused, SnapshotDamaged, UnknownFormat
from exchange.journal.formats import require_format
from exchange.journal.layout import checkpoints_dir, whole_file

FORMAT: Final = 1
_KEPT: Final = 2
_SIGNED: Final = ".signed.json"
_HISTORIES: Final = ".histories.jsonl"
#: Begins what is signed, so that no signature of the venue's can be taken for another kind.
_DOMAIN: Final = b"exchange checkpoint\n"


class Checkpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """The statement: the journal with identity `genesis` was verified from its first record to `seq`.

    `chain` and `digest` (hex) are those after `seq`; `public_key` is base64. `histories` is the BLAKE2b-256 (hex) of
    the file of histories left with it, "" if none was.
    """

    format: int
    genesis: str
    seq: int
    time_us: int
    chain: str
    digest: str
    build: str
    public_key: str
    histories: str = ""


class _File(msgspec.Struct, frozen=True, omit_defaults=True):
    """`statement` is a Checkpoint as it was signed; `signature` is base64."""

    statement: msgspec.Raw
    signature: str


def sign(
    data_dir: Path, state: State, chain: bytes, genesis: str, key: SigningKey, histories: bytes = b""
) -> Checkpoint:
    """State that everything up to a state was verified, and keep that state and `histories`; older checkpoints go."""
    folder = checkpoints_dir(data_dir)
    snapshots.write(data_dir, state, chain, folder=folder)
    if histories:
        with whole_file(folder / f"{state.seq}{_HISTORIES}") as file:
            file.write(histories)
    public_key = b64encode(bytes(key.verify_key)).decode()
    checkpoint = Checkpoint(
        format=FORMAT,
        genesis=genesis,
        seq=state.seq,
        time_us=state.time_us,
        chain=chain.hex(),
        digest=digest(state),
        build=state.build,
        public_key=public_key,
        histories=_hash(histories) if histories else "",
    )
    statement = msgspec.json.encode(checkpoint)
    signature = b64encode(key.sign(_DOMAIN + statement).signature).decode()
    with whole_file(folder / f"{state.seq}{_SIGNED}") as file:
        file.write(msgspec.json.encode(_File(msgspec.Raw(statement), signature)) + b"\n")
    for seq in _seqs(data_dir)[_KEPT:]:
        for ending in (_SIGNED, _HISTORIES, ".json"):
            (folder / f"{seq}{ending}").unlink(missing_ok=True)
    return checkpoint


def newest(data_dir: Path, genesis: str, public_key: str | None = None) -> tuple[Checkpoint, State] | None:
    """The newest checkpoint and the state at it; None if none was ever signed.

    It must be signed with `public_key` (base64; None: the key the venue was founded with).

    Raises:
        CheckpointRefused: it is of another journal, its state is damaged, or its signature is not good.
    """
    seqs = _seqs(data_dir)
    if not seqs:
        return None
    path = checkpoints_dir(data_dir) / f"{seqs[0]}{_SIGNED}"
    try:
        held = msgspec.json.decode(path.read_bytes(), type=_File)
        require_format(path, held.statement, FORMAT)
        checkpoint = msgspec.json.decode(held.statement, type=Checkpoint)
        header, state = snapshots.load(checkpoints_dir(data_dir) / f"{seqs[0]}.json")
    except (OSError, msgspec.MsgspecError, SnapshotDamaged, UnknownFormat) as error:
        raise CheckpointRefused(
            f"checkpoint {seqs[0]} can't be read: {error}; bring it back from a backup, or move {path} away and verify"
            " from an older one or from genesis"
        ) from error
    try:
        VerifyKey(b64decode(checkpoint.public_key)).verify(_DOMAIN + bytes(held.statement), b64decode(held.signature))
    except (CryptoError, ValueError, Base64Error) as error:
        raise CheckpointRefused(f"checkpoint {seqs[0]} does not carry a good signature") from error
    if checkpoint.public_key != (public_key or state.venue_public_key):
        raise CheckpointRefused(f"checkpoint {seqs[0]} is signed with another key than the venue's")
    stated = (checkpoint.genesis, checkpoint.seq, checkpoint.chain, checkpoint.digest)
    if stated != (genesis, header.seq, header.chain, digest(state)):
        raise CheckpointRefused(f"checkpoint {seqs[0]} is not about this journal, or not about the state beside it")
    return checkpoint, state


def histories(data_dir: Path, checkpoint: Checkpoint) -> bytes | None:
    """What was left with a checkpoint; None: nothing was, or it is not there as it was signed for."""
    try:
        content = (checkpoints_dir(data_dir) / f"{checkpoint.seq}{_HISTORIES}").read_bytes()
    except FileNotFoundError:
        return None
    return content if _hash(content) == checkpoint.histories else None


def _hash(content: bytes) -> str:
    return blake2b(content, digest_size=32).hexdigest()


def _seqs(data_dir: Path) -> list[int]:
    """The seqs of the checkpoints there are, newest first."""
    names = (path.name.removesuffix(_SIGNED) for path in checkpoints_dir(data_dir).glob(f"*{_SIGNED}"))
    return sorted((int(name) for name in names if name.isdigit()), reverse=True)
