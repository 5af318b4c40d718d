"""`exchange drill july3`: does the exchange still refuse to open on wrong books?"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from exchange.cli.exits import Exit, console, result, stop
from exchange.maintenance.drill import run
from exchange.maintenance.drill.faults import CONTROL, FAULTS
from exchange.maintenance.drill.morning import MIN_ACCOUNTS
from exchange.maintenance.drill.run import Drill, StageFailed, Verdict

app = typer.Typer(help="Practise what must never happen.")


@app.callback()
def _drill() -> None:
    """Practise what must never happen."""


@app.command()
def july3(
    accounts: Annotated[int, typer.Option(min=MIN_ACCOUNTS, help="Accounts that are funded.")] = 5_000,
    trades: Annotated[int, typer.Option(min=1, help="Trades before the window.")] = 20_000,
    only: Annotated[str, typer.Option(help="Only faults with this in their name.")] = "",
    keep: Annotated[Path | None, typer.Option(help="A new or empty folder; everything is left in it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdicts as JSON.")] = False,
) -> None:
    """Trade, close for maintenance, restart and reopen; then again with each fault of the catalogue.

    Runs on loopback in folders of its own, with a clock of its own. Ends with 15 if a fault passes.
    """
    faults = [fault for fault in FAULTS if only in fault.name]
    if not faults:
        stop(Exit.USAGE, f"no fault has {only!r} in its name", "; ".join(fault.name for fault in FAULTS))
    if keep is not None and keep.exists() and any(keep.iterdir()):
        stop(Exit.USAGE, f"{keep} is not empty")
    with nullcontext(str(keep)) if keep is not None else tempfile.TemporaryDirectory(prefix="drill-") as folder:
        try:
            with _progress() as progress:
                verdicts = list(Drill(Path(folder), keep is not None).run(accounts, trades, faults, progress))
        except StageFailed as error:
            stop(Exit.BUG, str(error))
    places = {fault.name: place for place, fault in enumerate([CONTROL, *faults])}
    verdicts.sort(key=lambda verdict: places[verdict.fault])
    if as_json:
        result(msgspec.json.format(msgspec.json.encode(verdicts)))
    else:
        Console().print(table(verdicts))
    failed = [verdict for verdict in verdicts if verdict.problem]
    for verdict in failed:
        console.print(f"{verdict.fault}: {verdict.problem}", style="red", markup=False, soft_wrap=True)
    raise typer.Exit(Exit.FAULT_PASSED if failed else Exit.OK)


@contextmanager
def _progress() -> Iterator[run.Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


def table(verdicts: list[Verdict]) -> Table:
    """One line per case."""
    shown = Table("fault", "caught by", "taker trades", "named", "", title="A window, and what could be wrong after it")
    shown.columns[3].ratio = 1
    for verdict in verdicts:
        shown.add_row(
            escape(verdict.fault),
            _caught_by(verdict),
            str(verdict.taker_trades),
            escape("\n".join(verdict.named)),
            "FAILED" if verdict.problem else "ok",
        )
    return shown


def _caught_by(verdict: Verdict) -> str:
    """The guards by their kind; not the core's refusals, which follow on any other's, unless they were asked for."""
    if not verdict.expected:
        return "" if verdict.problem else "nobody; it reopened"
    asked = verdict.expected.startswith("core")
    kinds: dict[str, list[str]] = {}
    for guard in verdict.caught_by:
        kind, _, name = guard.partition(": ")
        if asked or kind != "core":
            kinds.setdefault(kind, []).append(name)
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in kinds.items())
