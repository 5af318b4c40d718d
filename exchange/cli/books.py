"""`exchange verify | backup | restore | journal show | journal archive`: the records, without the exchange."""

import sqlite3
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from exchange.cli.exits import Exit, progress, result, stop
from exchange.cli.folder import exit_of, with_journal
from exchange.cli.found import venue_key_path
from exchange.cli.keys import read_key
from exchange.cli.settings import ConfigOption, DataOption, load
from exchange.journal import backup as backups
from exchange.journal import errors, sealing
from exchange.journal import show as showing
from exchange.journal import verify as verifying
from exchange.journal.recovery import Progress
from exchange.journal.store import JournalReader
from exchange.runtime.follower.read_models import proof as proving
from exchange.values.ids import AccountId, OrderId

#: The greatest number a database can be asked for.
MAX_INT = 2**63 - 1

app = typer.Typer()
journal = typer.Typer(help="Read the records, or move old ones.")


@app.command()
def verify(
    config: ConfigOption = None,
    data: DataOption = None,
    from_genesis: Annotated[bool, typer.Option("--from-genesis", help="Not from the last signed checkpoint.")] = False,
    sign: Annotated[
        bool, typer.Option("--sign", help="Leave a checkpoint signed with the venue's key, to begin at next time.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Fold the records from genesis and from every snapshot; check chain, witness, invariants and digests.

    Decides again what admins and the venue did, checks who signed for it and the certificates on record, and holds the
    history users are shown against the records. Also while the exchange runs. Names the first bad record if
    there is one, and of the history what differs.
    """
    settings = with_journal(config, data)
    try:
        key = read_key(venue_key_path(settings.data)).signing_key() if sign else None
    except (OSError, msgspec.MsgspecError) as error:
        stop(Exit.USAGE, f"can't read the venue's key: {error}")
    try:
        with progress("Folding the records") as show_progress:
            report = verifying.verify(
                settings.data,
                witness_dir=settings.witness,
                from_genesis=from_genesis,
                key=key,
                progress=show_progress,
            )
        with progress("Making the read models again") as show_progress:
            report = _with_read_models(report, settings.data, show_progress)
    except errors.JournalError as error:
        stop(exit_of(error), str(error))
    result(report.to_json() if as_json else report.text())
    raise typer.Exit(Exit.OK if report.ok else Exit.JOURNAL_DAMAGED)


def _with_read_models(report: verifying.Report, data: Path, show_progress: Progress) -> verifying.Report:
    """The report, with what is found in the history users are shown. Raises JournalError."""
    try:
        proof = proving.prove(data, show_progress) if report.ok else None
    except (OSError, sqlite3.Error) as error:
        proof = proving.Proof(0, gave_up=str(error))
    if proof is None:
        return report
    wrong = [f"read models: {what}" for what in proof.differences]
    if proof.gave_up:
        wrong.append(f"the read models could not be proved: {proof.gave_up}")
    return msgspec.structs.replace(
        report,
        ok=not wrong,
        problems=report.problems + tuple(verifying.Problem(what) for what in wrong),
        read_models_seq=None if wrong else proof.seq,
    )


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Copy the journal, also while the exchange runs, and check the copy record by record. Keys are not in it."""
    settings = with_journal(config, data)
    try:
        with progress("Checking the copy") as show_progress:
            made = backups.backup(settings.data, target, witness_dir=settings.witness, progress=show_progress)
    except errors.JournalError as error:
        stop(exit_of(error), str(error))
    result(f"Records 1 to {made.seq} are in {target}, and were read back.")


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(help="A folder that `exchange backup` made.")],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Check a backup and put it into a new or empty data folder. Put the keys back by hand."""
    settings = load(config, data=data)
    try:
        with progress("Checking the backup") as show_progress:
            restored = backups.restore(source, settings.data, witness_dir=settings.witness, progress=show_progress)
    except errors.JournalError as error:
        stop(exit_of(error), str(error))
    result(f"{settings.data} holds records 1 to {restored.seq}; next: exchange serve")


@journal.callback()
def _journal() -> None:
    """Read the records, or move old ones."""


@journal.command()
def show(
    config: ConfigOption = None,
    data: DataOption = None,
    from_seq: Annotated[int, typer.Option("--from", min=1, max=MAX_INT, help="First seq.")] = 1,
    to_seq: Annotated[int | None, typer.Option("--to", min=1, max=MAX_INT, help="Last seq.")] = None,
    last: Annotated[int | None, typer.Option(min=1, max=MAX_INT, help="Only the last so many records.")] = None,
    account: Annotated[
        int | None, typer.Option(min=1, max=MAX_INT, help="Only records that name this account.")
    ] = None,
    order: Annotated[int | None, typer.Option(min=1, max=MAX_INT, help="Only records that name this order.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the records as they are kept, a line each.")] = False,
) -> None:
    """Show records, also while the exchange runs. Each one shown has been checked against the chain."""
    settings = with_journal(config, data)
    try:
        with JournalReader(settings.data) as reader:
            end_seq, _ = reader.last()
        if from_seq > (to_seq or from_seq):
            stop(Exit.USAGE, f"there are no records from {from_seq} to {to_seq}")
        if from_seq > end_seq:
            stop(Exit.USAGE, f"the last record is {end_seq}: there is none from {from_seq} on")
        if last is not None:
            from_seq = max(from_seq, end_seq - last + 1)
        for text in showing.show(
            settings.data,
            from_seq=from_seq,
            to_seq=min(to_seq or end_seq, end_seq),
            account=None if account is None else AccountId(account),
            order=None if order is None else OrderId(order),
            as_json=as_json,
        ):
            result(text)
    except errors.JournalError as error:
        stop(exit_of(error), str(error))


@journal.command()
def archive(
    folder: Annotated[Path, typer.Argument(help="Where they go; it has to stay within reach.")],
    up_to_seq: Annotated[int, typer.Option("--up-to", min=1, max=MAX_INT, help="The last record that may go.")],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Move sealed segments of old records to another folder, also while the exchange runs: all but the newest.

    They are read there from then on: by history, verify, backups and a start that needs them.
    """
    settings = with_journal(config, data)
    try:
        moved = sealing.archive(settings.data, folder, up_to_seq)
    except errors.JournalError as error:
        stop(exit_of(error), str(error))
    except OSError as error:
        stop(Exit.USAGE, f"can't move to {folder}: {error}", "what was moved stays moved; try again")
    if moved:
        result(f"Records {moved[0].first_seq} to {moved[-1].last_seq} are in {folder}.")
    else:
        result(f"No sealed segment but the newest ends at or before record {up_to_seq}, or it is there already.")
