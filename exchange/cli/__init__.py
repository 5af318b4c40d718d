"""The command line: `exchange --help`. Commands live in a file per subject; `main` is the entry point."""

import os

import typer

from exchange.cli import admin, books, demo, drill, explain, found, recover, rehearse, serve
from exchange.journal.privacy import UMASK

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
    app()
