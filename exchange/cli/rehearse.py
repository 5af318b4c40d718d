"""`exchange rehearse`: would this build have decided the past as it was decided?"""

from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.exits import Exit, progress, result, stop
from exchange.cli.folder import exit_of, need_journal
from exchange.journal.errors import JournalError
from exchange.maintenance.evidence import rehearsal

app = typer.Typer()


@app.command()
def rehearse(
    journal: Annotated[Path, typer.Option(help="A data folder, or a restored copy of one.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Decide every recorded command again with this build, before it goes near the exchange, and list each difference.

    Works on a copy, on any machine; changes nothing. Ends with 0 if there is no difference, 14 if there is.
    """
    need_journal(journal)
    try:
        with progress("Deciding the records again") as show_progress:
            report = rehearsal.rehearse(journal, show_progress)
    except JournalError as error:
        stop(exit_of(error), str(error))
    result(report.to_json() if as_json else report.text())
    raise typer.Exit(Exit.OK if report.clean else Exit.DECIDES_OTHERWISE)
