"""`exchange init` and `exchange keygen`: found a venue in an empty data folder; make keys."""

import asyncio
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from nacl.signing import SigningKey

from exchange.cli import logs
from exchange.cli.exits import Exit, console, result, stop
from exchange.cli.folder import exit_of, keep_to_us
from exchange.cli.keys import KeyFile, read_key, write_private
from exchange.cli.listing import GenesisTable
from exchange.cli.settings import ConfigOption, DataOption, Settings, load
from exchange.core import State, decide
from exchange.journal.client import WriterClient
from exchange.journal.errors import JournalError, NoJournal
from exchange.journal.recovery import require_journal
from exchange.journal.signatures import sign
from exchange.runtime.clock import SystemClock
from exchange.values.enums import Role
from exchange.values.listings.specs import SpecError
from exchange.values.people.admins import AdminSpec
from exchange.values.process.commands import Genesis
from exchange.values.process.events import Refused
from exchange.values.record import Record, encode

app = typer.Typer()


def example_settings() -> Path:
    """The commented settings file that comes with the package; the demo founds its venue from it."""
    return Path(str(files("exchange.cli") / "example.toml"))


def venue_key_path(data: Path) -> Path:
    return data / "keys" / "venue.json"


def admin_key_path(data: Path) -> Path:
    return data / "keys" / "admin.json"


def found(settings: Settings, table: GenesisTable) -> None:
    """Make the venue's key and the first admin's, and write the first record.

    Ends the program if the listings would not keep exact books, or the record can't be written.
    """
    keep_to_us(settings)
    venue, admin = _kept_key(venue_key_path(settings.data)), _kept_key(admin_key_path(settings.data))
    first_admin = AdminSpec(admin.name, admin.api_key, tuple(Role))
    try:
        asyncio.run(_write_first_record(settings, table.command(venue.api_key, (first_admin,)), admin.signing_key()))
    except SpecError as error:
        stop(Exit.USAGE, f"[genesis]: {error}")
    except JournalError as error:
        stop(Exit.JOURNAL_FAILED, str(error))


def is_founded(settings: Settings) -> bool:
    """Whether the data folder holds a venue's records. Ends the program where it did and they are gone, or harmed."""
    try:
        require_journal(settings.data, settings.witness)
    except NoJournal:
        return False
    except JournalError as error:
        stop(exit_of(error), str(error))
    return True


def _kept_key(path: Path) -> KeyFile:
    """The key at `path`, made if it isn't there: an `init` cut short goes on with the same keys."""
    if not path.exists():
        write_private(path, KeyFile.generate(path.stem))
    return read_key(path)


async def _write_first_record(settings: Settings, genesis: Genesis, founder: SigningKey) -> None:
    """Signed by the founder, and so from the first record on every command of an admin is proved."""
    time_us = SystemClock().now_us()
    events = decide(State(), time_us, genesis)
    match events:
        case [Refused(message=message)]:
            raise SpecError(message)
    failed: list[str] = []
    writer = await WriterClient.start(
        settings.data, on_durable=lambda _seq: None, on_failed=failed.append, witness_dir=settings.witness
    )
    writer.append(1, [encode(Record(1, time_us, genesis, events, (sign(genesis, founder, time_us),)))])
    await writer.close()
    if failed:
        raise JournalError(failed[0])


@app.command()
def init(
    config: ConfigOption = None,
    data: DataOption = None,
    example: Annotated[bool, typer.Option("--example", help="Only print a commented settings file.")] = False,
) -> None:
    """Found a venue in an empty data folder, from the genesis table of the settings file.

    The key of the first admin, who holds every role, is put into <data>/keys/admin.json.
    """
    if example:
        typer.echo(example_settings().read_text(), nl=False)
        return
    settings = load(config, data=data)
    if settings.genesis is None:
        stop(Exit.USAGE, "no [genesis] table in the settings", "exchange init --example > exchange.toml writes one")
    if is_founded(settings):
        stop(Exit.USAGE, f"{settings.data} holds a journal already; a venue is founded once")
    logs.configure(settings.log_level, settings.log_format)
    found(settings, settings.genesis)
    console.print(f"Founded [bold]{settings.genesis.venue}[/] in {settings.data}; next: exchange serve")
    console.print(f"The first admin signs with {admin_key_path(settings.data)}")
    console.print("The venue is one person until a second approver is added: exchange admin admin add --help")


@app.command()
def keygen(
    file: Annotated[Path, typer.Argument(help="Where the key pair is put (mode 0600).")],
    name: Annotated[str, typer.Option(help="A name for people; by default the file's.")] = "",
) -> None:
    """Make an Ed25519 key pair for a trader or an admin, and print the public key."""
    if file.exists():
        stop(Exit.USAGE, f"{file} is there already; keys are never written over")
    key = KeyFile.generate(name or file.stem)
    write_private(file, key)
    result(key.api_key)
