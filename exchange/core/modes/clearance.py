"""Whether a step up may be taken: the evidence and the approvals a mode asks for before it is left.

The gates run outside (`maintenance`), since they take longer than a command may; what they found
comes in as a certificate. Here is what makes a certificate good for a step: it covers the scope,
names every gate the mode asks for as passed or waived, is of the running build and of this start,
and nothing in its scope has traded or moved in a book since. Deposits may: they are declared, and
the statements account for them.
"""

from exchange.core.people.agreement import holds
from exchange.core.state import State
from exchange.core.windows.certificates import current_certificate
from exchange.rules.gates import APPROVALS, NEEDED, TWO_PEOPLE
from exchange.values.enums import Mode, Role
from exchange.values.ids import AdminId
from exchange.values.refusals import Code, Refusal
from exchange.values.windows.certificate import CertificateId, Gate, GateResult
from exchange.values.windows.plan import WindowId


def _not_yet(message: str) -> Refusal:
    return Refusal(Code.PRECONDITION_FAILED, message)


def clearance(state: State, market: str | None, before: Mode, actor: AdminId | None = None) -> Refusal | None:
    """Why the scope (a market, or None: the venue) may not leave `before` upwards; None: it may.

    `actor` asks for the step; where one approval is enough, it is not theirs. None: the venue takes it by itself, in a
    window that one person may have planned, so two approve.
    """
    needed = NEEDED.get(before)
    if needed is None or untouched(state, market):
        return None
    found = current_certificate(state, market)
    if found is None:
        return _not_yet(f"{market or 'The venue'} needs an opening certificate of this start before it leaves {before}")
    certificate_id, certificate = found
    if before is Mode.OFFLINE and certificate.as_of_seq < trading_seq(state, market):
        return _not_yet(
            f"Certificate {certificate_id} is outdated: the books have changed since {certificate.as_of_seq}"
        )
    failed = state.failed_gates
    if failed is not None and failed.window == certificate.window:
        return _not_yet(f"Since certificate {certificate_id} gates have failed: {failed.reason}")
    missing = [
        gate
        for gate in needed
        if not any(r.gate is gate and untrue_gate(state, certificate.window, (r,)) is None for r in certificate.gates)
    ]
    if missing:
        return _not_yet(f"Certificate {certificate_id} lacks the gate {missing[0]}")
    wanted = APPROVALS[before] if actor is not None else TWO_PEOPLE
    others = [admin for admin in approvers(state, certificate_id) if wanted > 1 or admin != actor]
    if len(others) < wanted:
        return _not_yet(f"Certificate {certificate_id} has {len(others)} of {wanted} approvals")
    return None


def untouched(state: State, market: str | None) -> bool:
    """Nothing has ever happened in the scope, so there is nothing to prove."""
    return not (trading_seq(state, market) or (market is None and state.posted_seq))


def trading_seq(state: State, market: str | None) -> int:
    return state.trading_seq if market is None else state.markets[market].trading_seq


def approvers(state: State, certificate_id: CertificateId) -> tuple[AdminId, ...]:
    """The admins who approved a certificate; the word of one who is no approver any more no longer counts."""
    return tuple(a for a in state.approvals.get(certificate_id, ()) if holds(state, a, Role.APPROVER))


def waived_by(state: State, window: WindowId, gate: Gate) -> tuple[AdminId, ...]:
    """The admins who waived a gate, if they are enough to count; who is no approver any more does not."""
    said = tuple(a for a in state.waivers.get((window, gate), ()) if holds(state, a, Role.APPROVER))
    return said[:TWO_PEOPLE] if len(said) >= TWO_PEOPLE else ()


def untrue_gate(state: State, window: WindowId, results: tuple[GateResult, ...]) -> Gate | None:
    """A gate that a certificate calls waived and two admins have not waived, or that failed without a waiver."""
    for result in results:
        said = state.waivers.get((window, result.gate), {})
        if not result.passed and (
            len(set(result.waived_by)) < TWO_PEOPLE
            or any(admin not in said or not holds(state, admin, Role.APPROVER) for admin in result.waived_by)
        ):
            return result.gate
    return None
