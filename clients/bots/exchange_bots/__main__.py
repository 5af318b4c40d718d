"""Run a market maker and order flow: `python -m exchange_bots --accounts FILE --market SOL_USDC=150`.

The accounts are those of the file whose names begin with `bot-maker` and `bot-flow`; the markets that are named are
dealt out to them in turn. No other market is touched, and one that isn't listed is left out.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import structlog

from exchange_bots.flow import Flow
from exchange_bots.instrument import Instrument
from exchange_bots.market_maker import MarketMaker
from exchange_bots.trouble import Stopped, pause, run, until_it_works
from exchange_client import ExchangeClient, Keypair, LiveBook, Streams, TradingSession

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
    parser = argparse.ArgumentParser(prog="python -m exchange_bots", description=__doc__)
    parser.add_argument("--http", default="http://127.0.0.1:8000", help="base URL of the REST API")
    parser.add_argument("--ws", default="ws://127.0.0.1:8001", help="URL of the trading WebSocket")
    parser.add_argument("--accounts", type=Path, required=True, help="JSON list of name, apiKey, apiSecret")
    parser.add_argument(
        "--market",
        type=market_and_price,
        action="append",
        required=True,
        metavar="SYMBOL=PRICE",
        help="one to trade on, and where it begins if it never traded; may be repeated",
    )
    parser.add_argument("--seed", type=int, default=1, help="for the same prices and orders again")
    parser.add_argument("--rate", type=float, default=1.0, help="orders per second of the flow on each market")
    parser.add_argument("--parent", type=int, metavar="PID", help="stop when this process, which started us, ends")
    return parser.parse_args(argv)


def market_and_price(text: str) -> tuple[str, Decimal]:
    """Raises ArgumentTypeError."""
    symbol, _, price = text.partition("=")
    try:
        reference = Decimal(price)
    except InvalidOperation:
        reference = Decimal(0)
    if not symbol or not reference.is_finite() or reference <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} isn't a market and a price, such as SOL_USDC=150")
    return symbol, reference


async def trade(options: argparse.Namespace, stop: asyncio.Event) -> None:
    """All bots, until told to stop."""
    accounts = msgspec.json.decode(options.accounts.read_bytes(), type=list[Account])
    async with AsyncExitStack() as open_things:
        public = await open_things.enter_async_context(ExchangeClient(options.http))
        listed = {market.symbol: market for market in await until_it_works("start", public.markets, stop)}
        beginnings = dict(options.market)
        if missing := sorted(beginnings.keys() - listed.keys()):
            _log.warning("not listed, left out", markets=missing)
        markets = [listed[symbol] for symbol in beginnings if symbol in listed]
        streams = Streams(options.ws)
        await until_it_works("start", partial(open_things.enter_async_context, streams), stop)
        makers = [await desk(options, each, stop, open_things) for each in named(accounts, "bot-maker")]
        flows = [await desk(options, each, stop, open_things) for each in named(accounts, "bot-flow")]
        bots: list[MarketMaker | Flow] = []
        for number, market in enumerate(markets):
            instrument = Instrument(market)
            seed = f"{options.seed} {market.symbol}"
            maker, flow = makers[number % len(makers)], flows[number % len(flows)]
            last = await until_it_works("start", partial(public.trades, market.symbol, limit=1), stop)
            reference = last[0].price if last else beginnings[market.symbol]
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
    # A traceback without local variables: they hold the account's secret.
    person = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            person if sys.stderr.isatty() else structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    asyncio.run(main(arguments()))
