"""How the commands end: one number per reason, so that a supervisor or a script can tell them apart."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum, unique
from typing import NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from exchange.values.text import visible, visible_lines

#: What is said on the way; results go to standard output.
console = Console(stderr=True, highlight=False)


@unique
class Exit(IntEnum):
    """Exit codes; `MEANING` says each in a sentence."""

    OK = 0
    BUG = 1
    USAGE = 2
    PORT_IN_USE = 3
    DATA_LOCKED = 4
    NOT_FOUNDED = 5
    JOURNAL_DAMAGED = 6
    BEHIND_WITNESS = 7
    CLOCK_BEHIND = 8
    JOURNAL_FAILED = 9
    STATE_DOUBTFUL = 10
    REFUSED = 11
    UNREACHABLE = 12
    BACKUP_FAILED = 13
    DECIDES_OTHERWISE = 14
    FAULT_PASSED = 15
    NOT_PRIVATE = 16


MEANING = {
    Exit.OK: "done",
    Exit.BUG: "a bug of ours; the traceback is above",
    Exit.USAGE: "wrong options, settings or input files",
    Exit.PORT_IN_USE: "a port is taken by another program",
    Exit.DATA_LOCKED: "another process has this data folder open",
    Exit.NOT_FOUNDED: "the data folder holds no journal yet",
    Exit.JOURNAL_DAMAGED: "a record is missing, changed or unreadable, or a check of the books failed",
    Exit.BEHIND_WITNESS: "the journal is gone, or ends before what the witness has seen: records are missing",
    Exit.CLOCK_BEHIND: (
        "this machine's clock can't be right: behind the journal's last record, or far ahead of it and not kept by NTP"
    ),
    Exit.JOURNAL_FAILED: (
        "the journal could not be written (disk full, a file of it removed or replaced, lost lock, a writer that hangs)"
    ),
    Exit.STATE_DOUBTFUL: "the state in memory could not be trusted, so the process ended; start it again",
    Exit.REFUSED: "the exchange refused the request",
    Exit.UNREACHABLE: "no exchange answers at that address",
    Exit.BACKUP_FAILED: "a backup is not whole, or the folder it is to go into is not empty",
    Exit.DECIDES_OTHERWISE: "this build would decide recorded commands otherwise than they were decided",
    Exit.FAULT_PASSED: "the drill: a fault was not caught as it should be, or the exchange did not reopen without one",
    Exit.NOT_PRIVATE: "others on this machine can get at the data folder; the message names the command that ends it",
}


def result(text: str | bytes) -> None:
    """Print what a command was asked for. Records, and whoever answers, may have put anything into it."""
    typer.echo(visible_lines(text if isinstance(text, str) else text.decode()))


def table(*head: str, title: str = "", show_lines: bool = False) -> Table:
    return Table(*head, title=visible(title), show_lines=show_lines)


def row(to: Table, *cells: str) -> None:
    """Add a row; what stands in it is text and nothing else."""
    to.add_row(*(Text(visible_lines(cell)) for cell in cells))


def stop(code: Exit, message: str, hint: str = "") -> NoReturn:
    """End the program with a message for the person in front of it."""
    console.print("exchange: ", end="", style="red")
    console.print(visible_lines(message), markup=False, soft_wrap=True)
    if hint:
        console.print(visible_lines(hint), style="dim", markup=False, soft_wrap=True)
    raise typer.Exit(code)


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar for long work, on a terminal; what it yields takes the seq reached and the last one."""
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda seq, last_seq: bar.update(task, completed=seq, total=last_seq)
