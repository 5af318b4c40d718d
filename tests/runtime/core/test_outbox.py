"""Nothing leaves before it is durable, and what leaves keeps its order."""

import asyncio

import pytest

from exchange.runtime.core import outbox as outbox_module
from exchange.runtime.core.outbox import Outbox


def test_it_releases_up_to_the_durable_seq_in_order() -> None:
    outbox, out = Outbox(), list[str]()
    for seq, what in ((1, "a"), (1, "b"), (2, "c"), (4, "d")):
        outbox.stage(seq, out.append, what)
    assert out == []
    outbox.release(1)
    assert out == ["a", "b"]
    outbox.release(3)
    assert out == ["a", "b", "c"]
    outbox.release(4)
    assert out == ["a", "b", "c", "d"]


def test_what_rests_on_durable_records_leaves_at_once() -> None:
    outbox, out = Outbox(), list[str]()
    outbox.begin(7)
    outbox.stage(7, out.append, "a")
    assert out == ["a"]


def test_one_receivers_bug_keeps_nothing_from_the_others() -> None:
    outbox, out = Outbox(), list[str]()

    def broken(_what: str) -> None:
        raise RuntimeError("a bug")

    outbox.stage(1, broken, "a")
    outbox.stage(1, out.append, "b")
    outbox.release(1)
    assert out == ["b"]


async def test_who_waits_for_a_seq_waits_until_it_is_durable() -> None:
    outbox = Outbox()
    waiting = asyncio.create_task(outbox.durable(2))
    await asyncio.sleep(0)
    outbox.release(1)
    await asyncio.sleep(0)
    assert not waiting.done()
    outbox.release(2)
    await asyncio.wait_for(waiting, 1)
    await asyncio.wait_for(outbox.durable(2), 1)


async def test_once_sealed_only_what_was_staged_before_leaves() -> None:
    outbox, out = Outbox(), list[str]()
    outbox.stage(1, out.append, "before")
    outbox.seal()
    outbox.stage(1, out.append, "after")
    query = asyncio.create_task(outbox.durable(0))
    outbox.release(1)
    await asyncio.sleep(0)
    assert out == ["before"]
    assert not query.done()
    query.cancel()


async def test_there_is_no_room_while_too_much_waits_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "MAX_UNDURABLE_RECORDS", 10)
    outbox = Outbox()
    outbox.appended(10)
    await asyncio.wait_for(outbox.room(), 1)
    outbox.appended(11)
    waiting = asyncio.create_task(outbox.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    outbox.release(1)
    await asyncio.wait_for(waiting, 1)


async def test_bytes_bound_the_room_too() -> None:
    outbox = Outbox()
    backlog = outbox_module.MAX_UNDURABLE_BYTES + 1
    outbox.backlog_bytes = lambda: backlog
    outbox.appended(1)
    waiting = asyncio.create_task(outbox.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    backlog = 0
    outbox.release(1)
    await asyncio.wait_for(waiting, 1)
