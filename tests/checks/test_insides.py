"""What we build on inside uvicorn and picows is still there. Neither promises it: each name is asked for by itself."""

import ast
import asyncio
import inspect
import logging
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # not in its type stubs
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from exchange.gateway.transport import http_server
from exchange.gateway.transport.picows_protocol import PicowsProtocol
from exchange.gateway.transport.uvicorn_protocol import HttpProtocol
from exchange.gateway.transport.ws_protocol import Socket
from tests.checks.test_dependencies import PROJECTS
from tests.checks.test_layers import module_name, sources

#: Who may reach into which package.
REACHES: Final = {
    "uvicorn.": "exchange.gateway.transport.uvicorn_protocol",
    "picows.picows": "exchange.gateway.transport.picows_protocol",
}
#: What we call, override or read, by class: the parameters of a method, None for what an object has.
INSIDES: Final[dict[type, dict[str, tuple[str, ...] | None]]] = {
    HttpToolsProtocol: {
        "__init__": ("config", "server_state", "app_state", "_loop"),
        "_unset_keepalive_if_required": (),
        "client": None,
        "connection_lost": ("exc",),
        "connection_made": ("transport",),
        "cycle": None,
        "data_received": ("data",),
        "flow": None,
        "handle_websocket_upgrade": (),
        "headers": None,
        "loop": None,
        "on_body": ("body",),
        "on_headers_complete": (),
        "on_message_begin": (),
        "on_message_complete": (),
        "on_response_complete": (),
        "parser": None,
        "pause_writing": (),
        "pipeline": None,
        "resume_writing": (),
        "scope": None,
        "send_400_response": ("msg",),
        "transport": None,
        "url": None,
    },
    RequestResponseCycle: {"keep_alive": None, "more_body": None, "response_complete": None, "scope": None},
    FlowControl: {"__init__": ("transport",), "pause_reading": (), "resume_reading": ()},
    WSProtocol: {
        "buffer_updated": ("nbytes",),
        "connection_lost": ("exc",),
        "connection_made": ("transport",),
        "get_buffer": ("size_hint",),
        "listener": None,
        "transport": None,
    },
}


def test_one_module_reaches_into_each() -> None:
    reaching = {
        (inside, module_name(path))
        for path in sources("exchange")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        for inside in REACHES
        if str(node.module).startswith(inside)
    }
    assert reaching == set(REACHES.items())


@pytest.mark.parametrize("name", ["picows", "uvicorn"])
def test_another_minor_version_is_not_installed(name: str) -> None:
    lines = map(Requirement, PROJECTS["exchange"]["project"]["dependencies"])
    (specifier,) = (line.specifier for line in lines if line.name == name)
    here = Version(version(name))
    assert here in specifier
    assert Version(f"{here.major}.{here.minor + 1}") not in specifier


async def inside_of(kind: type) -> Any:
    """An object of the class, as it is while a request is answered."""
    if kind is WSProtocol:
        return PicowsProtocol(
            lambda request: None, logging.getLogger(), handshake_timeout_s=1, frame_bytes=1, read_bytes=1
        )
    transport: Any = SimpleNamespace(get_extra_info=lambda name: None, is_closing=lambda: False)
    config = Config(_answers_nothing, lifespan="off", log_config=None)
    protocol = HttpProtocol(config, ServerState(), {})
    protocol.connection_made(transport)
    protocol.parse(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
    for task in protocol.tasks:
        task.cancel()
    return {HttpToolsProtocol: protocol, RequestResponseCycle: protocol.cycle, FlowControl: protocol.flow}[kind]


async def _answers_nothing(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("kind", "name"),
    [pytest.param(kind, name, id=f"{kind.__name__}.{name}") for kind, names in INSIDES.items() for name in names],
)
async def test_it_is_still_there(kind: type, name: str) -> None:
    parameters = INSIDES[kind][name]
    if parameters is None:
        assert hasattr(await inside_of(kind), name)
    else:
        assert tuple(inspect.signature(getattr(kind, name)).parameters)[1:] == parameters


def taken(base: type, *heirs: type) -> set[str]:
    """What the heirs, each of the one before, take from `base`."""
    used, ours = set(), set()
    for heir in heirs:
        for method in ast.walk(ast.parse(inspect.getsource(heir))):
            if isinstance(method, ast.FunctionDef):
                ours.add(method.name)
                found = [node for node in ast.walk(method) if isinstance(node, ast.Attribute)]
                own = [node for node in found if ast.unparse(node.value) in ("self", "super()", base.__name__)]
                used |= {node.attr for node in own}
                if method.name == "__init__":
                    ours |= {node.attr for node in own if isinstance(node.ctx, ast.Store)}
    return (used - ours) | {name for name in ours if hasattr(base, name)}


def test_nothing_else_is_taken() -> None:
    assert taken(HttpToolsProtocol, HttpProtocol, http_server._Protocol) == INSIDES[HttpToolsProtocol].keys()
    # The constructor of picows has no signature to look at, but takes names, and says which one it doesn't know.
    assert taken(WSProtocol, PicowsProtocol, Socket) == INSIDES[WSProtocol].keys() | {"__init__"}
