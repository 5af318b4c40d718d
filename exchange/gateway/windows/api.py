"""Maintenance: what is planned and under way, and the certificates that prove the books."""

from typing import Annotated, Final

import msgspec

from exchange.gateway.rest.operations import Answer, Routes
from exchange.gateway.windows import wire
from exchange.gateway.wire.base import Payload, Wire
from exchange.runtime.port import Exchange
from exchange.values.accounts.views import KeyView
from exchange.values.ids import MAX_ID
from exchange.values.refusals import Refusal
from exchange.values.windows.certificate import VenueKey
from exchange.values.windows.plan import WindowId

routes = Routes("Maintenance")

MAX_CERTIFICATES: Final = 100

_OPENING: Final = {
    "awaits": "approvals",
    "reason": "",
    "certificateId": 54_210,
    "approvals": 1,
    "approvalsNeeded": 2,
    "failedGates": [],
}
_EXAMPLE: Final = {
    "condition": "planned",
    "windows": [
        {
            "id": 54_060,
            "stage": "verifying",
            "reason": "A new build",
            "markets": [],
            "canary": "SOL_USDC",
            "offlineAt": 1_790_000_000_000,
            "postOnlyAt": 1_790_007_200_000,
            "fullAt": 1_790_007_800_000,
            "freezesTimers": True,
            "stageSince": 1_790_000_012_000,
            "nextStepAt": 1_790_007_200_000,
            "eta": 1_790_007_800_000,
            "closingCertificateId": 54_120,
            "opening": _OPENING,
        }
    ],
    "markets": {
        "SOL_USDC": {
            "orderBookState": "Closed",
            "reason": "maintenance: A new build",
            "condition": "planned",
            "windowId": 54_060,
            "opensAt": 1_790_007_200_000,
        }
    },
    "opening": None,
    "verification": {
        "kind": "opening",
        "windowId": 54_060,
        "gate": "rehearsal",
        "done": 400_000,
        "total": 1_000_000,
        "percent": 40,
    },
    "losses": [],
}
_CERTIFICATE: Final = {
    "kind": "closing",
    "venue": "demo",
    "build": "0.1.0+3f9a0c51d27b",
    "markets": [],
    "window": 54_060,
    "as_of_seq": 541,
    "time_us": 1_790_000_011_000_000,
    "chain": "5f" * 32,
    "statement_version": 1,
    "statements": 12,
    "root": "a1" * 32,
    "totals": [{"asset": "USDC", "users_atoms": 9_000, "venue_atoms": 10, "custody_atoms": -9_010}],
    "public_key": "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=",
}
_TEXT: Final = msgspec.json.encode(_CERTIFICATE).decode()
_SIGNATURE: Final = "ogsyh1c6LnY10GiJaCoAEdHpkK2BT4KgS7NAd1PW2DQn..."
_VENUE_KEY: Final = {
    "public_key": "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=",
    "since_seq": 1,
}


class CertificatesQuery(Payload, frozen=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_CERTIFICATES)] = 10


class ProofQuery(Payload, frozen=True):
    """Without `windowId`, the window certified last; 0 is a start without a window."""

    window_id: Annotated[int, msgspec.Meta(ge=0, le=MAX_ID)] | None = None


class SignedCertificate(Wire, frozen=True):
    """`signature` is base64, Ed25519, over the UTF-8 of `certificate`: the text that was signed, JSON in itself."""

    id: int
    recorded_seq: int
    certificate: str
    signature: str


class Certificates(Wire, frozen=True):
    """Newest first, with every key the venue has ever signed with."""

    venue_keys: tuple[VenueKey, ...]
    certificates: tuple[SignedCertificate, ...]


@routes.public("GET", "/api/v1/maintenance", example=_EXAMPLE)
async def maintenance(exchange: Exchange) -> wire.Maintenance:
    """Windows that are planned, under way and past, and what an opening waits for.

    `condition` tells a planned stop from an outage: `open`, `planned` (a window that was announced), `unplanned`
    (OFFLINE or CANCEL_ONLY without one). A window's `stage`: `scheduled`, `ongoing`, `verifying`, `pre-open`,
    `completed`, `delayed`, `cancelled`. `opening.awaits`: `start`, `closing`, `gates`, `operators` (a gate failed),
    `approvals`, `post-only-time`, `full-time`, `nothing`. The `status` stream carries the same.
    """
    return wire.maintenance_to_wire(exchange.maintenance(), exchange.now_us())


@routes.public(
    "GET",
    "/api/v1/maintenance/certificates",
    example={
        "venueKeys": [_VENUE_KEY],
        "certificates": [
            {"id": 54_120, "recordedSeq": 542, "certificate": _TEXT, "signature": _SIGNATURE},
        ],
    },
    history=True,
)
async def certificates(exchange: Exchange, params: CertificatesQuery) -> Certificates | Refusal:
    """The newest certificates, and the keys they are signed with."""
    view = await exchange.certificates(params.limit)
    if isinstance(view, Refusal):
        return view
    return Certificates(
        view.venue_keys,
        tuple(
            SignedCertificate(each.certificate_id, each.recorded_seq, each.text, each.signature)
            for each in view.certificates
        ),
    )


@routes.signed("GET", "/api/v1/maintenance/proof", "maintenanceProofQuery", example=None)
async def proof(exchange: Exchange, key: KeyView, params: ProofQuery) -> Answer | Refusal:
    """What proves your statements at closing and opening, for a verifier that needs nothing of ours.

    A JSON document with your statement, its salt and its path to the signed root, and both certificates; other
    accounts appear as hashes only. `clients/python/verify_proof.py` checks it.
    """
    document = await exchange.proof(key.account, None if params.window_id is None else WindowId(params.window_id))
    return document if isinstance(document, Refusal) else Answer(body=document)
