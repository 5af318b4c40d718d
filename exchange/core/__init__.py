"""The state of the venue, `decide` and `evolve`: deterministic, no clock, no I/O.

Same snapshot and commands give the same events and the same digest in every process.
`decide` only reads and may refuse; `evolve` is the only code that changes state, applies
facts, and knows no rule.
"""

from exchange.core.machine import OutOfOrder, decide, fold, next_seq
from exchange.core.state import State

__all__ = ["OutOfOrder", "State", "decide", "fold", "next_seq"]
