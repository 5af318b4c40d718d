"""`exchange recover`: what to do when the journal ends before what the witness has seen."""

from base64 import b64encode
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from nacl.signing import SigningKey

from exchange.cli import logs
from exchange.cli.exits import Exit, result, stop
from exchange.cli.folder import exit_of, keep_to_us, with_journal
from exchange.cli.keys import KeyFile, read_key
from exchange.cli.settings import ConfigOption, DataOption
from exchange.journal.errors import JournalError
from exchange.maintenance import loss

app = typer.Typer()


@app.command()
def recover(
    config: ConfigOption = None,
    data: DataOption = None,
    accept: Annotated[
        bool, typer.Option("--accept-loss", help="Give the missing records up for good. Look for every copy first.")
    ] = False,
    without_witness: Annotated[
        bool, typer.Option("--accept-missing-witness", help="Go on with a new witness. Look for the old one first.")
    ] = False,
    key: Annotated[list[Path] | None, typer.Option(help="Key file of an approver; give two, of two people.")] = None,
    reason: Annotated[str, typer.Option(help="Why the records can't be had back. Public, and for ever.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print what was lost as JSON.")] = False,
) -> None:
    """Say which records are missing; with --accept-loss, go on without them in a new epoch.

    The lost range is recorded with both approvers and the reason, the accounts known to be touched are listed,
    and no id of the range is given again. The next start needs all gates and two approvals. With
    --accept-missing-witness, go on where the witness itself is gone: the venue then opens no further than CANCEL_ONLY
    without evidence.
    """
    settings = with_journal(config, data)
    logs.configure(settings.log_level, settings.log_format)
    keep_to_us(settings)
    if without_witness:
        _new_witness(settings.data, settings.witness, key or [], reason)
        return
    try:
        found = loss.missing(settings.data, settings.witness)
    except JournalError as error:
        stop(exit_of(error), str(error))
    if found is None:
        result("Nothing is missing: the journal reaches as far as the witness has seen.")
        return
    if not accept:
        result("\n".join(loss.touched_lines(loss.touched_since(settings.data, found[0]))))
        stop(
            Exit.BEHIND_WITNESS,
            f"records {found[0]} to {found[1]} are missing",
            "find them in a backup or an archive; or exchange recover --accept-loss --key ONE --key OTHER --reason ...",
        )
    keys = _two_keys(key or [])
    try:
        lost = loss.accept_loss(settings.data, keys, reason, settings.witness)
    except loss.LossRefused as error:
        stop(Exit.REFUSED, str(error))
    except JournalError as error:
        stop(exit_of(error), str(error))
    result(msgspec.json.encode(lost) if as_json else lost.text())


def _new_witness(data: Path, witness: Path | None, key: list[Path], reason: str) -> None:
    keys = _two_keys(key)
    try:
        seq = loss.accept_missing_witness(data, keys, reason, witness)
    except loss.LossRefused as error:
        stop(Exit.REFUSED, str(error))
    except JournalError as error:
        stop(exit_of(error), str(error))
    result(f"A new witness begins at record {seq}, which says who accepted that and why.")


def _two_keys(paths: list[Path]) -> tuple[SigningKey, SigningKey]:
    if len(paths) != 2:
        stop(Exit.USAGE, "two approvers sign: give --key twice")
    try:
        one, other = (_signing_key(read_key(path)) for path in paths)
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        stop(Exit.USAGE, f"can't read a key file: {error}")
    return one, other


def _signing_key(file: KeyFile) -> SigningKey:
    """Raises ValueError."""
    key = file.signing_key()
    if b64encode(bytes(key.verify_key)).decode() != file.api_key:
        raise ValueError(f"the two halves of {file.name}'s key don't belong together")
    return key
