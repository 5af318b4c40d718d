"""`exchange admin ...`: what an admin does to a running exchange. Each command is a record with actor and reason."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from exchange.cli import admin_accounts, admin_listings, admin_windows
from exchange.cli.admin_client import AdminClient, Reason, Session, send, venue_of
from exchange.cli.exits import Exit, console, result, row, stop, table
from exchange.cli.found import admin_key_path
from exchange.cli.keys import read_key
from exchange.cli.settings import ConfigOption, DataOption, load
from exchange.values.enums import Mode, Pause, Role
from exchange.values.ids import AdminId, ProposalId
from exchange.values.listings.commands import SetLimits
from exchange.values.listings.specs import Limits
from exchange.values.modes.commands import SetAutoResume, SetMode, SetPause
from exchange.values.people.admins import AdminSpec
from exchange.values.people.commands import AddAdmin, ChangeAdmin, RevokeAdmin, WithdrawProposal
from exchange.values.people.views import PeopleView, ProposalView
from exchange.values.process.commands import ActivateRule
from exchange.values.text import visible
from exchange.values.times import utc_text

app = typer.Typer(help="Change a running exchange: modes, pauses, accounts, listings, fees.", no_args_is_help=True)
app.add_typer(admin_accounts.account, name="account")
app.add_typer(admin_accounts.key, name="key")
app.registered_commands += admin_accounts.app.registered_commands
app.registered_commands += admin_listings.app.registered_commands
app.registered_commands += admin_windows.app.registered_commands
app.add_typer(admin_windows.window, name="window")
rule = typer.Typer(help="Named rule versions.", no_args_is_help=True)
admin = typer.Typer(help="Who may use these commands.", no_args_is_help=True)
app.add_typer(rule, name="rule")
app.add_typer(admin, name="admin")


@app.callback()
def options(
    context: typer.Context,
    config: ConfigOption = None,
    data: DataOption = None,
    key: Annotated[Path | None, typer.Option(help="The admin's key file; by default <data>/keys/admin.json.")] = None,
    url: Annotated[str | None, typer.Option(help="Where the exchange answers; by default as the settings say.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print answers as JSON.")] = False,
) -> None:
    settings = load(config, data=data)
    file = key or admin_key_path(settings.data)

    def connect() -> AdminClient:
        try:
            return AdminClient(url or settings.http_url, read_key(file))
        except OSError as error:
            hint = "name it with --key, or the data folder with --data"
            stop(Exit.USAGE, f"can't read the admin's key: {error}", hint)
        except msgspec.MsgspecError as error:
            stop(Exit.USAGE, f"{file} is no key file: {error}")

    context.obj = Session(connect, as_json, settings.data)


@app.command()
def status(context: typer.Context) -> None:
    """Show who runs the venue, the modes with their reasons, the pauses, and what is late, with the way out."""
    venue = venue_of(context)
    if context.obj.as_json:
        result(msgspec.json.encode(venue))
        return
    shown = venue.status
    modes = table("scope", "ruling mode", "reason", title=f"{shown.venue}, build {shown.build}, epoch {shown.epoch}")
    row(modes, "venue", shown.mode, shown.reason)
    for symbol, (mode, reason) in shown.markets.items():
        row(modes, symbol, mode, reason)
    for pause in shown.pauses:
        row(modes, f"{pause.pause} of {pause.asset or 'everything'}", "paused", pause.reason)
    for condition in shown.conditions:
        what = "no new orders" if condition.stops_orders else "late"
        row(modes, condition.part, what, f"{condition.message} (way out: {condition.way_out})")
    Console().print(modes)
    _show_people(venue.people)


def _show_people(people: PeopleView) -> None:
    admins = table("admin", "name", "roles", "added by", title=people.standing)
    for each in people.admins:
        by = " and ".join(str(admin) for admin in each.added_by) or "the founding"
        row(admins, str(each.admin), each.name, ", ".join(each.roles), by)
    Console().print(admins)
    if people.proposals:
        console.print(f"{len(people.proposals)} commands wait for a second person: exchange admin proposals")


@app.command()
def proposals(context: typer.Context) -> None:
    """What waits for a second person, who confirms it by running the same command."""
    people = venue_of(context).people
    waiting = people.proposals
    if context.obj.as_json:
        result(msgspec.json.encode(waiting))
        return
    names = {each.admin: each.name for each in people.admins}
    result("\n\n".join(_proposal(each, names) for each in waiting) or "Nothing waits for a second person.")


def _proposal(waiting: ProposalView, names: dict[AdminId, str]) -> str:
    """One in full, a field a line: the second person checks it letter by letter, so nothing is cut to a column."""
    fields = msgspec.to_builtins(waiting.command)
    kind, by = fields.pop("type"), fields.pop("admin")
    lines = [f"proposal {waiting.proposal}: {kind}", f"  asked for by {by} ({visible(names.get(by, ''))})"]
    lines.append(f"  until {utc_text(waiting.expires_us)}")
    return "\n".join((*lines, *(f"  {name} = {visible(text)}" for name, text in _terms(fields))))


def _terms(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every single value in a command's fields, with its name from the outside in."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _terms(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and any(isinstance(each, dict | list) for each in value):
        for index, inner in enumerate(value):
            yield from _terms(inner, f"{name}.{index}")
    else:
        yield name, msgspec.json.encode(value).decode()


@app.command()
def withdraw(
    context: typer.Context,
    proposal: Annotated[int, typer.Argument(help="Id of the proposal, as `proposals` shows it.")],
    reason: Reason,
) -> None:
    """End a proposal before anybody confirms it: your own, or as an approver anybody's."""
    send(context, WithdrawProposal(AdminId(0), ProposalId(proposal), reason))


@app.command()
def mode(
    context: typer.Context,
    to: Annotated[Mode, typer.Argument(help="The mode to go to.", case_sensitive=False)],
    reason: Reason,
    market: Annotated[str | None, typer.Option(help="One market; without it, the venue as a whole.")] = None,
) -> None:
    """Change the mode of the venue or of one market; the lower of the two rules.

    Down is possible from anywhere; up goes OFFLINE, POST_ONLY, FULL (LIMIT_ONLY between if you like).
    """
    send(context, SetMode(AdminId(0), to, reason, market))


@app.command()
def pause(
    context: typer.Context,
    switch: Annotated[Pause, typer.Argument(help="What to pause.")],
    reason: Reason,
    asset: Annotated[str | None, typer.Option(help="One asset; without it, all.")] = None,
    off: Annotated[bool, typer.Option("--off", help="Let it go on.")] = False,
) -> None:
    """Throw one of the switches beside the modes."""
    send(context, SetPause(AdminId(0), switch, not off, reason, asset))


@app.command()
def limits(
    context: typer.Context,
    reason: Reason,
    open_orders_per_market: Annotated[int, typer.Option(help="Resting orders of one account on one market.")],
    opening_grace_s: Annotated[int, typer.Option(help="Seconds in POST_ONLY before a market may go further up.")],
) -> None:
    """Set the limits the core itself holds."""
    send(context, SetLimits(AdminId(0), Limits(open_orders_per_market, opening_grace_s * 1_000_000), reason))


@app.command()
def auto_resume(
    context: typer.Context,
    reason: Reason,
    on: Annotated[bool, typer.Option("--on/--off", help="Whether the modes step back by themselves.")],
) -> None:
    """Whether a start of the same build, whose books prove whole, steps back to the modes before it."""
    send(context, SetAutoResume(AdminId(0), on, reason))


@rule.command()
def activate(
    context: typer.Context, name: Annotated[str, typer.Argument(help="Name of the rule version.")], reason: Reason
) -> None:
    """Switch a named rule version on, for ever; an approver runs the same command."""
    send(context, ActivateRule(AdminId(0), name, reason))


@admin.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A name for the records.")],
    public_key: Annotated[str, typer.Argument(help="Base64 Ed25519 public key (exchange keygen prints one).")],
    reason: Reason,
    role: Annotated[list[Role], typer.Option(help="A role; may be given several times.")],
) -> None:
    """Add an admin; a second approver runs the same command. The first approver adds the second one alone."""
    send(context, AddAdmin(AdminId(0), AdminSpec(name, public_key, tuple(role)), reason))


@admin.command()
def change(
    context: typer.Context,
    admin_id: Annotated[int, typer.Argument(help="Id of the admin, as `status` shows it.")],
    reason: Reason,
    role: Annotated[list[Role], typer.Option(help="A role they have from now on; several times for more.")],
) -> None:
    """Replace an admin's roles; a second approver runs the same command."""
    send(context, ChangeAdmin(AdminId(0), AdminId(admin_id), tuple(role), reason))


@admin.command()
def revoke(
    context: typer.Context,
    admin_id: Annotated[int, typer.Argument(help="Id of the admin, as `status` shows it.")],
    reason: Reason,
) -> None:
    """Take an admin's rights away, at once; of the last two approvers, both run it."""
    send(context, RevokeAdmin(AdminId(0), AdminId(admin_id), reason))
