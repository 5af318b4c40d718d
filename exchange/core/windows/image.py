"""Windows and their evidence as they are written down."""

from collections.abc import Mapping
from typing import Final

from exchange.core.images import PAIRS, Form, Image, Table, tabled
from exchange.core.state import Window
from exchange.values.ids import AdminId
from exchange.values.windows.certificate import Certificate, CertificateId, Gate, VenueKey
from exchange.values.windows.events import GatesFailed
from exchange.values.windows.plan import WindowId, WindowPlan, WindowStage


class WindowImage(Image, frozen=True):
    window_id: WindowId
    plan: WindowPlan
    reason: str
    stage_us: int
    stage: WindowStage = WindowStage.SCHEDULED
    begun: bool = False
    closed: bool = False
    closing_id: CertificateId = CertificateId(0)
    waiting: tuple[str, ...] = ()
    canary_open: bool = False


WINDOW: Final = Table(WindowImage)
DERIVED: Final = frozenset({"under_way"})


def _windows(images: tuple[WindowImage, ...]) -> dict[WindowId, Window]:
    windows: dict[WindowId, Window] = {}
    for image in images:
        window = windows[image.window_id] = Window(image.window_id, image.plan)
        WINDOW.restore(image, window)
    return windows


class WindowsImage(Image, frozen=True):
    """Everything in the order it came; `approvals` and `waivers` name the admins by certificate, and by gate."""

    venue_keys: tuple[VenueKey, ...] = ()
    windows: tuple[WindowImage, ...] = ()
    certificates: tuple[tuple[CertificateId, Certificate], ...] = ()
    issued: tuple[tuple[CertificateId, WindowId], ...] = ()
    approvals: tuple[tuple[CertificateId, tuple[AdminId, ...]], ...] = ()
    waivers: tuple[tuple[tuple[WindowId, Gate], tuple[AdminId, ...]], ...] = ()
    failed_gates: GatesFailed | None = None
    frozen_since_us: int = 0
    frozen_us: int = 0


_Said = Mapping[object, Mapping[AdminId, None]]


def _said(held: _Said) -> tuple[tuple[object, tuple[AdminId, ...]], ...]:
    return tuple((of, tuple(admins)) for of, admins in held.items())


_SAID: Final = Form(_said, lambda image: {of: dict.fromkeys(admins) for of, admins in image})

WINDOWS: Final = Table(
    WindowsImage,
    {
        "windows": Form(tabled(WINDOW), _windows),
        "certificates": PAIRS,
        "issued": PAIRS,
        "approvals": _SAID,
        "waivers": _SAID,
    },
)
