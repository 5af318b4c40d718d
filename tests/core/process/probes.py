"""Probes of the venue's own life."""

from exchange.core import State
from exchange.rules.versions import BAND_BY_SIDE
from exchange.values.commands import AnyCommand
from exchange.values.process.commands import AcceptLoss, ActivateRule, Genesis, ReportFault, StartProcess, StopProcess
from exchange.values.refusals import Code
from tests.probes import Probe, Scene
from tests.venue import ADMIN, SOL_USDC, genesis


def _before_all(s: Scene) -> AnyCommand:
    s.venue.state = State()
    return genesis()


PROBES = (
    Probe(Genesis, lambda s, n: genesis(), _before_all, lambda s: genesis(), Code.PRECONDITION_FAILED),
    Probe(
        StartProcess,
        lambda s, n: StartProcess(f"build {n.number % 2}", bool(n.which)),
        lambda s: StartProcess("build", True),
    ),
    Probe(StopProcess, lambda s, n: StopProcess("test"), lambda s: StopProcess("test")),
    Probe(
        ReportFault,
        lambda s, n: ReportFault(SOL_USDC.symbol, "test"),
        lambda s: ReportFault(SOL_USDC.symbol, "test"),
        lambda s: ReportFault("NO_SUCH", "test"),
        Code.INVALID_CLIENT_REQUEST,
    ),
    Probe(
        ActivateRule,
        lambda s, n: ActivateRule(s.admin(n), BAND_BY_SIDE, "test"),
        lambda s: ActivateRule(ADMIN, BAND_BY_SIDE, "test"),
        lambda s: ActivateRule(ADMIN, "no such rule", "test"),
        Code.INVALID_CLIENT_REQUEST,
    ),
    Probe(
        AcceptLoss,
        lambda s, n: AcceptLoss(ADMIN, s.second, s.venue.state.seq + n.number, "00" * 32, "test"),
        lambda s: AcceptLoss(ADMIN, s.second, s.venue.state.seq + 100, "00" * 32, "test"),
        lambda s: AcceptLoss(ADMIN, ADMIN, s.venue.state.seq + 100, "00" * 32, "test"),
        Code.FORBIDDEN,
    ),
)
