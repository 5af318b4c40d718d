"""Probes of money."""

from exchange.values.money.commands import CreditDeposit
from exchange.values.refusals import Code
from tests.probes import Probe
from tests.venue import ADMIN

PROBES = (
    Probe(
        CreditDeposit,
        lambda s, n: CreditDeposit(ADMIN, s.account(n), ("SOL", "USDC")[n.which], n.number, f"flow {n.offset}"),
        lambda s: CreditDeposit(ADMIN, s.accounts[0], "SOL", 1, "probe"),
        lambda s: CreditDeposit(ADMIN, s.accounts[0], "NONE", 1, "probe"),
        Code.INVALID_ASSET,
    ),
)
