"""A build that knows a command which no build has: what a later subject would add, for as long as a test runs."""

from collections.abc import Callable

import msgspec
import pytest

from exchange.core import machine
from exchange.values import record
from exchange.values.base import Command
from exchange.values.commands import AnyCommand
from exchange.values.events import AnyEvent


def teach(patch: pytest.MonkeyPatch, kind: type[Command], decide: Callable[..., list[AnyEvent]]) -> None:
    """From here on the command is decided by `decide(state, time_us, command)`, and read back from records."""
    patch.setitem(machine._DECIDE, kind, decide)
    taught = msgspec.defstruct("Record", [("command", AnyCommand | kind)], bases=(record.Record,), kw_only=True)
    patch.setattr(record, "_decoder", msgspec.json.Decoder(taught))
