"""A build that knows a command and events which no build has: what a later subject would add, while a test runs."""

from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Any

import msgspec
import pytest

from exchange.core import ledger, machine
from exchange.core.authority import checked
from exchange.core.rows import CommandRow, EventRow, Itself
from exchange.values import record
from exchange.values.base import Command
from exchange.values.commands import AnyCommand
from exchange.values.events import AnyEvent


def teach(
    patch: pytest.MonkeyPatch, kind: type[Command], decide: Callable[..., list[AnyEvent]], *events: EventRow
) -> None:
    """From here on the command is decided by `decide(state, time_us, command)`, and read back from records."""
    row = CommandRow(kind, decide, Itself())
    patch.setitem(machine.COMMANDS, kind, row)
    patch.setitem(machine._DECIDE, kind, checked(row, machine.TAKES_TWO))
    for event in events:
        patch.setitem(machine.EVENTS, event.kind, event)
        patch.setitem(machine._EVOLVE, event.kind, machine._evolving(event))
        if event.legs is not None:
            patch.setitem(ledger._LEGS, event.kind, event.legs)
    known: Any = reduce(or_, (event.kind for event in events), AnyEvent)
    fields: list[Any] = [("command", AnyCommand | kind), ("events", list[known])]
    taught = msgspec.defstruct("Record", fields, bases=(record.Record,), kw_only=True)
    patch.setattr(record, "_decoder", msgspec.json.Decoder(taught))
