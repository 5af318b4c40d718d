"""Fair shares of what strangers can use up, places and bytes: who has most of it gives way first."""

from collections import Counter
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Slots(Generic[K]):
    """Places for connections, which must be earned: when they run out, one that is silent gives its place up.

    Silent is a connection that has nothing to wait for: it has never completed a request, or idles since its last
    answer. Of the address that uses most of its share, those that never completed one go first, the longest silent
    among them; then the longest idle.
    """

    def __init__(self, total: int, share: Callable[[str], int]) -> None:
        """`share` says how many places an address may have."""
        self.by_address: Counter[str] = Counter()
        self._total = total
        self._share = share
        #: By address, each in the order in which they fell silent.
        self._unproven: dict[str, dict[K, None]] = {}
        self._idle: dict[str, dict[K, None]] = {}

    def take(self, connection: K, address: str) -> tuple[bool, K | None]:
        """A place for a new connection, and who must leave for it now; False if nobody is silent.

        It has a place either way, until it gives it back.
        """
        self.by_address[address] += 1
        found, victim = True, None
        if self.by_address[address] > self._share(address):
            victim = self._longest_silent(address)
            found = victim is not None
        elif self.by_address.total() > self._total:
            victim = self._of_the_greediest()
            found = victim is not None
        self._unproven.setdefault(address, {})[connection] = None
        return found, victim

    def give_back(self, connection: K, address: str) -> None:
        self.busy(connection, address)
        self.by_address[address] -= 1
        if self.by_address[address] <= 0:
            del self.by_address[address]

    def busy(self, connection: K, address: str) -> None:
        """It has completed a request and waits for the answer."""
        for silent in (self._idle, self._unproven):
            of_address = silent.get(address)
            if of_address is not None and connection in of_address:
                del of_address[connection]
                if not of_address:
                    del silent[address]

    def idle(self, connection: K, address: str) -> None:
        """It has its answer."""
        self.busy(connection, address)
        self._idle.setdefault(address, {})[connection] = None

    def _longest_silent(self, address: str) -> K | None:
        for silent in (self._unproven, self._idle):
            if address in silent:
                return next(iter(silent[address]))
        return None

    def _of_the_greediest(self) -> K | None:
        with_silent = self._unproven.keys() | self._idle.keys()
        if not with_silent:
            return None
        # By name where two use as much: which one it is must not hang on the order of a set.
        greediest = max(with_silent, key=lambda address: (self.by_address[address] / self._share(address), address))
        return self._longest_silent(greediest)


class Pool(Generic[K]):
    """Bytes held on behalf of connections, with a bound on their sum over all of them."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._by_address: Counter[str] = Counter()
        self._held: dict[K, tuple[str, int]] = {}

    def hold(self, connection: K, address: str, size: int) -> None:
        """`connection` now has `size` bytes; 0 lets go of it."""
        _, before = self._held.pop(connection, ("", 0))
        if size:
            self._held[connection] = (address, size)
        self.bytes += size - before
        self._by_address[address] += size - before
        if not self._by_address[address]:
            del self._by_address[address]

    def holders(self) -> list[tuple[K, str]]:
        return [(connection, address) for connection, (address, _) in self._held.items()]

    def heaviest(self) -> K | None:
        """While there is more than the bound: the connection with most bytes, of the address with most."""
        if self.bytes <= self.most_bytes:
            return None
        address, _ = self._by_address.most_common(1)[0]
        of_address = [(size, connection) for connection, (of, size) in self._held.items() if of == address]
        return max(of_address, key=lambda found: found[0])[1]
