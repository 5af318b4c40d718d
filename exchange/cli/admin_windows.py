"""`exchange admin window ...`, `approve`, `waive`, `certify`, `rotate-key`: maintenance and openings."""

import re
import time
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console

from exchange.cli.admin_client import Reason, Session, send, venue_of
from exchange.cli.exits import Exit, console, result, row, stop, table
from exchange.cli.found import venue_key_path
from exchange.cli.keys import KeyFile, read_key, write_private
from exchange.values.ids import AdminId
from exchange.values.times import utc_text
from exchange.values.windows.certificate import CertificateId, Gate
from exchange.values.windows.commands import (
    ApproveOpening,
    CancelWindow,
    ChangeWindow,
    PlanWindow,
    RotateVenueKey,
    WaiveGate,
)
from exchange.values.windows.events import VenueKeyRotated
from exchange.values.windows.plan import WindowId, WindowPlan
from exchange.values.windows.views import OpeningView, WindowView

app = typer.Typer()
window = typer.Typer(help="Maintenance windows: planned, announced, kept to time.", no_args_is_help=True)

UNITS_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_AHEAD: Final = re.compile(r"\+(\d{1,9})([smhd])", re.ASCII)
_SECOND_US: Final = 1_000_000

_TIME: Final = "UTC such as 2026-03-01T10:00, or a time from now such as +90m."
OfflineAt = Annotated[str, typer.Option(help=f"When the scope shuts: {_TIME}")]
PostOnlyAt = Annotated[str, typer.Option(help="The earliest moment for POST_ONLY; with a +, from --offline-at on.")]
FullAt = Annotated[str, typer.Option(help="The earliest moment for FULL; with a +, from --post-only-at on.")]
Markets = Annotated[list[str] | None, typer.Option("--market", help="A market; several times for more. None: all.")]
Canary = Annotated[str | None, typer.Option(help="A market that opens first, and alone until it is in FULL.")]
Freeze = Annotated[bool, typer.Option("--freeze-timers/--run-timers", help="Whether dead-man's switches stand still.")]
Id = Annotated[int, typer.Argument(help="Id of the window, as `window list` shows it.")]


def moment_us(text: str, from_us: int) -> int:
    """A time of an option in µs since 1970; with a + in front, from `from_us` on. Ends the program if it is none."""
    ahead = _AHEAD.fullmatch(text)
    if ahead is not None:
        return from_us + int(ahead[1]) * UNITS_S[ahead[2]] * _SECOND_US
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        stop(Exit.USAGE, f"{text!r} is no time; {_TIME}")
    return int((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()) * _SECOND_US


def _plan(
    offline_at: str,
    post_only_at: str,
    full_at: str,
    reason: str,
    markets: list[str] | None,
    canary: str | None,
    freeze: bool,
) -> WindowPlan:
    offline_us = moment_us(offline_at, time.time_ns() // 1_000)
    post_only_us = moment_us(post_only_at, offline_us)
    return WindowPlan(
        offline_us, post_only_us, moment_us(full_at, post_only_us), reason, tuple(markets or ()), freeze, canary
    )


@window.command()
def plan(
    context: typer.Context,
    offline_at: OfflineAt,
    reason: Reason,
    post_only_at: PostOnlyAt = "+2h",
    full_at: FullAt = "+10m",
    market: Markets = None,
    canary: Canary = None,
    freeze_timers: Freeze = True,
) -> None:
    """Plan a window. The scope shuts at its time; it opens no earlier than planned, and not without proof."""
    planned = _plan(offline_at, post_only_at, full_at, reason, market, canary, freeze_timers)
    send(context, PlanWindow(AdminId(0), planned))


@window.command()
def change(
    context: typer.Context,
    window_id: Id,
    reason: Reason,
    offline_at: Annotated[str | None, typer.Option(help="As in `plan`; left out, it stays.")] = None,
    post_only_at: Annotated[str | None, typer.Option(help="As in `plan`; left out, it stays.")] = None,
    full_at: Annotated[str | None, typer.Option(help="As in `plan`; left out, it stays.")] = None,
) -> None:
    """Move a window; of one that has begun, only the times of its reopening."""
    old = _found(context, window_id).plan
    offline_us = old.offline_at_us if offline_at is None else moment_us(offline_at, time.time_ns() // 1_000)
    post_only_us = old.post_only_at_us if post_only_at is None else moment_us(post_only_at, offline_us)
    full_us = old.full_at_us if full_at is None else moment_us(full_at, post_only_us)
    moved = msgspec.structs.replace(
        old, offline_at_us=offline_us, post_only_at_us=post_only_us, full_at_us=full_us, reason=reason
    )
    send(context, ChangeWindow(AdminId(0), WindowId(window_id), moved))


@window.command()
def cancel(context: typer.Context, window_id: Id, reason: Reason) -> None:
    """Call a window off. One that has begun leaves its scope shut, to be opened by hand on the same evidence."""
    send(context, CancelWindow(AdminId(0), WindowId(window_id), reason))


@window.command("list")
def list_windows(context: typer.Context) -> None:
    """Windows to come, under way and past, and what an opening waits for."""
    session: Session = context.obj
    status = venue_of(context).status
    maintenance = status.maintenance
    if session.as_json:
        result(msgspec.json.encode(maintenance))
        return
    windows = table("window", "stage", "offline, post-only, full at", "waits for", show_lines=True)
    for each in maintenance.windows:
        planned = each.plan
        row(
            windows,
            f"{each.window}\n{', '.join(planned.markets) or 'venue'}",
            f"{each.stage}\n{each.reason}",
            "\n".join(utc_text(at) for at in (planned.offline_at_us, planned.post_only_at_us, planned.full_at_us)),
            _waits(each.opening),
        )
    Console().print(windows)
    if maintenance.opening is not None:
        console.print(f"What is shut without a window waits for: {_waits(maintenance.opening)}", markup=False)
    if (progress := maintenance.verification) is not None:
        gate = progress.gate or "starting"
        console.print(f"The {progress.kind} certificate is being made: {gate}, {progress.done} of {progress.total}")
    for condition in status.conditions:
        if condition.part == "certificates":
            console.print(f"{condition.message}. Way out: {condition.way_out}", markup=False, soft_wrap=True)


def _waits(opening: OpeningView) -> str:
    failed = ", ".join(result.gate for result in opening.failed)
    count = (
        f" ({opening.approvals} of {opening.approvals_needed} on {opening.certificate})" if opening.certificate else ""
    )
    return f"{opening.awaits}{count}{f'; failed: {failed}' if failed else ''}"


def _found(context: typer.Context, window_id: int) -> WindowView:
    for each in venue_of(context).status.maintenance.windows:
        if each.window == window_id:
            return each
    stop(Exit.USAGE, f"there is no window {window_id}; `window list` shows those there are")


@app.command()
def approve(
    context: typer.Context,
    reason: Reason,
    certificate: Annotated[
        int | None, typer.Argument(help="Id of the certificate; without it, the one waiting.")
    ] = None,
) -> None:
    """Approve an opening. It takes two admins who are not the same person; read the report first."""
    found = _waiting(context) if certificate is None else certificate
    send(context, ApproveOpening(AdminId(0), CertificateId(found), reason))


def _waiting(context: typer.Context) -> int:
    maintenance = venue_of(context).status.maintenance
    openings = [each.opening for each in maintenance.windows] + [maintenance.opening]
    waiting = [opening.certificate for opening in openings if opening is not None and opening.certificate]
    if len(waiting) != 1:
        stop(Exit.USAGE, f"{len(waiting)} opening certificates are there; name one (`window list` shows them)")
    return waiting[0]


@app.command()
def waive(
    context: typer.Context,
    gate: Annotated[Gate, typer.Argument(help="The gate that failed.")],
    reason: Reason,
    window_id: Annotated[int, typer.Option("--window", help="Its window; 0: this start.")] = 0,
) -> None:
    """Let a failed gate pass, where that is possible. It counts once a second approver has said so too."""
    send(context, WaiveGate(AdminId(0), WindowId(window_id), gate, reason))


@app.command()
def certify(
    context: typer.Context,
    reason: Reason,
    window_id: Annotated[int, typer.Option("--window", help="A window under way; 0: the venue as it stands.")] = 0,
) -> None:
    """Have the gates run: again after one has failed, or before leaving CANCEL_ONLY or a mode set by hand."""
    session: Session = context.obj
    session.client.run_gates(WindowId(window_id), reason)
    console.print("The gates run; `window list` shows how far they are")


@app.command()
def rotate_key(
    context: typer.Context,
    reason: Reason,
    revoke: Annotated[bool, typer.Option("--revoke", help="Void what the old key has signed: it was stolen.")] = False,
) -> None:
    """Make a new key for the venue and sign with it from now on. Two approvers run it, where the data folder is."""
    session: Session = context.obj
    path = venue_key_path(session.data)
    if not path.exists():
        stop(Exit.USAGE, f"there is no venue key at {path}", "run it where the data folder is, or name it with --data")
    following = path.with_name("venue-next.json")
    # One that is there already is what another approver has proposed, or of a rotation cut short.
    if not following.exists():
        write_private(following, KeyFile.generate("venue"))
    recorded = send(context, RotateVenueKey(AdminId(0), read_key(following).api_key, revoke, reason))
    if not any(isinstance(event, VenueKeyRotated) for event in recorded.events):
        return
    path.rename(path.with_name(f"venue-until-{recorded.seq}.json"))
    following.rename(path)
