"""Probes of modes and pauses."""

from exchange.values.commands import AnyCommand
from exchange.values.enums import Mode, Pause
from exchange.values.modes.commands import DropToCancelOnly, ResumeModes, SetAutoResume, SetMode, SetPause
from exchange.values.process.commands import StartProcess
from exchange.values.refusals import Code
from tests.probes import Probe, Scene
from tests.venue import ADMIN, SOL_USDC


def _started_again(s: Scene) -> AnyCommand:
    s.venue.agree(SetAutoResume(ADMIN, True, "test"), s.second)
    s.venue.expect(StartProcess(s.venue.state.build, True))
    return ResumeModes()


PROBES = (
    Probe(
        SetMode,
        lambda s, n: SetMode(ADMIN, tuple(Mode)[n.number % 5], "test", SOL_USDC.symbol if n.which else None),
        lambda s: SetMode(ADMIN, Mode.POST_ONLY, "test"),
        lambda s: SetMode(ADMIN, Mode.FULL, "test"),
        Code.PRECONDITION_FAILED,
    ),
    Probe(
        SetPause,
        lambda s, n: SetPause(ADMIN, tuple(Pause)[n.number % 2], bool(n.which), "test"),
        lambda s: SetPause(ADMIN, Pause.DEPOSITS, True, "test"),
        lambda s: SetPause(ADMIN, Pause.DEPOSITS, False, "test"),
        Code.PRECONDITION_FAILED,
    ),
    Probe(
        SetAutoResume,
        lambda s, n: SetAutoResume(s.admin(n), n.number % 2 == 0, "test"),
        lambda s: SetAutoResume(ADMIN, True, "test"),
        lambda s: SetAutoResume(ADMIN, True, ""),
        Code.INVALID_CLIENT_REQUEST,
    ),
    Probe(ResumeModes, lambda s, n: ResumeModes(), _started_again, lambda s: ResumeModes(), Code.PRECONDITION_FAILED),
    Probe(DropToCancelOnly, lambda s, n: DropToCancelOnly("test"), lambda s: DropToCancelOnly("test")),
)
