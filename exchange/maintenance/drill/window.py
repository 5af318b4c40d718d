"""The window's steps, as the exchange takes them: closing, proving, opening."""

import asyncio
import sys
from base64 import b64encode
from pathlib import Path

import msgspec

from exchange.core.digest import digest
from exchange.maintenance.drill.morning import ADMINS, do, key_of
from exchange.maintenance.gates import Outcome, Request, Said
from exchange.runtime.venue import Venue
from exchange.values.commands import (
    ApproveOpening,
    BeginVerifying,
    BeginWindow,
    CancelAtClose,
    Certify,
    ReportGates,
)
from exchange.values.events import CertificateIssued
from exchange.values.maintenance import WindowId


async def close(venue: Venue, window: WindowId, data_dir: Path, witness_dir: Path) -> None:
    """OFFLINE, and the closing certificate."""
    await do(venue, BeginWindow(window))
    while (await venue.execute(CancelAtClose(window))).refusal is None:
        pass
    outcome = await ask("closing", request(window, data_dir, witness_dir, venue))
    assert outcome.signed is not None, outcome.reason
    await do(venue, Certify(outcome.signed.certificate, outcome.signed.signature))


async def prove(venue: Venue, window: WindowId, data_dir: Path, witness_dir: Path) -> Outcome:
    """Run the gates; passed, the opening is certified and approved by two."""
    await do(venue, BeginVerifying(window))
    outcome = await ask("gates", request(window, data_dir, witness_dir, venue))
    if outcome.signed is None:
        await do(venue, ReportGates(window, outcome.results, outcome.reason, outcome.report))
        return outcome
    certified = await do(venue, Certify(outcome.signed.certificate, outcome.signed.signature))
    (issued,) = (event for event in certified.events if isinstance(event, CertificateIssued))
    for admin in ADMINS:
        await do(venue, ApproveOpening(admin, issued.certificate_id, "all gates passed"))
    return outcome


def request(window: WindowId, data_dir: Path, witness_dir: Path, venue: Venue | None = None) -> Request:
    """What to ask for, with the digest of the running state if there is one."""
    asked = Request(
        data=str(data_dir),
        seed=b64encode(bytes(key_of("venue"))).decode(),
        time_us=venue.now_us() if venue is not None else 0,
        witness=str(witness_dir),
        window=window,
    )
    if venue is None:
        return asked
    return msgspec.structs.replace(asked, live_seq=venue._state.seq, live_digest=digest(venue._state))


async def ask(process: str, asked: Request) -> Outcome:
    """Run one of the processes that certify beside the exchange. One that finds no way to answer has not passed."""
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"exchange.maintenance.{process}",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, complaint = await running.communicate(msgspec.json.encode(asked))
    for line in output.splitlines():
        said = msgspec.json.decode(line, type=Said)
        if said.outcome is not None:
            return said.outcome
    return Outcome(False, (), complaint.decode(), "")
