"""Checks every subject shares, each answering a refusal or None; and how a refusal becomes events."""

from typing import Final

from exchange.core.state import Market, State
from exchange.rules.modes import permits
from exchange.values.base import Command
from exchange.values.enums import Action, Mode, Role
from exchange.values.events import AnyEvent
from exchange.values.ids import AdminId
from exchange.values.process.events import Refused
from exchange.values.refusals import Code, Refusal
from exchange.values.text import MAX_TEXT, texts, unseen
from exchange.values.times import utc_text

UNKNOWN_MARKET: Final = Refusal(Code.INVALID_CLIENT_REQUEST, "Invalid market symbol")
_UNKNOWN_ADMIN: Final = Refusal(Code.UNAUTHORIZED, "Unknown or revoked admin")
NOT_FOUND: Final = Refusal(Code.RESOURCE_NOT_FOUND, "Not Found")
WOULD_TAKE: Final = Refusal(Code.INVALID_ORDER, "Order would immediately match and take")
NOT_TWO_PEOPLE: Final = Refusal(Code.FORBIDDEN, "Two different admins must sign")
INSUFFICIENT_FUNDS: Final = Refusal(Code.INSUFFICIENT_FUNDS, "Insufficient funds")

_USED_KEY: Final = Refusal(Code.PRECONDITION_FAILED, "The public key is in use, or was: make a new one")
_NO_REASON: Final = Refusal(Code.INVALID_CLIENT_REQUEST, f"A reason of 1 to {MAX_TEXT} characters is needed")


def refused(refusal: Refusal) -> list[AnyEvent]:
    return [Refused(refusal.code, refusal.message)]


def invalid(message: str) -> list[AnyEvent]:
    return refused(Refusal(Code.INVALID_CLIENT_REQUEST, message))


def precondition(message: str) -> list[AnyEvent]:
    """The command is well formed, and the venue's state does not allow it."""
    return refused(Refusal(Code.PRECONDITION_FAILED, message))


def unknown_asset() -> list[AnyEvent]:
    return refused(Refusal(Code.INVALID_ASSET, "Unknown asset"))


def admin(state: State, admin_id: AdminId, role: Role | None) -> Refusal | None:
    """Whether this is an admin in force with the role, or with any (None)."""
    spec = state.admins.get(admin_id)
    if spec is None:
        return _UNKNOWN_ADMIN
    if role is not None and role not in spec.roles:
        return Refusal(Code.FORBIDDEN, f"This takes the role {role}")
    return None


def used_key(state: State, public_key: str) -> Refusal | None:
    """A public key is one person's, or the venue's, for good: not again as another's, nor after it was revoked."""
    if (
        public_key in state.key_ids
        or state.admin_of(public_key) is not None
        or public_key in state.spent_keys
        or any(public_key == key.public_key for key in state.venue_keys)
    ):
        return _USED_KEY
    return None


def reason(text: str) -> Refusal | None:
    return None if text.strip() and len(text) <= MAX_TEXT else _NO_REASON


def text(command: Command) -> Refusal | None:
    """Whether every text that people gave can be seen whole by whoever reads the record."""
    for name, given in texts(command):
        if (found := unseen(given)) or len(given) > MAX_TEXT:
            why = f"{found} can't be seen, or moves other text" if found else f"at most {MAX_TEXT} characters"
            return Refusal(Code.INVALID_CLIENT_REQUEST, f"`{name}`: {why}")
    return None


def _until(state: State, market: Market, ruling: Mode) -> str:
    """The earliest moment a window under way lets the market go up, unless that has passed."""
    window = state.window_over(market)
    if window is None:
        return ""
    opens_us = window.plan.post_only_at_us if ruling is Mode.OFFLINE else window.plan.full_at_us
    return f"; not before {utc_text(opens_us)}" if opens_us > state.time_us else ""


def mode(state: State, market: Market, action: Action) -> Refusal | None:
    """Whether the ruling mode permits the action; the refusal names the mode and its reason."""
    ruling = state.ruling_mode(market)
    if permits(ruling, (), action):
        return None
    message = f"{market.symbol} is {ruling}: {state.ruling_reason(market)}{_until(state, market, ruling)}"
    if ruling in (Mode.OFFLINE, Mode.CANCEL_ONLY):
        whole_venue = state.venue_mode is Mode.OFFLINE
        return Refusal(Code.MAINTENANCE if whole_venue else Code.TRADING_PAUSED, message)
    return Refusal(Code.INVALID_ORDER, message)
