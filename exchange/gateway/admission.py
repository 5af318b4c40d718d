"""Who may ask how much: named limits on requests, each with a clear refusal and the time to wait."""

from collections.abc import Hashable
from typing import Annotated, Final, Generic, TypeVar

import msgspec

from exchange.values.ids import AccountId
from exchange.values.refusals import Code, Refusal

MINUTE_US: Final = 60_000_000
#: Accounts or addresses one rate keeps count of; beyond it those that are idle are forgotten, then all.
MAX_TRACKED: Final = 100_000
#: The base64 of a public key; what else a client says its key is takes no more room than that.
_KEY_CHARACTERS: Final = 44


K = TypeVar("K", bound=Hashable)
Positive = Annotated[int, msgspec.Meta(ge=1)]


class GatewayLimits(msgspec.Struct, frozen=True):
    """Limits on requests over HTTP; the rate per account also counts what comes over WebSocket."""

    #: Signed requests of one account; each order of a batch counts as one.
    requests_per_minute: Positive = 2_000
    #: Cancels of one account beyond that: whoever may send nothing else can still take orders back.
    reserved_cancels_per_minute: Positive = 1_000
    #: Unsigned requests from one address.
    public_requests_per_minute: Positive = 2_000
    #: Requests for klines and past trades from one address, within the rate above.
    history_requests_per_minute: Positive = 120
    #: Requests under one key from one address that fail its signature or time; then it signs in vain for a while.
    failed_signatures_per_minute: Positive = 120
    #: The same in a minute under any keys from one address; then only keys that have proved themselves there are heard.
    failed_signatures_per_address: Positive = 1_200
    #: Requests of one account that wait for their answer.
    in_flight_per_account: Positive = 256
    #: Cancels of one account that wait for their answer, beyond that.
    reserved_cancels_in_flight: Positive = 64
    #: Bytes of a request's body.
    body_bytes: Positive = 65_536
    #: Orders in one batch.
    batch_orders: Positive = 50
    #: Open HTTP connections; one more takes the place of one that is silent, or is answered 503 and closed.
    connections: Positive = 2_000
    #: Open HTTP connections from one address; one more takes the place of one of its own that is silent, or is
    #: answered 429 and closed. Trusted proxies aren't held to it.
    connections_per_address: Positive = 200
    #: Bytes of a request's line and headers.
    head_bytes: Positive = 32_768
    #: Bytes of a request's URL.
    url_bytes: Positive = 8_192
    #: Headers of a request.
    headers: Positive = 100
    #: Seconds a request has to arrive in, counted from its first byte, or from the connection's start.
    request_timeout_s: Positive = 10
    #: Bytes of requests on their way in, over all connections; beyond it whoever sends most is refused 503.
    arriving_bytes: Positive = 32 * 1024 * 1024
    #: Seconds a client has to read an answer in.
    answer_timeout_s: Positive = 30
    #: Bytes of answers left unread, over all connections; beyond it whoever leaves most is cut.
    unread_bytes: Positive = 64 * 1024 * 1024


class Rate:
    """At most `per_minute` in any minute for each key, all at once or spread (the generic cell rate algorithm)."""

    def __init__(self, per_minute: int) -> None:
        self._interval_us = MINUTE_US // per_minute
        #: When the requests admitted so far would be through at an even pace; in the past: idle.
        self._through_us: dict[int | str, int] = {}

    def wait_s(self, key: int | str, now_us: int, cost: int = 1) -> int:
        """0 and counted; or the seconds until `cost` more would be admitted."""
        through_us = max(self._through_us.get(key, 0), now_us) + cost * self._interval_us
        excess_us = through_us - now_us - MINUTE_US
        if excess_us > 0:
            return excess_us // 1_000_000 + 1
        if len(self._through_us) >= MAX_TRACKED and key not in self._through_us:
            self._forget(now_us)
        self._through_us[key] = through_us
        return 0

    def exhausted_s(self, key: int | str, now_us: int) -> int:
        """The seconds until one more would be admitted, without counting it."""
        excess_us = max(self._through_us.get(key, 0), now_us) + self._interval_us - now_us - MINUTE_US
        return excess_us // 1_000_000 + 1 if excess_us > 0 else 0

    def _forget(self, now_us: int) -> None:
        self._through_us = {key: through_us for key, through_us in self._through_us.items() if through_us > now_us}
        if len(self._through_us) >= MAX_TRACKED:
            self._through_us.clear()


class Quota(Generic[K]):
    """Units of something bounded: so many for each, so many in all, and for nobody more than are left for the rest."""

    def __init__(self, each: int, total: int) -> None:
        self._each = each
        self._total = total
        self._taken = 0
        self._by_holder: dict[K, int] = {}

    def take(self, holder: K) -> bool:
        """One unit more, unless it is one too many."""
        taken = self._by_holder.get(holder, 0)
        if taken >= min(self._each, self._total - self._taken):
            return False
        self._by_holder[holder] = taken + 1
        self._taken += 1
        return True

    def give_back(self, holder: K, units: int = 1) -> None:
        left = self._by_holder[holder] - units
        self._taken -= units
        if left:
            self._by_holder[holder] = left
        else:
            del self._by_holder[holder]


class Admission:
    """The counts of one process. Waits are in seconds; 0 means come in."""

    def __init__(self, limits: GatewayLimits) -> None:
        self.limits = limits
        self._accounts = Rate(limits.requests_per_minute)
        self._reserved_cancels = Rate(limits.reserved_cancels_per_minute)
        self.addresses = Rate(limits.public_requests_per_minute)
        self.history = Rate(limits.history_requests_per_minute)
        self._failures = Rate(limits.failed_signatures_per_minute)
        self._failures_at = Rate(limits.failed_signatures_per_address)
        #: The pairs of address and key that have proved each other, oldest first, at most MAX_TRACKED.
        self._proved: dict[str, None] = {}
        self._in_flight: dict[AccountId, int] = {}

    def account_wait_s(self, account: AccountId, now_us: int, cost: int = 1, *, cancels: bool = False) -> int:
        """As `Rate.wait_s`, for a request of an account; one that `cancels` falls back on the account's reserve."""
        wait_s = self._accounts.wait_s(account, now_us, cost)
        return self._reserved_cancels.wait_s(account, now_us) if wait_s and cancels else wait_s

    def vain_s(self, address: str, api_key: str, now_us: int) -> int:
        """For how long requests under this key from this address aren't verified: too many have failed.

        Too many under this key, so that who forges its signatures disturbs nobody else at that address, nor the key
        elsewhere; or too many at this address, which then only those are heard from who have proved their key there.
        """
        pair = _pair(address, api_key)
        wait_s = self._failures.exhausted_s(pair, now_us)
        if wait_s or pair in self._proved:
            return wait_s
        return self._failures_at.exhausted_s(address, now_us)

    def failed(self, address: str, api_key: str, now_us: int) -> None:
        """Count a request that did not prove its key, whether there is such a key or not."""
        self._failures.wait_s(_pair(address, api_key), now_us)
        self._failures_at.wait_s(address, now_us)

    def proved(self, address: str, api_key: str) -> None:
        """A request from this address has proved this key."""
        pair = _pair(address, api_key)
        if pair not in self._proved:
            if len(self._proved) >= MAX_TRACKED:
                del self._proved[next(iter(self._proved))]
            self._proved[pair] = None

    def enter(self, account: AccountId, *, cancels: bool = False) -> bool:
        """Count a request in, unless the account has too many waiting. Whoever got in must `leave`."""
        waiting = self._in_flight.get(account, 0)
        reserve = self.limits.reserved_cancels_in_flight if cancels else 0
        if waiting >= self.limits.in_flight_per_account + reserve:
            return False
        self._in_flight[account] = waiting + 1
        return True

    def leave(self, account: AccountId) -> None:
        waiting = self._in_flight[account] - 1
        if waiting:
            self._in_flight[account] = waiting
        else:
            del self._in_flight[account]


def _pair(address: str, api_key: str) -> str:
    return f"{address} {api_key[:_KEY_CHARACTERS]}"


def batch_size(most: int) -> Refusal:
    return Refusal(Code.INVALID_CLIENT_REQUEST, f"A batch is 1 to {most} orders")


def too_many(wait_s: int) -> Refusal:
    return Refusal(Code.TOO_MANY_REQUESTS, f"Too many requests: try again in {wait_s} s")
