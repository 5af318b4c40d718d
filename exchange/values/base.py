"""What every command, event and view is, and what they and the state hold as a whole."""

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


class Part(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """Base of what commands, events and the state's images hold as a whole: listings, settings, limits, plans.

    A field that holds its default is left out, so one that comes later changes no byte of what never used it; a
    default once written means what it meant for ever. Left out is what `is` the default, so a number or a text that
    only equals it is replaced by it: equal parts have equal bytes, wherever they come from.
    """

    def __post_init__(self) -> None:
        defaults = self.__struct_defaults__
        for name, default in zip(
            self.__struct_fields__[len(self.__struct_fields__) - len(defaults) :], defaults, strict=True
        ):
            held = getattr(self, name)
            if held is not default and held == default:
                msgspec.structs.force_setattr(self, name, default)


class View(msgspec.Struct, frozen=True, gc=False):
    """Base of all views."""
