"""Deciding on evidence: certificates, gates that failed, approvals, waivers, the venue's keys. Changes nothing."""

from typing import Final

import msgspec

from exchange.core import refuse
from exchange.core.accounts.decide import ed25519_key
from exchange.core.modes.clearance import untrue_gate
from exchange.core.people.agreement import one_person
from exchange.core.people.decide import ONE_PERSON
from exchange.core.state import State
from exchange.rules.gates import GATES
from exchange.rules.limits import MAX_VENUE_KEYS
from exchange.values.events import AnyEvent
from exchange.values.ids import id_at
from exchange.values.refusals import Code, Refusal
from exchange.values.windows.certificate import CertificateId, CertificateKind, read_certificate
from exchange.values.windows.commands import (
    ApproveOpening,
    BeginVerifying,
    Certify,
    ReportGates,
    RotateVenueKey,
    WaiveGate,
)
from exchange.values.windows.events import (
    CertificateIssued,
    GatesFailed,
    GateWaived,
    OpeningApproved,
    VenueKeyRotated,
    WindowStageChanged,
)
from exchange.values.windows.plan import WindowStage

Decision = list[AnyEvent]

_NOT_IN_FORCE: Final = Refusal(
    Code.RESOURCE_NOT_FOUND, "No opening certificate of that id counts: there is none, or a newer one, or a new start"
)


def begin_verifying(state: State, time_us: int, command: BeginVerifying) -> Decision:
    window = state.windows.get(command.window)
    if window is None:
        return refuse.refused(refuse.NOT_FOUND)
    if window.stage not in (WindowStage.ONGOING, WindowStage.DELAYED) or not window.closing_id:
        return refuse.precondition("The window is not shut and certified")
    return [WindowStageChanged(command.window, WindowStage.VERIFYING)]


def certify(state: State, time_us: int, command: Certify) -> Decision:
    try:
        certificate = read_certificate(command.text)
    except msgspec.MsgspecError:
        return refuse.invalid("Not a certificate")
    if certificate.public_key != state.venue_public_key or certificate.venue != state.venue:
        return refuse.precondition("The certificate is not signed by the venue's key in force")
    if certificate.as_of_seq > state.seq or certificate.build != state.build:
        return refuse.precondition("The certificate is not of this timeline and build")
    if any(market not in state.markets for market in certificate.markets):
        return refuse.refused(refuse.UNKNOWN_MARKET)
    window = state.windows.get(certificate.window)
    if certificate.window and (window is None or not window.under_way):
        return refuse.precondition("The window is not under way")
    if window is not None and certificate.markets != window.plan.markets:
        return refuse.precondition("The certificate does not cover the window's scope")
    if certificate.kind is CertificateKind.CLOSING:
        if window is None or not window.closed or window.closing_id:
            return refuse.precondition("A closing certificate is for a window that has closed and has none")
    else:
        if window is not None and certificate.closing_id != window.closing_id:
            return refuse.precondition("The certificate was not held against the window's closing certificate")
        untrue = untrue_gate(state, certificate.window, certificate.gates)
        if untrue is not None:
            return refuse.precondition(f"Gate {untrue} failed and has not been waived by two approvers")
    certificate_id = CertificateId(id_at(state.seq + 1))
    return [CertificateIssued(certificate_id, command.text, command.signature)]


def report_gates(state: State, time_us: int, command: ReportGates) -> Decision:
    events: Decision = [GatesFailed(command.window, command.results, command.reason, command.report)]
    window = state.windows.get(command.window)
    if window is not None and window.under_way:
        events.append(WindowStageChanged(command.window, WindowStage.DELAYED, command.reason))
    return events


def approve_opening(state: State, time_us: int, command: ApproveOpening) -> Decision:
    if command.certificate not in state.certificates:
        return refuse.refused(_NOT_IN_FORCE)
    if command.admin in state.approvals.get(command.certificate, {}):
        return refuse.precondition("You have approved it already")
    return [OpeningApproved(command.certificate, command.admin)]


def waive_gate(state: State, time_us: int, command: WaiveGate) -> Decision:
    if not GATES[command.gate].waivable:
        return refuse.precondition(f"The gate {command.gate} can't be waived")
    failed = state.failed_gates
    if failed is None or failed.window != command.window:
        return refuse.precondition("No gate of that window, or start, has failed")
    if not any(result.gate is command.gate and not result.passed for result in failed.results):
        return refuse.precondition(f"The gate {command.gate} has not failed")
    if command.admin in state.waivers.get((command.window, command.gate), {}):
        return refuse.precondition("You have waived it already")
    return [GateWaived(command.window, command.gate, command.admin)]


def rotate_venue_key(state: State, time_us: int, command: RotateVenueKey) -> Decision:
    if not ed25519_key(command.public_key):
        return refuse.invalid("A public key is the base64 of 32 bytes")
    refusal = refuse.used_key(state, command.public_key)
    if refusal is not None:
        return refuse.refused(refusal)
    if one_person(state):
        return refuse.precondition(ONE_PERSON)
    if len(state.venue_keys) >= MAX_VENUE_KEYS:
        return refuse.precondition(f"The venue can have had at most {MAX_VENUE_KEYS} keys")
    return [VenueKeyRotated(command.public_key, command.revoke)]
