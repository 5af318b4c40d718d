"""`exchange admin account | key | deposit | user-tier`: people, their keys, and what they brought."""

from typing import Annotated

import typer

from exchange.cli.admin_client import Reason, asset_of, send, venue_of
from exchange.cli.exits import Exit, stop
from exchange.cli.listing import scaled
from exchange.values.accounts.commands import AddKey, OpenAccount, RevokeKey, SetUserTier
from exchange.values.enums import Scope
from exchange.values.ids import AccountId, AdminId, KeyId, SubaccountId, UserId
from exchange.values.money.commands import CreditDeposit

app = typer.Typer()
account = typer.Typer(help="Accounts.", no_args_is_help=True)
key = typer.Typer(help="API keys of accounts.", no_args_is_help=True)

Account = Annotated[int, typer.Argument(help="Account id, as opening it printed.")]


@account.command("open")
def open_account(
    context: typer.Context,
    user: Annotated[int | None, typer.Option(help="Open a further sub-account of this user.")] = None,
    subaccount: Annotated[int, typer.Option(help="Number of the sub-account.")] = 0,
    label: Annotated[str, typer.Option(help="A name for people.")] = "",
) -> None:
    """Open a new user's first account, or a sub-account; prints its id."""
    owner = None if user is None else UserId(user)
    send(context, OpenAccount(AdminId(0), owner, SubaccountId(subaccount), label))


@key.command("add")
def add_key(
    context: typer.Context,
    account: Account,
    public_key: Annotated[str, typer.Argument(help="Base64 Ed25519 public key (exchange keygen prints one).")],
    scope: Annotated[list[Scope], typer.Option(help="What the key may do; several times.")] = [  # noqa: B006
        Scope.READ,
        Scope.TRADE,
    ],
    label: Annotated[str, typer.Option(help="A name for people.")] = "",
    reason: Annotated[str, typer.Option(help="Why; needed unless it is a new user's first key.")] = "",
) -> None:
    """Give an account an API key; but for a new user's first one, an approver runs the same command."""
    send(context, AddKey(AdminId(0), AccountId(account), public_key, tuple(scope), label, reason))


@key.command("revoke")
def revoke_key(
    context: typer.Context, key_id: Annotated[int, typer.Argument(help="Id of the key.")], reason: Reason
) -> None:
    """Take an API key out of force, from this record on."""
    send(context, RevokeKey(AdminId(0), KeyId(key_id), reason))


@app.command()
def deposit(
    context: typer.Context,
    account: Account,
    asset: Annotated[str, typer.Argument(help="Symbol, such as USDC.")],
    amount: Annotated[str, typer.Argument(help="In units of the asset, such as 12.5.")],
    reference: Annotated[str, typer.Option(help="What it is known by outside; credited once.")],
    source: Annotated[str, typer.Option(help="Where it came from, if its deposits are numbered apart.")] = "",
    number: Annotated[int, typer.Option(help="Its number at the source; else the next one.")] = 0,
) -> None:
    """Credit a deposit."""
    venue = venue_of(context)
    try:
        atoms = scaled(amount, asset_of(venue, asset).decimals)
    except ValueError as error:
        stop(Exit.USAGE, str(error))
    number = number or venue.deposits.get(source, 0) + 1
    send(context, CreditDeposit(AdminId(0), AccountId(account), asset, atoms, reference, number, source))


@app.command()
def user_tier(
    context: typer.Context,
    user: Annotated[int, typer.Argument(help="User id.")],
    tier: Annotated[int, typer.Argument(help="Number of the fee tier, from 0.")],
    reason: Reason,
) -> None:
    """Put a user into a fee tier."""
    send(context, SetUserTier(AdminId(0), UserId(user), tier, reason))
