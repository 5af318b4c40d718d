"""`exchange serve`: where the parts are put together, in one event loop with one owner of signals."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Annotated, Any, Final, NamedTuple, NoReturn

import typer
import uvicorn
import uvloop
from prometheus_client import generate_latest

from exchange.cli import logs, open_files
from exchange.cli.exits import Exit, progress, stop
from exchange.cli.folder import exit_of, keep_to_us, need_journal
from exchange.cli.settings import ConfigOption, DataOption, Settings, load
from exchange.cli.starting import Starting
from exchange.cli.supervisor import told
from exchange.gateway.addresses import TrustedProxies
from exchange.gateway.admission import Admission, GatewayLimits
from exchange.gateway.application import create_app
from exchange.gateway.auth import Authenticator
from exchange.gateway.rest.operators_port import LIMITS as OPS_LIMITS
from exchange.gateway.rest.operators_port import Ops
from exchange.gateway.session.hub import Hub
from exchange.gateway.session.limits import WsLimits
from exchange.gateway.session.services import Services
from exchange.gateway.transport.http_server import HttpServer
from exchange.gateway.transport.ws_server import WsServer
from exchange.journal.errors import JournalError
from exchange.maintenance.scheduler import Scheduler
from exchange.runtime import memory
from exchange.runtime.clock import ClockDoubtful
from exchange.runtime.core.ending import Reason
from exchange.runtime.core.life import Life
from exchange.runtime.core.venue import Venue
from exchange.runtime.core.watchdog import Bounds

app = typer.Typer()

#: How long requests under way over HTTP may still take when the exchange stops.
HTTP_GRACE_S: Final = 3
#: The same when it has failed.
HTTP_FAILED_GRACE_S: Final = 1
#: What is not answered by then never will be: its connection is closed without a word.
HTTP_ANSWERS_S: Final = 2
#: Containers made and not gone again before the garbage collector looks, and how often it looks deeper. What an
#: order leaves behind goes with its last reference; at Python's defaults looking for cycles took a third of the time.
GC_THRESHOLDS: Final = (100_000, 20, 100)
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ENDED: Final = {
    Reason.STOPPED: Exit.OK,
    Reason.JOURNAL_FAILED: Exit.JOURNAL_FAILED,
    Reason.STATE_DOUBTFUL: Exit.STATE_DOUBTFUL,
}

Prepare = Callable[[Venue], Awaitable[None]]
Beside = Callable[[Venue], AbstractAsyncContextManager[None]]


class Stopped(Exception):
    """Somebody asked us to stop before we had started."""


class Signals:
    """Turns SIGINT, SIGTERM and SIGHUP into one wish to stop, whatever the loop is doing."""

    def __init__(self) -> None:
        self.asked = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wish: asyncio.Event
        for number in _SIGNALS:
            # Whoever starts us with nohup means it.
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: object) -> None:
        self.asked = self.asked or signal.Signals(number).name
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wish.set)

    def check(self) -> None:
        """Raises Stopped."""
        if self.asked:
            raise Stopped

    async def wait(self) -> None:
        self._loop, self._wish = asyncio.get_running_loop(), asyncio.Event()
        if not self.asked:
            await self._wish.wait()


class Sockets(NamedTuple):
    """Bound to their ports, and not listening yet."""

    http: socket.socket
    ws: socket.socket
    ops: socket.socket


class Server(uvicorn.Server):
    """uvicorn without its own ideas about signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@app.command()
def serve(
    config: ConfigOption = None,
    data: DataOption = None,
    http_port: Annotated[int | None, typer.Option(help="REST, docs and /ws.")] = None,
    ws_port: Annotated[int | None, typer.Option(help="Trading WebSocket.")] = None,
    ops_port: Annotated[int | None, typer.Option(help="Metrics, for operators.")] = None,
    clock_is_right: Annotated[
        bool,
        typer.Option("--clock-is-right", help="Believe this machine's clock, however far it is from the last record."),
    ] = False,
) -> None:
    """Run the exchange over a data folder until it is asked to stop (Ctrl-C, SIGTERM)."""
    settings = load(config, data=data, http_port=http_port, ws_port=ws_port, ops_port=ops_port)
    raise typer.Exit(run(settings, clock_is_right=clock_is_right))


def run(
    settings: Settings, prepare: Prepare | None = None, beside: Beside | None = None, *, clock_is_right: bool = False
) -> Exit:
    """Run the exchange; returns why it ended.

    `prepare` is awaited before the ports open; `beside` is entered when they are open, left before they close.
    """
    need_journal(settings.data, settings.witness)
    logs.configure(settings.log_level, settings.log_format)
    keep_to_us(settings)
    open_files.allow(GatewayLimits(**settings.limits), WsLimits(**settings.ws_limits))
    signals = Signals()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_live(settings, signals, prepare, beside, clock_is_right))
    except Stopped:
        return Exit.OK
    except JournalError as error:
        stop(exit_of(error), str(error))
    except ClockDoubtful as error:
        stop(Exit.CLOCK_BEHIND, str(error))


async def _live(
    settings: Settings, signals: Signals, prepare: Prepare | None, beside: Beside | None, clock_is_right: bool
) -> Exit:
    wish = asyncio.create_task(signals.wait())
    # All before anything is recorded: a start that can't open its ports has not happened.
    sockets = Sockets(
        _bound(settings.host, settings.http_port, "http_port"),
        _bound(settings.host, settings.ws_port, "ws_port"),
        _bound(settings.ops_host, settings.ops_port, "ops_port"),
    )
    starting = Starting()
    async with starting.answering(sockets.http):
        life = await _unless(wish, _start(settings, signals, starting, clock_is_right))
    try:
        if prepare is not None:
            await prepare(life.venue)
        async with _gateway(settings, life, sockets):
            ended = asyncio.create_task(life.ended())
            async with (
                told(),
                memory.given_back(),
                Scheduler(life, settings.witness).running(),
                beside(life.venue) if beside is not None else nullcontext(),
            ):
                await asyncio.wait((wish, ended), return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await life.stop(signals.asked)
    finally:
        await life.close()
    return _ENDED[(await ended).reason]


async def _unless(wish: asyncio.Task[None], starting: Coroutine[Any, Any, Life]) -> Life:
    """What `starting` comes to.

    Raises:
        Stopped: the wish to stop came first.
    """
    start = asyncio.create_task(starting)
    await asyncio.wait((start, wish), return_when=asyncio.FIRST_COMPLETED)
    if not start.done():
        start.cancel()
        await asyncio.wait((start,))
        raise Stopped
    return start.result()


async def _start(settings: Settings, signals: Signals, starting: Starting, clock_is_right: bool) -> Life:
    """Recover the venue, showing how far it is."""
    gc.set_threshold(*GC_THRESHOLDS)
    with progress("Reading the records back") as show:

        def reached(seq: int, last_seq: int) -> None:
            signals.check()  # a thread is not cancelled
            starting.seq, starting.last_seq = seq, last_seq
            show(seq, last_seq)

        bounds = Bounds(**settings.bounds)
        return await Life.start(
            settings.data,
            witness_dir=settings.witness,
            progress=reached,
            bounds=bounds,
            clock_is_right=clock_is_right,
            waiting=starting.wait_for_clock,
        )


@asynccontextmanager
async def _gateway(settings: Settings, life: Life, sockets: Sockets) -> AsyncIterator[None]:
    """All ports, open."""
    venue = life.venue
    admission = Admission(GatewayLimits(**settings.limits))
    authenticator = Authenticator(venue)
    proxies = TrustedProxies(settings.trusted_proxies)
    services = Services(venue, Hub(venue), authenticator, admission, WsLimits(**settings.ws_limits), proxies)
    for port, name in ((sockets.ws, "ws_port"), (sockets.ops, "ops_port")):
        _listen(port, name)
    trading = WsServer(services)
    await trading.listen(sockets.ws)
    app = create_app(venue, authenticator, admission)
    registry = venue.metrics.registry
    registry.register(app.metrics)
    registry.register(trading)
    http = _server(app, HttpServer(admission.limits, proxies), ws=trading.upgraded)
    ops = _server(Ops(venue.now_us, lambda: generate_latest(registry)), HttpServer(OPS_LIMITS))
    serving = [
        asyncio.create_task(http.serve(sockets=[sockets.http])),
        asyncio.create_task(ops.serve(sockets=[sockets.ops])),
    ]
    try:
        yield
    finally:
        await trading.close()
        http.should_exit = ops.should_exit = True
        if life.failed:  # what is not answered by now never will be
            http.config.timeout_graceful_shutdown = HTTP_FAILED_GRACE_S
        await asyncio.wait(serving, timeout=HTTP_FAILED_GRACE_S / 2 if life.failed else HTTP_ANSWERS_S)
        # Not even an error: whoever asked must not think that nothing has happened.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        for connection in [*http.server_state.connections, *ops.server_state.connections]:
            connection.transport.abort()
        await asyncio.gather(*serving)


def _server(app: Any, port: HttpServer, **more: Any) -> Server:
    return Server(
        uvicorn.Config(
            app,
            http=port.protocol,  # type: ignore[arg-type]  # any callable that makes a protocol will do
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # an address is who is connected, not what a header says: limits count by it
            timeout_graceful_shutdown=HTTP_GRACE_S,
            **{"ws": "none", **more},
        )
    )


def _bound(host: str, port: int, name: str) -> socket.socket:
    """A socket that has the port of that setting, and refuses connections until somebody listens on it."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        _port_in_use(port, name, error)
    return bound


def _listen(bound: socket.socket, name: str) -> None:
    """Listen on a bound port: a program that shares its ports may have come before us meanwhile."""
    try:
        bound.listen()
    except OSError as error:
        _port_in_use(bound.getsockname()[1], name, error)


def _port_in_use(port: int, name: str, error: OSError) -> NoReturn:
    stop(Exit.PORT_IN_USE, f"port {port}: {error.strerror}", f"EXCHANGE_{name.upper()} chooses another")
