"""Which certificates count, and what the state lets go of windows and their evidence: the journal keeps it all.

State holds what can still decide something, and what the public is shown, each by a bound; so it is as large after a
thousand windows as after ten.
"""

from typing import Final

from exchange.core.state import State, Window
from exchange.values.ids import seq_of
from exchange.values.windows.certificate import Certificate, CertificateId, CertificateKind
from exchange.values.windows.plan import ENDED_STAGES

#: Windows that have ended, shown with those that have not.
MAX_ENDED_WINDOWS: Final = 10
#: The newest certificates on record, of which the state knows in which records they stand.
MAX_ISSUED: Final = 100


def current_certificate(state: State, market: str | None) -> tuple[CertificateId, Certificate] | None:
    """The newest opening certificate for the scope, of this start (and so of its build), and of this closure.

    What a revoked key has signed is as if it were not there.
    """
    revoked = [key.public_key for key in state.venue_keys if key.revoked]
    shut_seq = state.mode_seq if market is None else state.markets[market].mode_seq
    since_seq = max(shut_seq, state.started_seq)
    for certificate_id, certificate in reversed(state.certificates.items()):
        if (
            seq_of(certificate_id) > since_seq
            and certificate.public_key not in revoked
            and (not certificate.markets or (market is not None and market in certificate.markets))
        ):
            return certificate_id, certificate
    return None


def issue(state: State, certificate_id: CertificateId, certificate: Certificate) -> None:
    """An opening certificate stays as long as it counts for somebody, and puts those out that it replaces."""
    state.issued[certificate_id] = certificate.window
    while len(state.issued) > MAX_ISSUED:
        del state.issued[next(iter(state.issued))]
    if certificate.kind is CertificateKind.OPENING:
        state.certificates[certificate_id] = certificate
        forget(state)


def ended_windows(state: State) -> list[Window]:
    """Those the state still holds, the last to end at the end."""
    ended = [window for window in state.windows.values() if window.stage in ENDED_STAGES]
    return sorted(ended, key=lambda window: (window.stage_us, window.window_id))


def forget(state: State) -> None:
    """Let go of ended windows beyond those that are shown, of certificates that count for no scope any more, and of
    what people have said of either. For `evolve`, where a window ends, a certificate comes, or a process starts."""
    for window in ended_windows(state)[:-MAX_ENDED_WINDOWS]:
        del state.windows[window.window_id]
    counting = [current_certificate(state, scope) for scope in (None, *state.markets)]
    kept = dict.fromkeys(found[0] for found in counting if found is not None)
    state.certificates = {of: certificate for of, certificate in state.certificates.items() if of in kept}
    state.approvals = {of: said for of, said in state.approvals.items() if of in kept}
    windows = dict.fromkeys(certificate.window for certificate in state.certificates.values())
    windows |= dict.fromkeys(of for of, window in state.windows.items() if window.stage not in ENDED_STAGES)
    # Without a window (0): of this start.
    state.waivers = {(of, gate): said for (of, gate), said in state.waivers.items() if not of or of in windows}
