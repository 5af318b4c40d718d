"""Records for tests of the journal that don't care what they say."""

from exchange.values.ids import AccountId, KeyId, OrderId
from exchange.values.orders.commands import CancelOrder
from exchange.values.process.events import Refused
from exchange.values.record import Record, encode
from exchange.values.refusals import Code

TIME_US = 1_790_000_000_000_000


def body(seq: int) -> bytes:
    command = CancelOrder(
        account=AccountId(1_700_000 + seq % 3), key_id=KeyId(170), market="SOL_USDC", order_id=OrderId(10 * seq)
    )
    return encode(Record(seq, TIME_US + seq, command, [Refused(Code.RESOURCE_NOT_FOUND, "no such order")]))


def bodies(first_seq: int, count: int) -> list[bytes]:
    return [body(seq) for seq in range(first_seq, first_seq + count)]
