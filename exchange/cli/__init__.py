"""The command line: `exchange --help`. Commands live in a file per subject; `main` is the entry point."""

import os
import sys

import typer

from exchange.cli import admin, books, demo, drill, explain, found, recover, rehearse, serve
from exchange.cli.exits import Exit, console
from exchange.journal.privacy import UMASK
from exchange.values.text import visible

app = typer.Typer(
    help="An exchange that proves its books before it reopens.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # locals may hold secrets
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _part in (serve.app, demo.app, found.app, books.app, rehearse.app, recover.app):
    app.registered_commands += _part.registered_commands
app.add_typer(books.journal, name="journal")
app.add_typer(admin.app, name="admin")
app.add_typer(explain.explaining, name="explain")
app.add_typer(explain.incidents, name="incident")
app.add_typer(drill.app, name="drill")


def main() -> None:
    os.umask(UMASK)  # every process we start has it from us
    try:
        _require_text(sys.argv[1:])
        app()
    except OSError as error:
        if error.filename is None:
            raise
        console.print(f"exchange: {visible(str(error.filename))}: {error.strerror}", markup=False, soft_wrap=True)
        sys.exit(Exit.USAGE)


def _require_text(arguments: list[str]) -> None:
    """Bytes that are no UTF-8 could be neither signed nor recorded."""
    for argument in arguments:
        if not argument.isascii():
            try:
                argument.encode()
            except UnicodeEncodeError:
                console.print(f"exchange: {argument!r} is not text in UTF-8", markup=False, soft_wrap=True)
                sys.exit(Exit.USAGE)
