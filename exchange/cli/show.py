"""`exchange journal show`: records for a person, by seq, account or order."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer

from exchange.cli.exits import Exit, stop
from exchange.cli.settings import ConfigOption, DataOption, load
from exchange.journal.errors import JournalDamaged, NoJournal
from exchange.journal.store import JournalReader
from exchange.values.ids import id_at, seq_of
from exchange.values.record import Record

app = typer.Typer(help="Read the journal.", no_args_is_help=True)

_ACCOUNTS = ("account", "maker_account", "taker_account")
_ORDERS = ("order_id", "maker_order_id", "taker_order_id")


@app.callback()
def _group() -> None:
    """Read the journal."""


@app.command()
def show(
    config: ConfigOption = None,
    data: DataOption = None,
    from_seq: Annotated[int | None, typer.Option("--from", min=1, help="First seq.")] = None,
    to_seq: Annotated[int | None, typer.Option("--to", min=1, help="Last seq.")] = None,
    last: Annotated[int | None, typer.Option(min=1, help="Only the last so many records.")] = None,
    account: Annotated[int | None, typer.Option(help="Only records that touch this account.")] = None,
    order: Annotated[int | None, typer.Option(help="Only records that touch this order.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the records as they are kept.")] = False,
) -> None:
    """Show records, also while the exchange runs. Every record shown has been checked against the chain."""
    settings = load(config, data=data)
    try:
        with JournalReader(settings.data) as journal:
            end = min(to_seq or journal.last()[0], journal.last()[0])
            start = from_seq or max(1, end - last + 1 if last else 1)
            if order is not None:
                start = max(start, seq_of(order))  # an order's id holds the seq that made it
            for record, line in _records(journal, start, end):
                if touches(record, account, order):
                    typer.echo(line if as_json else in_words(record))
    except NoJournal as error:
        stop(Exit.NOT_FOUNDED, str(error))
    except JournalDamaged as error:
        stop(Exit.JOURNAL_DAMAGED, str(error))


def _records(journal: JournalReader, start: int, end: int) -> Iterator[tuple[Record, bytes]]:
    if start <= end:
        for batch in journal.checked_batches(start, end):
            yield from zip(batch.records, batch.lines, strict=True)


def touches(record: Record, account: int | None, order: int | None) -> bool:
    """Whether a record's command or events name the account and the order that are asked for."""
    if account is None and order is None:
        return True
    accounts: set[Any] = set()
    orders: set[Any] = {id_at(record.seq)}
    for part in (record.command, *record.events):
        holders = (part, *getattr(part, "legs", ()))
        accounts.update(getattr(holder, name, None) for holder in holders for name in _ACCOUNTS)
        orders.update(getattr(part, name, None) for name in _ORDERS)
    return (account is None or account in accounts) and (order is None or order in orders)


def in_words(record: Record) -> str:
    """`seq  time  Command field=value ...`, and a line per event."""
    time = datetime.fromtimestamp(record.time_us // 1_000_000, UTC).replace(microsecond=record.time_us % 1_000_000)
    lines = [f"{record.seq:>9}  {time:%Y-%m-%d %H:%M:%S.%f}  {_words(record.command)}"]
    return "\n".join([*lines, *(f"{'':>9}    -> {_words(event)}" for event in record.events)])


def _words(part: object) -> str:
    fields: dict[str, Any] = msgspec.to_builtins(part)
    kind = fields.pop("type")
    shown = " ".join(
        f"{name}={value if isinstance(value, str | int) else msgspec.json.encode(value).decode()}"
        for name, value in fields.items()
    )
    return f"{kind} {shown}"
