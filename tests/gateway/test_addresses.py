"""Whose connection it is: the other end's, unless a proxy the operator trusts names somebody else."""

import pytest
import structlog.testing

from exchange.gateway.addresses import MAX_WARNINGS, TrustedProxies, counted

PROXIES = TrustedProxies(["10.0.0.0/24", "192.0.2.7", "2001:db8::1"])


@pytest.mark.parametrize("peer", ["10.0.0.200", "192.0.2.7", "2001:db8::1", "::ffff:10.0.0.9"])
def test_a_trusted_proxy_names_its_client_with_the_last_hop(peer: str) -> None:
    assert PROXIES.trusts(peer)
    assert PROXIES.client(peer, "198.51.100.1") == "198.51.100.1"
    assert PROXIES.client(peer, "1.1.1.1, 203.0.113.5,198.51.100.1 ") == "198.51.100.1"
    assert PROXIES.client(peer, "2001:db8:5::9") == "2001:db8:5::9"


@pytest.mark.parametrize("peer", ["10.0.1.1", "192.0.2.8", "2001:db8::2", "", "unix"])
def test_anybody_else_names_nobody(peer: str) -> None:
    assert not PROXIES.trusts(peer)
    assert PROXIES.client(peer, "198.51.100.1") == peer


@pytest.mark.parametrize(
    "named", ["", ",", "alice", "1.2.3", "1.2.3.4:x", "[1.2.3", "[]:80", ":80", "9" * 5_000, "1.1.1.1," + "x" * 5_000]
)
def test_what_is_no_address_names_nobody(named: str) -> None:
    assert PROXIES.client("192.0.2.7", named) == "192.0.2.7"


@pytest.mark.parametrize(
    ("named", "client"),
    [
        ("198.51.100.1:1234", "198.51.100.1"),
        ("1.1.1.1, 198.51.100.1:65535", "198.51.100.1"),
        ("[2001:db8:5::9]:443", "2001:db8:5::9"),
        ("[2001:db8:5::9]", "2001:db8:5::9"),
        ('1.1.1.1,"[2001:0db8:0005:0000:0000:0000:0000:0009]:65535"', "2001:0db8:0005:0000:0000:0000:0000:0009"),
    ],
)
def test_an_address_may_have_its_port_behind_it(named: str, client: str) -> None:
    assert PROXIES.client("192.0.2.7", named) == client


def test_a_proxy_that_names_no_address_is_warned_of_once() -> None:
    proxies = TrustedProxies(["192.0.2.0/24"])
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            assert proxies.client("192.0.2.7", "unknown") == "192.0.2.7"
        for last in range(256):
            proxies.client(f"192.0.2.{last}", "unknown")
    assert [log["proxy"] for log in logs].count("192.0.2.7") == 1
    assert len(logs) == MAX_WARNINGS


def test_nobody_is_trusted_unless_named() -> None:
    assert TrustedProxies().client("127.0.0.1", "198.51.100.1") == "127.0.0.1"
    with pytest.raises(ValueError, match="neighbour"):
        TrustedProxies(["neighbour"])


def test_the_addresses_of_an_ipv6_network_count_as_one() -> None:
    assert counted("2001:db8:1:2::9") == counted("2001:db8:1:2:ffff::1") == "2001:db8:1:2::/64"
    assert counted("2001:db8:1:3::9") != counted("2001:db8:1:2::9")
    assert counted("::ffff:192.0.2.7") == counted("192.0.2.7") == "192.0.2.7"
    assert counted("unix") == "unix"
