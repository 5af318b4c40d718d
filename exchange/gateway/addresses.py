"""Whose connection it is: the address that limits count by, on both ports.

That is who is connected, not what a header says, unless a proxy the operator trusts says it.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

import structlog

#: Whoever has one IPv6 address has the 2^64 of its network: they count as one.
IPV6_PREFIX: Final = 64
#: The longest text of an address; a header's longer one is none.
MAX_ADDRESS_CHARS: Final = 45
#: The longest entry of the header that is looked at: an address in brackets, a port and quotes.
MAX_ENTRY_CHARS: Final = MAX_ADDRESS_CHARS + 12
#: Proxies that are warned of, each once, since all their clients count as one.
MAX_WARNINGS: Final = 100
_WITH_PORT: Final = re.compile(r"\[(?P<v6>[^\]]+)\](:\d{1,5})?|(?P<v4>[0-9.]+):\d{1,5}")
#: Addresses whose form is remembered.
REMEMBERED: Final = 4_096


_log: Final = structlog.get_logger(__name__)


@lru_cache(REMEMBERED)
def counted(address: str) -> str:
    """What limits count an address as: an IPv4 one as itself, also where it is written as IPv6; of an IPv6 one its
    network. A text that is no address is itself."""
    parsed = _parsed(address)
    if isinstance(parsed, IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped) if mapped else str(ip_network((parsed.packed, IPV6_PREFIX), strict=False))
    return address


class TrustedProxies:
    """Proxies of the operator's own: a connection of theirs is for the client their `X-Forwarded-For` names."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """`networks` are addresses or networks, such as `10.0.0.7` or `10.0.0.0/24`.

        Raises:
            ValueError: one is neither.
        """
        self._unclear: set[str] = set()
        self._networks = [ip_network(network, strict=False) for network in networks]

    def trusts(self, peer: str) -> bool:
        """Whether the other end of a connection is such a proxy."""
        if not self._networks:
            return False
        parsed = _parsed(peer)
        if isinstance(parsed, IPv6Address):
            parsed = parsed.ipv4_mapped or parsed
        return parsed is not None and any(parsed in network for network in self._networks)

    def client(self, peer: str, forwarded_for: str) -> str:
        """The address behind a request: the last one of the header if `peer` is trusted and it is one, else `peer`.

        The last is what the trusted proxy itself has seen; those before it are what it was told. Some proxies write the
        client's port behind it, and quotes around that.
        """
        if not forwarded_for or not self.trusts(peer):
            return peer
        named = forwarded_for[-MAX_ENTRY_CHARS:].rpartition(",")[2].strip().strip('"')
        with_port = _WITH_PORT.fullmatch(named)
        if with_port is not None:
            named = with_port["v6"] or with_port["v4"]
        if _parsed(named) is not None:
            return named
        if peer not in self._unclear and len(self._unclear) < MAX_WARNINGS:
            self._unclear.add(peer)
            _log.warning("proxy_names_no_address", proxy=peer, counted_as=peer)
        return peer


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(address) if len(address) <= MAX_ADDRESS_CHARS else None
    except ValueError:
        return None
