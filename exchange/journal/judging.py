"""What `exchange verify` asks of each record besides its place in the chain: who gave its command, whether its facts
are what the command causes, and whether a certificate in it is the venue's and of this past.

Orders are many, and what a trader asks for can only become facts of trading. All other commands are few, and what
they cause is decided again; so is any record with a fact that is none of trading.
"""

from itertools import zip_longest
from typing import Final

import msgspec

from exchange.core import State
from exchange.core.machine import COMMANDS
from exchange.core.orders import rows as orders
from exchange.core.rehearsal import decided_otherwise
from exchange.core.rows import Trader
from exchange.journal.certified import CertificateError, SignedText, check_chain, check_signature
from exchange.journal.signatures import Signers
from exchange.journal.store import JournalReader
from exchange.journal.told import Told
from exchange.values.events import AnyEvent
from exchange.values.process.events import Refused
from exchange.values.record import Record
from exchange.values.windows.events import CertificateIssued

_TRADERS: Final = frozenset(kind for kind, row in COMMANDS.items() if isinstance(row.who, Trader))
_TRADING: Final = frozenset({Refused, *(row.kind for row in orders.EVENTS)})
#: Characters of a fact that are told.
MAX_FACT: Final = 300
_encode = msgspec.json.Encoder().encode


class Judge:
    """Takes records one by one, each before it is folded; `promised` as `Signers` has it."""

    def __init__(self, reader: JournalReader, promised: bool) -> None:
        self._reader = reader
        self.signers = Signers(promised)
        #: Records decided again, and certificates looked at.
        self.decided = self.certificates = 0
        self._wrong = Told()

    @property
    def found(self) -> list[tuple[int | None, str]]:
        """What is wrong with which record, by seq; at the end how much more there is."""
        return [*self.signers.found, *self._wrong.lines()]

    def see(self, state: State, record: Record) -> None:
        """`state` is that before the record, and is only read."""
        if (
            type(record.command) in _TRADERS
            and not record.signed
            and _TRADING.issuperset([type(event) for event in record.events])
        ):
            return
        self.signers.see(state, record)
        self._decide_again(state, record)
        for event in record.events:
            if isinstance(event, CertificateIssued):
                self._look_at(state, record.seq, SignedText(event.text, event.signature))

    def _decide_again(self, state: State, record: Record) -> None:
        self.decided += 1
        decided = decided_otherwise(state, record)
        if decided is not None:
            differs = f"raises {decided!r}" if isinstance(decided, Exception) else _difference(record.events, decided)
            self._wrong.add(record.seq, f"record {record.seq}, {type(record.command).__name__}: {differs}")

    def _look_at(self, state: State, seq: int, signed: SignedText) -> None:
        self.certificates += 1
        try:
            check_signature(signed, state.venue_keys, seq)
            check_chain(signed.certificate, self._reader.chain_at)
        except CertificateError as error:
            self._wrong.add(seq, f"record {seq}, the certificate in it: {error}")


def _difference(recorded: list[AnyEvent], decided: list[AnyEvent]) -> str:
    """The first fact that differs."""
    was, would_be = next(pair for pair in zip_longest(recorded, decided) if pair[0] != pair[1])
    return f"what it caused is recorded as {_fact(was)}, and decided as {_fact(would_be)}"


def _fact(event: AnyEvent | None) -> str:
    if event is None:
        return "nothing more"
    text = _encode(event).decode()
    return text if len(text) <= MAX_FACT else f"{text[:MAX_FACT]}..."
