"""What the drill and its stages, which are processes of their own, say to each other."""

from typing import Final, Literal

import msgspec

from exchange.values.ids import AccountId, KeyId, OrderId
from exchange.values.windows.plan import WindowId


class Scene(msgspec.Struct, frozen=True):
    """Who and what the faults are aimed at, as the morning left it.

    `maker` was partly filled, by `taker` among others (with order `taker_order`, of `taken_atoms` of SOL), and stands
    in the queue before `behind`. `tiered` pays the fees of a better tier. `canceller` cancelled `ended_order`.
    `resting_order` of `reserver` reserves `reserved_atoms` of SOL. `idle` only holds funds. `depositor` was credited
    `deposit_atoms` of USDC by record `deposit_seq`. `bystander` has no part in anything. `late` had its only order
    placed last of all, by record `late_seq`. The backup that was made meanwhile ends with record `backup_seq`, the
    journal with `last_seq`.
    """

    window: WindowId
    maker: AccountId
    behind: AccountId
    taker: AccountId
    tiered: AccountId
    canceller: AccountId
    reserver: AccountId
    idle: AccountId
    depositor: AccountId
    bystander: AccountId
    late: AccountId
    taker_key: KeyId
    taker_order: OrderId
    taken_atoms: int
    ended_order: OrderId
    resting_order: OrderId
    reserved_atoms: int
    deposit_seq: int
    deposit_atoms: int
    late_seq: int = 0
    backup_seq: int = 0
    last_seq: int = 0


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a stage is to do with an exchange's folders. Times are µs since 1970.

    `trade`: a morning of `accounts` accounts and `trades` trades with a backup at `backup`, and the closing of the
    window. `reopen`: start at `clock_us`, prove (unless `unproven`), and try to open at the window's times. `hold`:
    start, and stand still until standard input ends.
    """

    task: Literal["trade", "reopen", "hold"]
    data: str
    witness: str
    clock_us: int = 0
    accounts: int = 0
    trades: int = 0
    backup: str = ""
    scene: Scene | None = None
    unproven: bool = False


class Reopening(msgspec.Struct, frozen=True):
    """What became of an attempt to reopen.

    `guards` are those that said no, in order: `start: <error>`, `gate: <gate>`, `core: <step>`, `ended: <reason>`;
    `said` is all they said to operators. `modes` are the venue's after each attempt to step up.
    """

    build: str
    guards: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()


#: A stage that holds the exchange says this when it does.
READY: Final = "ready"
