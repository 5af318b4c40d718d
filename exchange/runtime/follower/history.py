"""Answers from the read models, once they have reached what the asker has been told."""

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeVar

import msgspec
import structlog

from exchange.journal.errors import JournalDamaged, JournalError, NoSuchRecord, SegmentAway, SegmentDamaged
from exchange.runtime.core.outbox import Outbox
from exchange.runtime.follower.client import FollowerClient
from exchange.runtime.follower.read_models import ReadModels, ReadModelsHarmed
from exchange.runtime.follower.turns import Asker, Turns
from exchange.runtime.port import NotNow, Page, Paged
from exchange.values.ids import AccountId
from exchange.values.refusals import Code, Refusal
from exchange.values.times import utc_text

#: How long an answer waits for the follower before it is refused (TIMEOUT).
FOLLOWER_TIMEOUT_S: Final = 5.0
#: Threads that read; SQLite and the interpreter lock make more of them useless.
_THREADS: Final = 2
#: Queries under way, of all askers together and of one, before further ones are refused (TOO_MANY_REQUESTS). One may
#: have as many as are still free for others, so that there is room for whoever comes next.
MAX_QUERIES: Final = 1_000
MAX_QUERIES_PER_ASKER: Final = 250

_HARMED: Final = Refusal(Code.MAINTENANCE, "History is being made anew: its file was harmed")
_UNREADABLE: Final = Refusal(Code.SERVER_ERROR, "The history can't be read")
_EXPORTING: Final = Refusal(Code.TOO_MANY_REQUESTS, "Another file of this account is under way")
_AWAY: Final = "History from {} to {} is in an archive that can't be reached at present"
_NOT_THERE: Final = Refusal(Code.MAINTENANCE, "History is not available: its process does not start")

Answer = TypeVar("Answer")
Row = TypeVar("Row")

_log = structlog.get_logger(__name__)


class History:
    def __init__(self, outbox: Outbox, read_models: ReadModels) -> None:
        self._outbox = outbox
        self.follower: FollowerClient
        self.read_models = read_models
        self._turns = Turns(_THREADS, "history")
        self._under_way: Counter[Asker] = Counter()
        self._all_under_way = 0
        #: Accounts that are being sent everything.
        self._exporting: set[AccountId] = set()

    async def ask(self, asker: Asker, seq: int, query: Callable[[], Answer]) -> Answer | Refusal:
        """Run `query` in a thread once the read models hold every record up to `seq` that anybody can have seen.

        Askers take turns, so nobody waits for another one's queries but for the one that is being answered.
        """
        if self._under_way[asker] >= min(MAX_QUERIES_PER_ASKER, MAX_QUERIES - self._all_under_way):
            return Refusal(Code.TOO_MANY_REQUESTS, "Too many history queries")
        self._under_way[asker] += 1
        self._all_under_way += 1
        try:
            # What isn't durable yet has been shown to nobody.
            timeout_s = 0.0 if self.follower.fault else FOLLOWER_TIMEOUT_S
            if not await self.follower.wait_for(min(seq, self._outbox.durable_seq), timeout_s):
                if self.follower.fault:
                    return _NOT_THERE
                return Refusal(Code.TIMEOUT, "The history is not up to date yet")
            return await self._turns.take(asker, query)
        except SegmentAway as error:
            _log.error("history_away", reason=str(error))
            return Refusal(Code.MAINTENANCE, _AWAY.format(utc_text(error.first_time_us), utc_text(error.last_time_us)))
        except (JournalDamaged, NoSuchRecord) as error:
            _log.critical("record_damaged", seq=error.seq, reason=str(error))
            return Refusal(Code.SERVER_ERROR, f"Record {error.seq} can't be shown: it is not what was written")
        except ReadModelsHarmed as error:
            _log.error("read_models_harmed", reason=str(error))
            return _HARMED
        except SegmentDamaged as error:
            _log.critical("segment_damaged", segment=error.segment, reason=str(error))
            return Refusal(Code.SERVER_ERROR, f"File {error.segment} can't be read: it is not what was written")
        except (sqlite3.Error, JournalError, OSError) as error:
            _log.error("history_unread", error=type(error).__name__, reason=str(error))
            return _UNREADABLE
        finally:
            self._all_under_way -= 1
            self._under_way[asker] -= 1
            if not self._under_way[asker]:
                del self._under_way[asker]

    async def export(
        self, account: AccountId, page: Page, read: Callable[[Page], Awaitable[Paged[Row] | Refusal]]
    ) -> AsyncIterator[tuple[Row, ...]] | Refusal:
        """Every row from the page on, piece by piece, as of one record; one at a time for an account.

        `read` reads a page. A piece that can't be had raises NotNow.
        """
        if account in self._exporting:
            return _EXPORTING
        first = await read(page)
        return first if isinstance(first, Refusal) else self._pieces(account, page, read, first)

    async def _pieces(
        self,
        account: AccountId,
        page: Page,
        read: Callable[[Page], Awaitable[Paged[Row] | Refusal]],
        found: Paged[Row],
    ) -> AsyncIterator[tuple[Row, ...]]:
        if account in self._exporting:  # another one has begun since
            raise NotNow(_EXPORTING)
        self._exporting.add(account)
        try:
            page = msgspec.structs.replace(page, as_of=found.seq)
            while found.rows:
                yield found.rows
                page = msgspec.structs.replace(page, offset=page.offset + len(found.rows))
                more = await read(page)
                if isinstance(more, Refusal):
                    raise NotNow(more)
                found = more
        finally:
            self._exporting.discard(account)

    def close(self) -> None:
        self._turns.close()
        self.read_models.close()
