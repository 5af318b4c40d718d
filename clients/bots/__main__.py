"""Run a market maker and order flow on every market: `python -m clients.bots --accounts FILE`.

The accounts are those of the file whose names begin with `bot-maker` and `bot-flow`; the markets are dealt
out to them in turn.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import structlog

from clients.bots.flow import Flow
from clients.bots.instrument import Instrument
from clients.bots.market_maker import MarketMaker
from clients.bots.trouble import Stopped, pause, run, until_it_works
from clients.python import ExchangeClient, Keypair, LiveBook, Streams, TradingSession
from clients.python.models import Market

REFERENCE_PRICES: Final = {"SOL": Decimal(150), "BTC": Decimal(60_000), "ETH": Decimal(3_000)}
"""Where a market that never traded begins, in USDC."""
SUMMARY_S: Final = 60.0
PARENT_CHECK_S: Final = 1.0

_log: Final = structlog.get_logger()


class Account(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    api_key: str
    api_secret: str


class Desk:
    """One account's connections."""

    def __init__(self, client: ExchangeClient, session: TradingSession) -> None:
        self.client = client
        self.session = session


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m clients.bots", description=__doc__)
    parser.add_argument("--http", default="http://127.0.0.1:8000", help="base URL of the REST API")
    parser.add_argument("--ws", default="ws://127.0.0.1:8001", help="URL of the trading WebSocket")
    parser.add_argument("--accounts", type=Path, required=True, help="JSON list of name, apiKey, apiSecret")
    parser.add_argument("--seed", type=int, default=1, help="for the same prices and orders again")
    parser.add_argument("--rate", type=float, default=1.0, help="orders per second of the flow on each market")
    parser.add_argument("--parent", type=int, metavar="PID", help="stop when this process, which started us, ends")
    return parser.parse_args(argv)


async def trade(options: argparse.Namespace, stop: asyncio.Event) -> None:
    """All bots, until told to stop."""
    accounts = msgspec.json.decode(options.accounts.read_bytes(), type=list[Account])
    async with AsyncExitStack() as open_things:
        public = await open_things.enter_async_context(ExchangeClient(options.http))
        markets = await until_it_works("start", public.markets, stop)
        streams = Streams(options.ws)
        await until_it_works("start", partial(open_things.enter_async_context, streams), stop)
        makers = [await desk(options, each, stop, open_things) for each in named(accounts, "bot-maker")]
        flows = [await desk(options, each, stop, open_things) for each in named(accounts, "bot-flow")]
        bots: list[MarketMaker | Flow] = []
        for number, market in enumerate(markets):
            instrument = Instrument(market)
            seed = f"{options.seed} {market.symbol}"
            maker, flow = makers[number % len(makers)], flows[number % len(flows)]
            reference = await until_it_works("start", partial(reference_price, public, market), stop)
            book = LiveBook(streams, public, market.symbol)
            await until_it_works("start", partial(open_things.enter_async_context, book), stop)
            maker_rng, flow_rng = random.Random(f"maker {seed}"), random.Random(f"flow {seed}")
            bots.append(MarketMaker(instrument, maker.client, maker.session, maker_rng, reference))
            bots.append(Flow(instrument, book, flow.session, flow_rng, options.rate))
        _log.info("bots running", markets=[market.symbol for market in markets])
        async with asyncio.TaskGroup() as group:
            for bot in bots:
                group.create_task(run(bot, stop))
            group.create_task(summarise(bots, stop))


def named(accounts: list[Account], prefix: str) -> list[Account]:
    """Raises SystemExit if there is none."""
    found = [account for account in accounts if account.name.startswith(prefix)]
    if not found:
        raise SystemExit(f"no account's name begins with {prefix}")
    return found


async def desk(options: argparse.Namespace, account: Account, stop: asyncio.Event, open_things: AsyncExitStack) -> Desk:
    keypair = Keypair(account.api_secret)
    client = await open_things.enter_async_context(ExchangeClient(options.http, keypair))
    session = TradingSession(options.ws, keypair)
    await until_it_works(account.name, partial(open_things.enter_async_context, session), stop)
    return Desk(client, session)


async def reference_price(client: ExchangeClient, market: Market) -> Decimal:
    """The last trade's price, or where the market is to begin."""
    trades = await client.trades(market.symbol, limit=1)
    return trades[0].price if trades else REFERENCE_PRICES.get(market.base_symbol, Decimal(1))


async def summarise(bots: Sequence[MarketMaker | Flow], stop: asyncio.Event) -> None:
    """A line a minute: what the bots did since they started."""
    while not stop.is_set():
        await pause(SUMMARY_S, stop)
        _log.info("bots", **{bot.name.replace(" ", "_"): dict(bot.counts) for bot in bots})


async def watch_parent(parent: int, stop: asyncio.Event) -> None:
    """Stop once `parent` is no more; it may be gone before we get here."""
    while os.getppid() == parent and not stop.is_set():
        await pause(PARENT_CHECK_S, stop)
    stop.set()


async def main(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    watcher = asyncio.create_task(watch_parent(options.parent, stop)) if options.parent else None
    try:
        await trade(options, stop)
    except Stopped:
        pass  # before everything was running
    finally:
        if watcher is not None:
            watcher.cancel()


if __name__ == "__main__":
    renderer = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso"), renderer],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    asyncio.run(main(arguments()))
