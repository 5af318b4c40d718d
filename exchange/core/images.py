"""How objects of the state are written down: one table of fields for each.

A table is an `Image`, a struct whose fields are named as the object's own; writing and reading back both follow it, so
a field that stands in it can't be forgotten in either. What is not in the table is named as derived: it follows from
the rest. `tests/checks/test_images.py` holds that every field of every object is one or the other.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

I = TypeVar("I", bound="Image")  # noqa: E741


class Image(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """Base of all images: names, and what holds its default is left out.

    A default means "never used", so a field that comes later changes no snapshot and no digest of a state that never
    used it. Left out is what `is` the default: so a default is None, a bool, a small number, an empty text or tuple, a
    member of an enum, or the one object that a `Form` puts in the place of all that are equal to it. An image with a
    field this build doesn't know is refused: it was written by a newer one.
    """


class Form(NamedTuple):
    """How a field stands in the image, if not as it is: written and read back. `read` None: who restores the object
    does so by hand, since the value is tied to others."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any] | None = None


class Table(Generic[I]):
    """The fields of one kind of object. `sources` says where a field is found if not under its own name.

    `derived` are the attributes that follow from the rest, so that no image has them.
    """

    def __init__(
        self,
        image: type[I],
        forms: Mapping[str, Form] | None = None,
        *,
        sources: Mapping[str, str] | None = None,
        derived: frozenset[str] = frozenset(),
    ) -> None:
        names = image.__struct_fields__
        forms, sources = forms or {}, sources or {}
        unknown = (forms.keys() | sources.keys()) - set(names)
        if unknown:
            raise TypeError(f"{image.__name__} has no {', '.join(sorted(unknown))}")
        self.image = image
        self.forms = forms
        self.sources = sources
        self.derived = derived
        known: dict[str, Any] = {"image_of": image}
        written, restored = [], []
        for field in msgspec.structs.fields(image):
            name, form = field.name, forms.get(field.name)
            held = f"held.{sources.get(name, name)}"
            if form is None:
                written.append(held)
                restored.append(f"{held} = image.{name}")
                continue
            known |= {f"write_{name}": form.write, f"unused_{name}": _default(field), f"read_{name}": form.read}
            # What holds nothing is written as never used.
            written.append(f"write_{name}({held}) if {held} else unused_{name}")
            if form.read is not None:
                restored.append(f"{held} = read_{name}(image.{name})")
        # Made of text once, as dataclasses are: hundreds of thousands of orders and balances are written in one go.
        lines = ["def write(held):", f"  return image_of({', '.join(written)})"]
        lines += ["def restore(image, held):", *(f"  {line}" for line in restored)]
        exec("\n".join(lines), known)
        #: The image of an object; and what an image says, onto an object that is new.
        self.write: Final[Callable[[Any], I]] = known["write"]
        self.restore: Final[Callable[[I, Any], None]] = known["restore"]


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


#: A dict that is a set: its keys in order, and as they came.
SORTED_KEYS: Final = Form(lambda held: tuple(sorted(held)), dict.fromkeys)
KEYS: Final = Form(tuple, dict.fromkeys)
#: A dict by a number or text, as pairs by rising key, and as they came.
SORTED_PAIRS: Final = Form(lambda held: tuple(sorted(held.items(), key=lambda pair: pair[0])), dict)
PAIRS: Final = Form(lambda held: tuple(held.items()), dict)


def values(key: Callable[[Any], Any]) -> Form:
    """A dict of things that know their own key, as they came."""
    return Form(lambda held: tuple(held.values()), lambda image: {key(each): each for each in image})


def tabled(table: Table[Any]) -> Callable[[Mapping[Any, Any]], tuple[Any, ...]]:
    """How a dict of objects is written, as they came: each by its table."""
    write = table.write
    return lambda held: tuple(map(write, held.values()))
