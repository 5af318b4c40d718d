"""What the state holds twice, and whose a public key is, is looked after: a fold that broke it would be found."""

from collections.abc import Callable

import pytest

from exchange.core import State
from exchange.core.invariants import violations
from exchange.values.accounts.commands import RevokeKey
from exchange.values.enums import Side
from exchange.values.ids import AdminId
from tests.venue import ADMIN, Venue

HARMS: dict[str, Callable[[State], object]] = {
    "an ended order's client id is let go of by its account alone": lambda state: [
        account.ended_client_ids.popitem() for account in state.accounts.values() if account.ended_client_ids
    ],
    "an API key is not found by its text": lambda state: state.key_ids.popitem(),
    "an admin is not found by their key": lambda state: state.admin_ids.popitem(),
    "nobody knows who added an admin": lambda state: state.added_by.clear(),
    "somebody added an admin who is gone": lambda state: state.added_by.update({AdminId(7): ()}),
    "a founder is not heard of": lambda state: state.unheard.update({ADMIN: None}),
    "a revoked key is in force": lambda state: state.spent_keys.update({next(iter(state.key_ids)): None}),
}


@pytest.mark.parametrize("harm", HARMS)
def test_what_a_fold_could_break_is_found(harm: str) -> None:
    venue = Venue().open()
    ann, bob = (venue.account({"USDC": 10**12}) for _ in range(2))
    venue.expect(venue.market(ann, Side.BID, 5, client_id=7))
    venue.expect(RevokeKey(ADMIN, venue.key(bob), "lost"))
    assert violations(venue.state) == []
    HARMS[harm](venue.state)
    assert violations(venue.state)
