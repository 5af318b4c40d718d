"""Records that are really lost: accepted by two approvers, on record, in a new epoch that reuses nothing.

For a journal that ends before what the witness has seen, and when no copy has the rest. Works while the
exchange is stopped. Whatever lies beyond the journal's end (snapshots, checkpoints, read models) is set
aside in `<data>/lost/`, after it has said which accounts it knows to be touched.
"""

import secrets
import sqlite3
import time
from base64 import b64encode
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec
from nacl.signing import SigningKey

from exchange.core import State, decide, fold, next_seq
from exchange.journal import witness
from exchange.journal.errors import BehindWitness
from exchange.journal.layout import checkpoints_dir, snapshots_dir, whole_file, witness_path
from exchange.journal.privacy import make_folder
from exchange.journal.signatures import sign
from exchange.journal.store import JournalReader, open_writing
from exchange.journal.witness import Witness
from exchange.journal.writer import locked
from exchange.runtime.follower.read_models import FILE_NAME
from exchange.runtime.follower.read_models.lists import END_SEQ, FILL, LEGS, ORDER, AccountList, Filter, accounts
from exchange.values.commands import AnyCommand
from exchange.values.enums import Role
from exchange.values.ids import AdminId
from exchange.values.modes.commands import DropToCancelOnly
from exchange.values.process.commands import AcceptLoss
from exchange.values.process.events import Refused
from exchange.values.record import Record, encode
from exchange.values.text import MAX_TEXT

#: Of the two approvers who sign.
TwoKeys = tuple[SigningKey, SigningKey]
#: What is counted of an account: orders, fills, postings.
_COUNTED: Final = (Filter((ORDER,)), Filter((FILL,)), Filter(LEGS))


class LossRefused(Exception):
    """The loss can't be accepted: nothing is lost, or the two who sign may not."""


class TouchedAccount(msgspec.Struct, frozen=True):
    """What the read models still show of an account beyond the journal's end, by number of rows."""

    account: int
    orders: int
    fills: int
    postings: int


class Lost(msgspec.Struct, frozen=True):
    """What was lost and accepted. `touched` None: nothing is left that knows which accounts were touched."""

    epoch: int
    from_seq: int
    to_seq: int
    reason: str
    admins: tuple[AdminId, AdminId]
    touched: tuple[TouchedAccount, ...] | None

    def text(self) -> str:
        return "\n".join(
            [
                f"Records {self.from_seq} to {self.to_seq} are lost; epoch {self.epoch} begins behind them.",
                f"Accepted by admins {self.admins[0]} and {self.admins[1]}: {self.reason}",
                *touched_lines(self.touched),
            ]
        )


def touched_lines(touched: tuple[TouchedAccount, ...] | None) -> list[str]:
    """For a person: one line per account that lost records touched, as far as anything knows."""
    if touched is None:
        return ["Nothing is left that knows which accounts were touched."]
    lines = [f"Accounts known to be touched: {len(touched)}"]
    for one in touched:
        lines.append(f"  account {one.account}: {one.orders} orders, {one.fills} fills, {one.postings} postings")
    return lines


def missing(data_dir: Path, witness_dir: Path | None = None) -> tuple[int, int, str] | None:
    """First and last lost seq, and the witness's chain value (hex) there; None if nothing is missing.

    Raises:
        JournalError: the journal or the witness can't be read, or don't belong together.
    """
    path = witness_path(data_dir, witness_dir)
    with JournalReader(data_dir) as reader:
        try:
            witness.require_agreement(path, reader)
        except BehindWitness as error:
            seen = witness.read(path)
            assert seen is not None
            return error.journal_seq + 1, error.witness_seq, seen.chain
    return None


def accept_loss(data_dir: Path, keys: TwoKeys, reason: str, witness_dir: Path | None = None) -> Lost:
    """Start a new epoch behind the lost range. `keys` are those of the two who sign.

    Raises:
        LossRefused: nothing has changed.
        JournalError: the journal can't be read or written, or the exchange is running.
    """
    with locked(data_dir):
        found = missing(data_dir, witness_dir)
        if found is None:
            raise LossRefused("nothing is lost: the journal reaches as far as the witness has seen")
        from_seq, to_seq, chain = found
        state, record = _decided(data_dir, keys, reason, to_seq, chain)
        touched = touched_since(data_dir, from_seq)
        _set_aside(data_dir, data_dir / "lost" / f"{from_seq}-{to_seq}-{secrets.token_hex(4)}", from_seq)
        _write(data_dir, record, witness_dir)
        command = record.command
        assert isinstance(command, AcceptLoss)
        admins = (command.first_admin, command.second_admin)
        lost = Lost(state.epoch, from_seq, to_seq, reason, admins, touched)
    reports = data_dir / "reports"
    with whole_file(reports / f"loss-epoch-{lost.epoch}.json") as file:
        file.write(msgspec.json.format(msgspec.json.encode(lost)) + b"\n")
    return lost


def accept_missing_witness(data_dir: Path, keys: TwoKeys, reason: str, witness_dir: Path | None = None) -> int:
    """Go on with a new witness where there is none any more; returns the seq of the record that says so.

    Whether the journal lost records meanwhile nobody can tell, so the venue goes to CANCEL_ONLY at most, on
    record with both approvers: leaving it takes evidence.

    Raises:
        LossRefused: nothing has changed.
        JournalError: the journal can't be read or written, or the exchange is running.
    """
    with locked(data_dir):
        if witness.read(witness_path(data_dir, witness_dir)) is not None:
            raise LossRefused("the witness is there")
        state = _all_that_is_left(data_dir)
        one, other = _approvers(state, keys)
        said = f"the witness was lost; admins {one} and {other} go on without it: {reason}"
        record = _recorded(state, DropToCancelOnly(said[:MAX_TEXT]), keys)
        if not reason.strip():
            raise LossRefused("a reason is needed")
        _write(data_dir, record, witness_dir)
    return record.seq


def _approvers(state: State, keys: TwoKeys) -> tuple[AdminId, AdminId]:
    """Two different people who may approve. Raises LossRefused."""
    one, other = (state.admin_of(b64encode(bytes(key.verify_key)).decode()) for key in keys)
    if one is None or other is None or one == other:
        raise LossRefused("two different admins must sign")
    if any(Role.APPROVER not in state.admins[admin].roles for admin in (one, other)):
        raise LossRefused("both must have the role approver")
    return one, other


def _all_that_is_left(data_dir: Path) -> State:
    """The fold of the journal from genesis; no snapshot is believed. Raises JournalError."""
    state = State()
    with JournalReader(data_dir) as reader:
        for record in reader.records():
            fold(state, record)
    return state


def _recorded(state: State, command: AnyCommand, keys: TwoKeys) -> Record:
    """The record a command becomes, signed with both keys, and folded. Raises LossRefused: the core refuses it."""
    time_us = max(time.time_ns() // 1000, state.time_us)
    events = decide(state, time_us, command)
    if events and isinstance(events[0], Refused):
        raise LossRefused(events[0].message)
    signed = tuple(sign(command, key, time_us) for key in keys)
    record = Record(next_seq(state, command), time_us, command, events, signed)
    fold(state, record)
    return record


def _decided(data_dir: Path, keys: TwoKeys, reason: str, to_seq: int, chain: str) -> tuple[State, Record]:
    """The record that accepts the loss, and the state after it: the fold of all that is left, from genesis.

    Raises:
        LossRefused, JournalError
    """
    state = _all_that_is_left(data_dir)
    one, other = _approvers(state, keys)
    return state, _recorded(state, AcceptLoss(one, other, to_seq, chain, reason), keys)


def _write(data_dir: Path, record: Record, witness_dir: Path | None) -> None:
    journal = open_writing(data_dir)
    try:
        journal.append(record.seq, [encode(record)])
        seen = Witness(witness_path(data_dir, witness_dir))
        seen.begin(journal.genesis, journal.last_seq, journal.last_chain)
        seen.write(journal.genesis, journal.last_seq, journal.last_chain)
        seen.sync()
    finally:
        journal.close()


def touched_since(data_dir: Path, from_seq: int) -> tuple[TouchedAccount, ...] | None:
    """The accounts with history beyond the journal's end, if the read models had come that far."""
    path = data_dir / FILE_NAME
    if not path.exists():
        return None
    touched = []
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as models:
            if models.execute("SELECT seq FROM progress").fetchone()[0] < from_seq:
                return None
            for account in sorted(accounts(models)):
                held = AccountList(models, account)
                found = [held.rank(wanted, END_SEQ) - held.rank(wanted, from_seq) for wanted in _COUNTED]
                if any(found):
                    touched.append(TouchedAccount(account, *found))
    except sqlite3.Error:
        return None
    return tuple(touched)


def _set_aside(data_dir: Path, aside: Path, from_seq: int) -> None:
    """Move what was made of lost records out of the way; the read models are made again from the journal."""
    beyond = [
        path
        for folder in (snapshots_dir(data_dir), checkpoints_dir(data_dir))
        if folder.exists()
        for path in folder.iterdir()
        if path.name.split(".")[0].isdigit() and int(path.name.split(".")[0]) >= from_seq
    ]
    beyond += list(data_dir.glob(f"{FILE_NAME}*"))
    if beyond:
        make_folder(aside)
    for path in beyond:
        path.rename(aside / path.name)
