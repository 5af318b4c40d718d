"""Every method of the trading protocol but the login, and the frames that are read because of it."""

from typing import Any, Final, Union, get_type_hints

import msgspec

from exchange.gateway.orders import methods as orders
from exchange.gateway.session.frames import Login, Request, Subscribe, Unsubscribe
from exchange.gateway.session.trading import Method

METHODS: Final[tuple[Method, ...]] = (*orders.METHODS,)


def params_of(method: Method) -> Any:
    """The type of its `params`."""
    return get_type_hints(method.handler, include_extras=True)["params"]


def _frame_of(method: Method) -> type[msgspec.Struct]:
    return msgspec.defstruct(
        method.name,
        [("params", params_of(method))],
        bases=(Request,),
        frozen=True,
        gc=False,
        tag=method.name,
        kw_only=True,
    )


#: By the type of their frame.
BY_FRAME: Final = {_frame_of(method): method for method in METHODS}

#: What the trading protocol answers.
NAMES: Final = frozenset({"session.login", *(method.name for method in METHODS)})

#: Raises msgspec.MsgspecError, or RecursionError for absurd nesting.
decode: Final = msgspec.json.Decoder(Union[(*BY_FRAME, Login, Subscribe, Unsubscribe)]).decode
