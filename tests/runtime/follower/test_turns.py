"""Turns: fair between askers, none has every thread, and what is given up leaves nothing behind."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from exchange.runtime.follower.turns import Turns
from exchange.values.ids import AccountId

ANN, BOB = AccountId(100), AccountId(200)


class Held:
    """Work that waits in its thread until it is let go."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.go = threading.Event()

    def __call__(self) -> str:
        self.began.set()
        assert self.go.wait(10)
        return "done"


async def begins(held: Held) -> None:
    assert await asyncio.to_thread(held.began.wait, 10)


def noting(order: list[str], name: str) -> Callable[[], None]:
    return lambda: order.append(name)


async def test_an_asker_has_one_thread_and_the_others_take_turns() -> None:
    turns, ann, bob = Turns(2, "test"), Held(), Held()
    order: list[str] = []
    first = [asyncio.create_task(turns.take(ANN, ann)), asyncio.create_task(turns.take(BOB, bob))]
    await begins(ann)
    await begins(bob)
    names = ("ann", "ann", "ann", "bob", "an address", "bob", "ann")
    askers: dict[str, AccountId | str] = {"ann": ANN, "bob": BOB, "an address": "10.0.0.1"}
    waiting = [asyncio.create_task(turns.take(askers[name], noting(order, name))) for name in names]
    await asyncio.sleep(0.05)
    assert order == []
    ann.go.set()
    assert await first[0] == "done"
    await asyncio.sleep(0.1)
    assert sorted(order) == ["an address", "ann", "ann", "ann", "ann"], "bob's wait for what bob has in a thread"
    assert order.index("an address") <= 1
    bob.go.set()
    await asyncio.gather(*waiting)
    assert order[-2:] == ["bob", "bob"]
    turns.close()


async def test_what_is_given_up_is_not_done_and_not_kept() -> None:
    turns, held = Turns(1, "test"), Held()
    order: list[str] = []
    running = asyncio.create_task(turns.take(ANN, held))
    await begins(held)
    given_up = [asyncio.create_task(turns.take(ANN, noting(order, "given up"))) for _ in range(3)]
    stays = asyncio.create_task(turns.take(BOB, noting(order, "stays")))
    await asyncio.sleep(0)
    for task in (*given_up, running):
        task.cancel()
    await asyncio.wait([*given_up, running])
    assert set(turns._waiting) == {BOB}
    assert not stays.done(), "the thread is still at it"
    held.go.set()
    await stays
    assert order == ["stays"]
    assert (turns._waiting, dict(turns._running)) == ({}, {})
    turns.close()


async def test_what_work_raises_goes_to_its_asker() -> None:
    turns = Turns(1, "test")

    def fails() -> None:
        raise ValueError("as it happens")

    with pytest.raises(ValueError, match="as it happens"):
        await turns.take(ANN, fails)
    assert await turns.take(ANN, lambda: 1) == 1
    turns.close()
