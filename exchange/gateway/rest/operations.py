"""Operations of the HTTP API: plain functions, and the table they are entered in.

A handler takes the exchange, then who asks (`KeyView` or `AdminView`; nobody for a public
one), then its `params`, if it has any: one struct, read from the query of a GET and from the JSON body of
the others; then, if it asks for it, the client's `address`. It returns something to encode, a
`Refusal`, or an `Answer` where headers or another status are needed. Its annotations and docstring are what the
OpenAPI page shows.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from enum import Enum
from inspect import getdoc, signature
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from exchange.values.refusals import Refusal

_encode: Final = msgspec.json.Encoder().encode

HttpMethod = Literal["GET", "POST", "PATCH", "DELETE"]
JSON_TYPE: Final = "application/json; charset=utf-8"
TEXT_TYPE: Final = "text/plain; charset=utf-8"


class Authority(Enum):
    """Who may ask."""

    PUBLIC = "public"
    TRADER = "trader"
    ADMIN = "admin"


class Answer(msgspec.Struct, frozen=True):
    """What goes back: a whole body, or its pieces as they come."""

    status: int = 200
    body: bytes = b""
    media_type: str = JSON_TYPE
    headers: tuple[tuple[str, str], ...] = ()
    pieces: AsyncIterator[bytes] | None = None


#: 200 without a body.
DONE: Final = Answer()


class Also(msgspec.Struct, frozen=True):
    """Another way an operation may end well; without a media type there is no body."""

    status: int
    text: str
    media_type: str = ""


Handler = Callable[..., Awaitable[object]]
#: What the OpenAPI page shows as parameters or answer.
Shown = Any


class Operation(msgspec.Struct, frozen=True):
    """One method on one path. `instruction` is what its caller signs ("" for a public one).

    `changes`: it is more than reading, as all but GETs are. `repeatable`: doing that twice is harmless, so equal ones
    are no replays. `cancels`: it takes orders back, and may draw on the reserve for that. `hot`: answered ahead of the
    framework. `by_address`: its handler is told who is connected. `by_signature`: it is given what was signed.
    `history`: counts as a request for history. `example` is an answer, as it is written in JSON. `also`: other ways it
    may end well.
    """

    method: HttpMethod
    path: str
    tag: str
    authority: Authority
    instruction: str
    handler: Handler
    summary: str
    description: str
    example: Any
    request_example: Any
    params: Shown
    by_address: bool
    by_signature: bool
    returns: Shown
    changes: bool
    cancels: bool
    repeatable: bool
    hot: bool
    history: bool
    also: tuple[Also, ...]


class Routes:
    """Where the handlers of one subject are entered."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.operations: list[Operation] = []

    def public(
        self,
        method: HttpMethod,
        path: str,
        *,
        example: Any,
        hot: bool = False,
        history: bool = False,
        also: tuple[Also, ...] = (),
    ) -> Callable[[Handler], Handler]:
        """An operation anybody may ask for."""
        return self._enter(Authority.PUBLIC, method, path, "", example, hot=hot, history=history, also=also)

    def signed(
        self,
        method: HttpMethod,
        path: str,
        instruction: str,
        *,
        example: Any,
        request: Any = None,
        cancels: bool = False,
        repeatable: bool = False,
        hot: bool = False,
        also: tuple[Also, ...] = (),
    ) -> Callable[[Handler], Handler]:
        """An operation for an API key."""
        return self._enter(
            Authority.TRADER,
            method,
            path,
            instruction,
            example,
            request=request,
            cancels=cancels,
            repeatable=repeatable,
            hot=hot,
            also=also,
        )

    def admin(
        self, method: HttpMethod, path: str, instruction: str, *, example: Any, request: Any = None
    ) -> Callable[[Handler], Handler]:
        """An operation for an admin's key."""
        return self._enter(Authority.ADMIN, method, path, instruction, example, request=request)

    def _enter(
        self,
        authority: Authority,
        method: HttpMethod,
        path: str,
        instruction: str,
        example: Any,
        request: Any = None,
        cancels: bool = False,
        repeatable: bool = False,
        hot: bool = False,
        history: bool = False,
        also: tuple[Also, ...] = (),
    ) -> Callable[[Handler], Handler]:
        def enter(handler: Handler) -> Handler:
            hints = get_type_hints(handler, include_extras=True)
            summary, _, description = (getdoc(handler) or "").partition("\n")
            self.operations.append(
                Operation(
                    method=method,
                    path=path,
                    tag=self.tag,
                    authority=authority,
                    instruction=instruction,
                    handler=handler,
                    summary=summary,
                    description=description.strip(),
                    example=_as_json(example),
                    request_example=_as_json(request),
                    by_address="address" in signature(handler).parameters,
                    by_signature="signed" in signature(handler).parameters,
                    params=hints.get("params") if "params" in signature(handler).parameters else None,
                    returns=_shown(hints["return"]),
                    changes=method != "GET",
                    cancels=cancels,
                    repeatable=repeatable,
                    hot=hot,
                    history=history,
                    also=also,
                )
            )
            return handler

        return enter


def _as_json(value: object) -> Any:
    """Objects, lists, texts and numbers, as they are written on the wire."""
    return msgspec.json.decode(_encode(value))


def _shown(annotation: Any) -> Shown:
    """The part of a return annotation that a client reads when all goes well."""
    if get_origin(annotation) not in (Union, UnionType):
        return None if annotation in (Answer, Refusal, NoneType) else annotation
    parts = [part for part in get_args(annotation) if part not in (Answer, Refusal, NoneType)]
    return Union[tuple(parts)] if parts else None  # noqa: UP007 (its members are only known here)


# --- pages ---------------------------------------------------------------------------------------------

_PAGE_HEADERS: Final = ("X-PAGE-COUNT", "X-CURRENT-PAGE", "X-PAGE-SIZE", "X-TOTAL")


def paged(rows: Sequence[object], limit: int, offset: int, total: int) -> Answer:
    """One page of a list; the headers say where it stands: of an empty list, or beyond its end, on the last page."""
    pages = max(-(-total // limit), 1)
    values = (pages, min(offset // limit + 1, pages), limit, total)
    headers = tuple((name, str(value)) for name, value in zip(_PAGE_HEADERS, values, strict=True))
    return Answer(body=_encode(rows), headers=(*headers, ("Access-Control-Expose-Headers", ", ".join(_PAGE_HEADERS))))
