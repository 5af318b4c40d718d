"""The catalogue: what can be wrong when an exchange reopens, and which guard must say so.

A fault is what is done (`harm`), who has to catch it, and what operators must then be able to read:
every name in `names` (`$` names come from the scene, `..` stands for anything) in one line of what was said.
"""

from dataclasses import dataclass
from typing import Final

from exchange.maintenance.drill import harm
from exchange.maintenance.drill.harm import Harm, patch
from exchange.maintenance.drill.morning import at_us


@dataclass(frozen=True)
class Fault:
    """`guard` is `start: <error>`, `gate: <gate>` or `core: <command>`; none: nothing is wrong, and it must reopen."""

    name: str
    kind: str
    harm: Harm
    guard: str
    names: tuple[str, ...] = ()


def _build(name: str, changed: Harm, guard: str, *names: str) -> Fault:
    return Fault(name, "build", changed, guard, names)


def _files(name: str, damaged: Harm, guard: str, *names: str) -> Fault:
    return Fault(name, "files", damaged, guard, names)


def _start(name: str, started: Harm, guard: str, *names: str) -> Fault:
    return Fault(name, "start", started, guard, names)


#: Nothing is wrong with the next build but that it is another one.
CONTROL: Final = Fault("nothing is wrong", "control", lambda case: None, "")

FAULTS: Final = (
    _build(
        "a trade has its sides flipped",
        patch(
            "core/orders/evolve.py",
            "if event.taker_side is _BID:",
            "if (event.taker_side is _BID) is not (event.taker_order_id == $taker_order):",
        ),
        "gate: folds",
        "account $taker: SOL available: .. after",
        "account $maker: USDC locked: .. after",
    ),
    _build(
        "an open order changes its side at the restart",
        patch(
            "core/orders/image.py",
            "        market.book(image.side).add(order)\n",
            "        order.side = Side.BID if image.order_id == $resting_order else image.side\n"
            "        market.book(image.side).add(order)\n",
        ),
        "start: InvariantBroken",
        "account $reserver order $resting_order side: Bid before, Ask after",
    ),
    _build(
        "an ended order is resurrected",
        patch(
            "core/orders/evolve.py",
            "if not event.resting:",
            "if not event.resting or event.order_id == $ended_order:",
        ),
        "gate: folds",
        "account $canceller: order $ended_order is open and was not before",
    ),
    _build(
        "a partly filled order loses its place in the queue",
        patch(
            "core/orders/evolve.py",
            "level.lots -= event.lots\n",
            "level.lots -= event.lots\n"
            "        market.book(maker.side).remove(maker)\n"
            "        market.book(maker.side).add(maker)\n",
        ),
        "gate: statements",
        "account $maker: order .. orders_ahead: 0 before, 1 after",
        "account $behind: order .. orders_ahead: 1 before, 0 after",
    ),
    _build(
        "a fee is changed",
        patch(
            "core/orders/matching.py", "state.fee_tiers[taker.tier].spot_taker_ppm", "state.fee_tiers[0].spot_taker_ppm"
        ),
        "gate: rehearsal",
        "account $tiered USDC available: .. rehearsed",
    ),
    _build(
        "a reserve is doubled",
        patch(
            "core/orders/evolve.py",
            "pays.locked_atoms += event.reserved_atoms",
            "pays.locked_atoms += event.reserved_atoms * (2 if event.order_id == $resting_order else 1)",
        ),
        "gate: invariants",
        "account $reserver: SOL locked: .. (+$reserved_atoms)",
    ),
    _build(
        "an account is dropped",
        patch(
            "core/accounts/image.py",
            "    for image in images:\n",
            "    for image in (kept for kept in images if kept.accounts[0].account_id != $idle):\n",
        ),
        "start: InvariantBroken",
        "account $idle the account was not there before",
    ),
    _build(
        "tiers are lost at the restart",
        patch(
            "core/accounts/image.py",
            "        USER.restore(image, state.users[image.user_id])\n",
            "        USER.restore(msgspec.structs.replace(image, tier=0), state.users[image.user_id])\n",
        ),
        "gate: folds",
        "account $tiered tier: 0 before, 1 after",
    ),
    _build(
        "a fill is moved to another account",
        patch(
            "core/orders/evolve.py",
            "state.accounts[event.taker_account]",
            "state.accounts[$bystander if event.taker_order_id == $taker_order else event.taker_account]",
        ),
        "gate: folds",
        "account $taker: SOL available: .. (+$taken_atoms)",
        "account $bystander: SOL available: .. (-$taken_atoms)",
    ),
    _build(
        "an event is folded twice",
        patch(
            "core/machine.py",
            "for event in record.events:",
            "for event in record.events * (2 if record.seq == $deposit_seq else 1):",
        ),
        "gate: folds",
        "account $depositor: USDC available: .. (+$deposit_atoms)",
    ),
    _files(
        "a stale backup of the database",
        harm.stale_backup,
        "start: BehindWitness",
        "the journal ends at seq $backup_seq .. to $last_seq are missing",
        "account $late: 1 orders",
    ),
    _files(
        "a truncated tail",
        harm.truncated_tail,
        "start: BehindWitness",
        "records $late_seq to $last_seq are missing",
        "account $late: 1 orders",
    ),
    _files(
        "a swapped snapshot",
        harm.swapped_snapshot,
        "gate: folds",
        "account $idle USDC available: 0 atoms before .. after",
        "account $bystander USDC available: .. after",
    ),
    _files(
        "an edited record",
        harm.edited_record,
        "gate: chain",
        "damaged at seq $deposit_seq",
        "account $depositor is shown +$deposit_atoms atoms of USDC",
    ),
    _files(
        "an edited record, chain made anew",
        harm.edited_and_chained,
        "start: WitnessDisagrees",
        "account $depositor: USDC available: .. after",
    ),
    _files(
        "an edited record, chain and witness made anew",
        harm.edited_chained_and_witnessed,
        "gate: statements",
        "account $depositor: USDC available: .. after",
    ),
    _files("deleted history: fills", harm.deleted_fills, "gate: history", "account $taker: 1 fills on record, 0 shown"),
    _files("deleted history: a sealed segment", harm.deleted_segment, "gate: chain", "segment 1-100.jsonl.gz"),
    _files("the witness is gone", harm.witness_gone, "start: WitnessMissing", "the journal has $last_seq records"),
    _start("the clock jumps back", harm.start_at(at_us(8)), "start: ClockBehind", "behind the journal's last record"),
    _start("a second process on the same journal", harm.held, "start: JournalLocked"),
    _start("another build opens without gates", harm.unproven, "core: StepWindow", "needs an opening certificate"),
)
