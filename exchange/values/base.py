"""What every command, event and view is."""

from typing import ClassVar

import msgspec


class Command(
    msgspec.Struct, frozen=True, gc=False, tag_field="type", tag=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Base of all commands; in a record its kind stands in `"type"`."""

    #: What people call it when they sign for it (`values.signing`); empty: nobody signs such.
    NAME: ClassVar[str] = ""


class Event(
    msgspec.Struct, frozen=True, gc=False, tag_field="type", tag=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Base of all events; in a record its kind stands in `"type"`."""


class View(msgspec.Struct, frozen=True, gc=False):
    """Base of all views."""
