"""`exchange demo`: an exchange to try, with funded accounts and bots that keep its books moving.

The first start founds the venue and funds the accounts through the same commands an admin would
send; every later start goes on with what is there.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from nacl.signing import SigningKey

from exchange.cli import logs
from exchange.cli.exits import Exit, console, stop
from exchange.cli.found import admin_key_path, example_settings, found, is_founded
from exchange.cli.guide import what_to_try
from exchange.cli.keys import KeyFile, read_key, write_private
from exchange.cli.serve import run
from exchange.cli.settings import ConfigOption, DataOption, Settings, load
from exchange.journal.signatures import sign
from exchange.journal.store import JournalReader
from exchange.rules.modes import is_step_up
from exchange.runtime.core.venue import Venue
from exchange.values.accounts.commands import AddKey, OpenAccount
from exchange.values.accounts.events import AccountOpened
from exchange.values.commands import AdminCommand
from exchange.values.enums import Mode, Role, Scope
from exchange.values.ids import AccountId, AdminId
from exchange.values.modes.commands import SetMode
from exchange.values.money.commands import CreditDeposit
from exchange.values.orders.views import Outcome
from exchange.values.people.admins import AdminSpec
from exchange.values.people.commands import AddAdmin
from exchange.values.process.commands import Genesis
from exchange.values.text import visible
from exchange.values.windows.commands import ApproveOpening
from exchange.values.windows.views import Awaited

app = typer.Typer()

#: Whole units of each asset on an account of a person, and of a bot.
PERSON: Final = {"USDC": 1_000_000, "SOL": 5_000, "BTC": 10, "ETH": 200}
BOT: Final = {"USDC": 1_000_000_000, "SOL": 5_000_000, "BTC": 10_000, "ETH": 200_000}
ACCOUNTS: Final = {
    **dict.fromkeys(("alice", "bob", "carol", "dave"), PERSON),
    **dict.fromkeys(("bot-maker-1", "bot-maker-2", "bot-flow-1", "bot-flow-2"), BOT),
}
_BOTS: Final = "exchange_bots"
_BOTS_STOP_WITHIN_S: Final = 5.0
#: How often the demo looks whether its gates have passed.
_LOOK_S: Final = 0.2


def accounts_path(data: Path) -> Path:
    return data / "demo-accounts.json"


def second_admin_key_path(data: Path) -> Path:
    return data / "keys" / "admin-2.json"


@app.command()
def demo(
    config: ConfigOption = None,
    data: DataOption = None,
    http_port: Annotated[int | None, typer.Option(help="REST, docs and /ws.")] = None,
    ws_port: Annotated[int | None, typer.Option(help="Trading WebSocket.")] = None,
    ops_port: Annotated[int | None, typer.Option(help="Metrics, for operators.")] = None,
    bots: Annotated[bool, typer.Option("--bots/--no-bots", help="Whether bots quote and trade.")] = True,
) -> None:
    """Start an exchange to try: markets, funded accounts and bots. Ctrl-C stops it; starting again continues."""
    settings = load(config, data=data, http_port=http_port, ws_port=ws_port, ops_port=ops_port)
    if not is_founded(settings):
        example = load(example_settings()).genesis
        assert example is not None
        logs.configure(settings.log_level, settings.log_format)
        found(settings, settings.genesis or example)
    # A demo may lie for weeks before it goes on.
    code = run(
        settings, prepare=partial(prepare, settings), beside=partial(company, settings, bots), clock_is_right=True
    )
    raise typer.Exit(code)


async def prepare(settings: Settings, venue: Venue) -> None:
    """Before the ports open: funded accounts, and two admins, since no opening is one person's decision.

    One restored from a backup has no keys, and goes on as it is.
    """
    if accounts_path(settings.data).exists() and not admin_key_path(settings.data).exists():
        return
    admin = _admin(admin_key_path(settings.data), venue)
    await fund(settings, venue, admin)
    second = second_admin_key_path(settings.data)
    if not second.exists():
        write_private(second, KeyFile.generate(second.stem))
    if venue.admin(read_key(second).api_key) is None:
        spec = AdminSpec(second.stem, read_key(second).api_key, (Role.OPERATOR, Role.APPROVER))
        await admin.do(AddAdmin(admin.admin, spec, "the demo's second approver"))


async def fund(settings: Settings, venue: Venue, admin: "Admin") -> None:
    """Open the demo's markets for trading, and its accounts with funds, once.

    `demo-accounts.json` is written last, so that a first start cut short is done again.
    """
    path = accounts_path(settings.data)
    if path.exists():
        return
    # Open first: a venue where nothing has happened yet has nothing to prove.
    await _open_market(admin, None)
    for view in venue.markets():
        await _open_market(admin, view.spec.symbol)
    decimals = {asset.symbol: asset.decimals for asset in venue.assets()}
    keys = []
    numbers = count(1)
    for name, amounts in ACCOUNTS.items():
        key = KeyFile.generate(name)
        account = await _open_account(admin, key)
        for asset in sorted(amounts.keys() & decimals.keys()):
            atoms = amounts[asset] * 10 ** decimals[asset]
            await admin.do(CreditDeposit(admin.admin, account, asset, atoms, f"demo {account} {asset}", next(numbers)))
        keys.append(key)
    write_private(path, keys)


class Admin:
    """One of the demo's admins: signs for what they ask, as any other has to."""

    def __init__(self, venue: Venue, admin: AdminId, key: SigningKey) -> None:
        self.venue = venue
        self.admin = admin
        self._key = key

    async def ask(self, command: AdminCommand) -> Outcome:
        return await self.venue.execute(command, (sign(command, self._key, self.venue.now_us()),))

    async def do(self, command: AdminCommand) -> Outcome:
        """`ask` for what can't be refused; ends the program if it is."""
        outcome = await self.ask(command)
        if outcome.refusal is not None:
            stop(Exit.REFUSED, f"{type(command).__name__}: {outcome.refusal.message}")
        return outcome


def _admin(path: Path, venue: Venue) -> Admin:
    try:
        key = read_key(path)
        admin = venue.admin(key.api_key)
    except (OSError, msgspec.MsgspecError) as error:
        stop(Exit.USAGE, f"can't read an admin's key: {error}")
    if admin is None:
        stop(Exit.USAGE, f"the admin of {path} isn't one of this exchange")
    return Admin(venue, admin.admin, key.signing_key())


async def _open_market(admin: Admin, market: str | None) -> None:
    """Step one market, or the venue (None), up to FULL from where it is."""
    status = admin.venue.status()
    now = status.mode if market is None else status.markets[market][0]
    for mode in (Mode.POST_ONLY, Mode.FULL):
        if is_step_up(now, mode):
            await admin.do(SetMode(admin.admin, mode, "the demo opens", market))


async def _open_account(admin: Admin, key: KeyFile) -> AccountId:
    opened = await admin.do(OpenAccount(admin.admin, label=key.name))
    (account,) = (event.account for event in opened.events if isinstance(event, AccountOpened))
    await admin.do(AddKey(admin.admin, account, key.api_key, (Scope.READ, Scope.TRADE, Scope.WITHDRAW), key.name))
    return account


@asynccontextmanager
async def company(settings: Settings, bots: bool, venue: Venue) -> AsyncIterator[None]:
    """The bots, for as long as the exchange is open, and a word on what to try."""
    opening = asyncio.create_task(reopen(settings, venue))
    process = await _start_bots(settings) if bots else None
    console.print(what_to_try(settings, venue.status().mode), markup=False, soft_wrap=True)
    try:
        yield
    finally:
        opening.cancel()
        if process is not None and process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _BOTS_STOP_WITHIN_S)
            except TimeoutError:
                process.kill()


async def reopen(settings: Settings, venue: Venue) -> None:
    """Where a start left the venue shut, as another build's does: both admins approve what the gates find."""
    if not admin_key_path(settings.data).exists():
        return
    admins = [_admin(path(settings.data), venue) for path in (admin_key_path, second_admin_key_path)]
    while venue.status().mode is Mode.OFFLINE and (opening := venue.maintenance().opening) is not None:
        if opening.failed and not opening.certificate:
            console.print(f"The venue stays shut: {visible(opening.reason)}", markup=False)
            return
        if opening.awaits is Awaited.APPROVALS:
            for admin in admins:
                await admin.ask(ApproveOpening(admin.admin, opening.certificate, "the demo opens"))
        elif opening.certificate:
            for mode in (Mode.POST_ONLY, Mode.FULL):
                outcome = await admins[0].ask(SetMode(admins[0].admin, mode, "the demo opens"))
                if outcome.refusal is not None:
                    console.print(f"The venue stays as it is: {visible(outcome.refusal.message)}", markup=False)
                    return
            console.print("All gates passed; both admins approved; the venue is open again", markup=False)
        await asyncio.sleep(_LOOK_S)


def bots_markets(data: Path) -> list[str]:
    """The markets the demo was founded with and where they begin, as the bots take them: SOL_USDC=150.

    What was listed later is its operator's: no bot quotes it.
    """
    with JournalReader(data) as reader:
        first = next(reader.records(1, 1)).command
    assert isinstance(first, Genesis)
    return [
        f"{market.spec.symbol}={Decimal(market.filters.reference_price_ticks * market.spec.tick_e9).scaleb(-9):f}"
        for market in first.markets
    ]


async def _start_bots(settings: Settings) -> asyncio.subprocess.Process | None:
    """They are installed apart (`clients/bots`), and there is none where they are not."""
    if find_spec(_BOTS) is None:
        console.print("No bots: clients/bots is not installed here", markup=False)
        return None
    options = ["--http", settings.http_url, "--ws", settings.ws_url, "--accounts", str(accounts_path(settings.data))]
    options += [f"--market={market}" for market in bots_markets(settings.data)]
    # A session of its own: Ctrl-C reaches us alone, and we stop the bots while the exchange still answers.
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", _BOTS, *options, "--parent", str(os.getpid()), start_new_session=True
    )
