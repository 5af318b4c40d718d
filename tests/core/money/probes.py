"""Probes of money."""

from exchange.values.money.commands import CreditDeposit
from exchange.values.refusals import Code
from tests.probes import Probe
from tests.venue import deposit

PROBES = (
    Probe(
        CreditDeposit,
        lambda s, n: deposit(s.venue.state, s.account(n), ("SOL", "USDC")[n.which], n.number, f"flow {n.offset}"),
        lambda s: deposit(s.venue.state, s.accounts[0], "SOL", 1, "probe"),
        lambda s: deposit(s.venue.state, s.accounts[0], "NONE", 1, "probe"),
        Code.INVALID_ASSET,
    ),
)
