"""Deciding on money that comes in. Nothing here changes state."""

from exchange.core import refuse
from exchange.core.money.sources import MAX_SOURCES
from exchange.core.state import State
from exchange.rules.modes import permits
from exchange.values.enums import Action, AssetKind
from exchange.values.events import AnyEvent
from exchange.values.ids import CUSTODY, DepositId, user_of
from exchange.values.money.commands import CreditDeposit
from exchange.values.money.events import Leg, Posted
from exchange.values.numbers import MAX_ATOMS
from exchange.values.text import MAX_TEXT


def credit_deposit(state: State, time_us: int, command: CreditDeposit) -> list[AnyEvent]:
    asset = state.assets.get(command.asset)
    if asset is None or asset.kind is not AssetKind.COIN:
        return refuse.unknown_asset()
    if command.account not in state.accounts or not user_of(command.account):
        return refuse.invalid("Unknown account")
    if not permits(state.venue_mode, state.paused(command.asset), Action.DEPOSIT):
        return refuse.precondition(f"Deposits of {command.asset} are paused")
    if not 0 < len(command.reference) <= MAX_TEXT or len(command.source) > MAX_TEXT:
        return refuse.invalid("A reference is needed")
    problem = _credited_before(state, command)
    if problem:
        return refuse.precondition(problem)
    custody = state.accounts[CUSTODY].balances.get(command.asset)
    held = -custody.available_atoms if custody is not None else 0
    if command.atoms <= 0 or held + command.atoms > MAX_ATOMS:
        return refuse.invalid("The amount must be above zero, and all holdings of an asset below 2^62 atoms")
    legs = (
        Leg(command.account, command.asset, command.atoms),
        Leg(CUSTODY, command.asset, -command.atoms),
    )
    deposit = DepositId(state.last_deposit + 1)
    return [Posted("deposit", legs, command.reference, deposit, command.number, command.source)]


def _credited_before(state: State, command: CreditDeposit) -> str | None:
    """Why this is not its source's next deposit; None: it is."""
    source = state.sources.get(command.source)
    if source is None and len(state.sources) >= MAX_SOURCES:
        return f"Deposits come from at most {MAX_SOURCES} sources"
    seq = 0 if source is None else source.references.get(command.reference, 0)
    if seq:
        return f"A deposit with this reference has been credited: record {seq}"
    next_number = 1 if source is None else source.number + 1
    if command.number < next_number:
        return f"Deposit {command.number} of this source has been credited: the next one is {next_number}"
    if command.number > next_number:
        return f"Deposit {command.number} of this source is not the next one, which is {next_number}"
    return None
