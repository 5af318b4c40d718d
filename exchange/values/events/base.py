"""What every event is."""

import msgspec


class Event(
    msgspec.Struct, frozen=True, gc=False, tag_field="type", tag=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Base of all events; in a record its kind stands in `"type"`."""
