"""`exchange explain` and `exchange incident`: what happened, told from records; also while the exchange runs."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer

from exchange.cli.admin_windows import UNITS_S
from exchange.cli.exits import Exit, progress, result, stop
from exchange.cli.folder import exit_of, with_journal
from exchange.cli.settings import ConfigOption, DataOption
from exchange.journal.errors import JournalError, NotPrivate
from exchange.journal.privacy import make_folder, require_safe_parents
from exchange.journal.recovery import Progress
from exchange.maintenance.evidence.reading import Span, SpanError, span
from exchange.maintenance.stories import explain, incident, incident_text
from exchange.maintenance.stories.story import Story, UnknownSubject
from exchange.values.ids import AccountId, OrderId
from exchange.values.times import utc_text

Subject = TypeVar("Subject")

explaining = typer.Typer(no_args_is_help=True, help="Tell the story of an order, an account or an asset, from records.")
incidents = typer.Typer(no_args_is_help=True)

_AGO: Final = re.compile(r"-(\d{1,9})([smhd])", re.ASCII)
_TIME: Final = "a time such as 2026-07-03T10:00, or so long ago, such as -2h"

FromOption = Annotated[str | None, typer.Option("--from", help=f"First record: a seq, {_TIME}.")]
ToOption = Annotated[str | None, typer.Option("--to", help=f"Last record: a seq, or what it was before, {_TIME}.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


@explaining.command()
def order(
    order_id: Annotated[int, typer.Argument(metavar="ID", help="The order's id.")],
    config: ConfigOption = None,
    data: DataOption = None,
    begin: FromOption = None,
    end: ToOption = None,
    as_json: JsonOption = False,
) -> None:
    """Who placed an order, every fill with its fees, what it held locked, and who ended it and why."""
    _tell(with_journal(config, data).data, begin, end, as_json, explain.explain_order, OrderId(order_id))


@explaining.command()
def account(
    account_id: Annotated[int, typer.Argument(metavar="ID", help="The account's id.")],
    config: ConfigOption = None,
    data: DataOption = None,
    begin: FromOption = None,
    end: ToOption = None,
    as_json: JsonOption = False,
) -> None:
    """Every change of an account: balances, orders, keys, settings, tier; and what it asked for in vain."""
    _tell(with_journal(config, data).data, begin, end, as_json, explain.explain_account, AccountId(account_id))


@explaining.command()
def asset(
    symbol: Annotated[str, typer.Argument(help="The asset's symbol.")],
    config: ConfigOption = None,
    data: DataOption = None,
    begin: FromOption = None,
    end: ToOption = None,
    as_json: JsonOption = False,
) -> None:
    """What came in of an asset, what trading moved in sum, who holds it, and whether it balances."""
    _tell(with_journal(config, data).data, begin, end, as_json, explain.explain_asset, symbol)


def _tell(
    data: Path,
    begin: str | None,
    end: str | None,
    as_json: bool,
    teller: Callable[[Path, Subject, Span, Progress], Story],
    subject: Subject,
) -> None:
    try:
        with progress("Reading the records") as show_progress:
            story = teller(data, subject, span(data, _moment(begin), _moment(end)), show_progress)
    except (SpanError, UnknownSubject) as error:
        stop(Exit.USAGE, str(error))
    except JournalError as error:
        stop(exit_of(error), str(error))
    for line in [story.to_json()] if as_json else story.text():
        result(line)


def _moment(text: str | None) -> str | None:
    """A time that is said as so long ago, as one of the calendar."""
    ago = _AGO.fullmatch(text or "")
    if ago is None:
        return text
    now_us = time.time_ns() // 1_000
    return utc_text(max(0, now_us - int(ago[1]) * UNITS_S[ago[2]] * 1_000_000))


@incidents.callback()
def _incidents() -> None:
    """Tell what happened to the venue."""


@incidents.command()
def report(
    config: ConfigOption = None,
    data: DataOption = None,
    begin: FromOption = None,
    end: ToOption = None,
    out: Annotated[Path, typer.Option(help="Folder the two files go into.")] = Path(),
) -> None:
    """Draft a post-mortem from records, as Markdown and JSON.

    Timeline, modes, outages, gates, certificates, faults, refusals by code, accounts with what they lost
    or gained, and the totals before and after. Cause and lessons are left for people to write.
    """
    folder = with_journal(config, data).data
    try:
        with progress("Reading the records") as show_progress:
            found = incident.investigate(folder, span(folder, _moment(begin), _moment(end)), show_progress)
    except SpanError as error:
        stop(Exit.USAGE, str(error))
    except JournalError as error:
        stop(exit_of(error), str(error))
    path = out.resolve() / f"incident-{found.from_seq}-{found.to_seq}"
    try:
        make_folder(path.parent)
        require_safe_parents(path)
        path.with_suffix(".md").write_text(incident_text.text(found))
        path.with_suffix(".json").write_bytes(found.to_json())
    except NotPrivate as error:
        stop(Exit.NOT_PRIVATE, str(error))
    except OSError as error:
        stop(Exit.USAGE, f"can't write the report: {error}")
    result(f"{path.with_suffix('.md')}\n{path.with_suffix('.json')}")
