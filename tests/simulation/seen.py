"""What the outside has seen of one exchange: every acknowledgement and every stream message, kept to compare."""

from dataclasses import dataclass, field
from typing import Any

from exchange_client.models import Order
from exchange_client.orders import NewOrder
from exchange_client.signing import Keypair


@dataclass
class SeenAccount:
    """One account, by client id, which is never used twice."""

    name: str
    keypair: Keypair
    sent: dict[int, NewOrder] = field(default_factory=dict)
    acknowledged: dict[int, Order] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    #: Orders as their cancel was answered.
    cancelled: dict[str, Order] = field(default_factory=dict)
    #: `data` of account.orderUpdate, in the order they came.
    updates: list[dict[str, Any]] = field(default_factory=list)
    last_client_id: int = 0

    def next_client_id(self) -> int:
        self.last_client_id += 1
        return self.last_client_id


@dataclass
class Seen:
    """All accounts and what was public. Depth ids are the last ones seen of each market."""

    accounts: dict[str, SeenAccount]
    trades: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    update_ids: dict[str, int] = field(default_factory=dict)

    def acknowledgements(self) -> int:
        return sum(len(account.acknowledged) + len(account.cancelled) for account in self.accounts.values())
