"""Who gave the commands of admins: signatures made where the data folder is, and all of them proved from records.

A record carries what was signed for its command. Whoever has the records, and nothing else, can tell that each was
asked for by the admin it names, with the key that admin had at that record; so that two people were two is no matter
of trust.
"""

from base64 import b64decode, b64encode
from hashlib import blake2b

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from exchange.core import State
from exchange.journal.told import Told
from exchange.values.actors import senders
from exchange.values.commands import AnyCommand
from exchange.values.process.commands import Genesis
from exchange.values.record import Record, Signed, carried_out
from exchange.values.signing import says, text_of


def sign(command: AnyCommand, key: SigningKey, time_us: int) -> Signed:
    """What an admin signs to give a command without the API. Raises KeyError: it is none that people give."""
    text = text_of(command, time_us // 1_000)
    signature = b64encode(key.sign(text.encode()).signature).decode()
    return Signed(b64encode(bytes(key.verify_key)).decode(), text, signature)


class Signers:
    """Judges records one by one, each before it is folded.

    Where one record carries a signature, the venue is one whose admins sign: every command of theirs must then carry
    one, and its first record too, those before that one included. `promised`: it is known to be such a venue. What
    the venue asks of itself names no admin, and needs none.
    """

    def __init__(self, promised: bool = False) -> None:
        self.promised = promised
        #: Commands that carry the good signatures of those who gave them.
        self.proved = 0
        self._wrong = Told()
        self._unsigned = Told()
        self._texts: dict[bytes, None] = {}

    @property
    def unsigned(self) -> int:
        """Commands of admins that nobody has signed."""
        return self._unsigned.count

    @property
    def found(self) -> list[tuple[int | None, str]]:
        """What is wrong with which record: those that nobody has signed are only where others are signed."""
        return [*(self._unsigned.lines() if self.promised else ()), *self._wrong.lines()]

    def see(self, state: State, record: Record) -> None:
        """`state` is that before the record, and is only read."""
        command = record.command
        if record.signed:
            self.promised = True
            problem = self._problem(state, record)
            if problem is None:
                self.proved += 1
            else:
                self._wrong.add(record.seq, f"record {record.seq}, {type(command).__name__}: {problem}")
        elif senders(command) or isinstance(command, Genesis):
            self._unsigned.add(record.seq, f"record {record.seq}, {type(command).__name__}: nobody has signed it")

    def _problem(self, state: State, record: Record) -> str | None:
        command = record.command
        for signed in record.signed:
            if not _is_good(signed):
                return f"the signature is not one of {signed.public_key}"
            if not says(signed.text, command):
                return f"what {signed.public_key} has signed is not this command"
            once = blake2b(f"{signed.public_key} {signed.text}".encode(), digest_size=16).digest()
            if once in self._texts:
                return f"what {signed.public_key} has signed for it stands in an earlier record too"
            self._texts[once] = None
        keys = [signed.public_key for signed in record.signed]
        if isinstance(command, Genesis):
            in_force = all(key in [admin.public_key for admin in command.admins] for key in keys)
        else:
            admins = [admin for key in keys if (admin := state.admin_of(key)) is not None]
            in_force = len(set(admins)) == len(keys) and sorted(admins) == sorted(senders(command) or admins)
        # A command that came too late for its key, and was refused for that, is none of anybody's.
        if not in_force and carried_out(record.events):
            return "it is not signed with the keys in force of those it names"
        return None


def _is_good(signed: Signed) -> bool:
    try:
        VerifyKey(b64decode(signed.public_key)).verify(signed.text.encode(), b64decode(signed.signature))
    except (BadSignatureError, ValueError):
        return False
    return True
