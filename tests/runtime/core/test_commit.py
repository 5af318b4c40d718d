"""What a commit promises: nothing is shown before it is durable, and a bug of ours hurts one market at most."""

import asyncio
import signal
from pathlib import Path

import pytest

from exchange.core import decide, fold
from exchange.core.invariants import violations
from exchange.rules.limits import MAX_CANCELS_PER_COMMAND
from exchange.runtime.core import commit as commit_module
from exchange.runtime.core import refusal_limit
from exchange.runtime.core.ending import Reason
from exchange.runtime.core.life import Life
from exchange.runtime.core.refusal_limit import REFUSAL_BURST
from exchange.runtime.port import Channel, Topic
from exchange.values.accounts.commands import AddKey, RevokeKey
from exchange.values.commands import AnyCommand
from exchange.values.enums import CancelReason, Mode, OrderStatus, Pause, Scope, Side
from exchange.values.events import AnyEvent
from exchange.values.ids import OrderId, id_at
from exchange.values.listings.commands import ListMarket
from exchange.values.listings.specs import AssetSpec, spot_market
from exchange.values.listings.specs import ListedMarket as Listing
from exchange.values.modes.commands import DropToCancelOnly, SetMode, SetPause
from exchange.values.orders.commands import CancelForAccount, PlaceOrder, SetCancelAllAfter, SetCancelOnDisconnect
from exchange.values.orders.events import OrderDone
from exchange.values.orders.views import Outcome
from exchange.values.process.commands import ReportFault
from exchange.values.process.events import Faulted
from exchange.values.record import Record, Signed
from exchange.values.refusals import Code
from tests import venue as core
from tests.runtime.running import MARKET, HandClock, Seen, Traders, done, records, running, trading, writer_held

POISON = 666
SECOND_MARKET = spot_market(core.USDC, AssetSpec("SOL", 9), 10_000_000, 10_000_000)


@pytest.fixture
def traders() -> Traders:
    return Traders()


def poisonous(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deciding an order of so many lots, or work that is due, meets a bug."""

    def decide_with_a_bug(state: object, time_us: int, command: AnyCommand) -> list[AnyEvent]:
        if isinstance(command, CancelForAccount) or (isinstance(command, PlaceOrder) and command.lots == POISON):
            raise ZeroDivisionError("a bug of ours")
        return decide(state, time_us, command)  # type: ignore[arg-type]

    monkeypatch.setattr(commit_module, "decide", decide_with_a_bug)


def spoiling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Applying an order of so many lots meets a bug half-way."""

    def fold_with_a_bug(state: object, record: Record) -> None:
        fold(state, record)  # type: ignore[arg-type]
        if isinstance(record.command, PlaceOrder) and record.command.lots == POISON:
            raise ZeroDivisionError("a bug of ours")

    monkeypatch.setattr(commit_module, "fold", fold_with_a_bug)


async def settled() -> None:
    """Let everything that can happen without the writer happen."""
    for _ in range(50):
        await asyncio.sleep(0.002)


# --- the outbox rule ---------------------------------------------------------------------------


async def test_no_reply_stream_or_answer_leaves_before_its_record_is_durable(tmp_path: Path, traders: Traders) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        venue = life.venue
        await done(venue, traders.sell(traders.ann, 10_000, 1))
        replies: list[list[Outcome]] = []
        streams = Seen()
        for topic in (
            Topic(Channel.DEPTH, MARKET),
            Topic(Channel.TRADE, MARKET),
            Topic(Channel.BOOK_TICKER, MARKET),
            Topic(Channel.ORDER_UPDATE, account=traders.ann),
            Topic(Channel.BALANCE_UPDATE, account=traders.bob),
            Topic(Channel.STATUS),
        ):
            venue.watch(topic, streams.add)
        with writer_held(life):
            venue.submit([traders.buy(traders.bob, 10_000, 1, client_id=5)], replies.append)
            venue.submit([SetMode(core.ADMIN, Mode.CANCEL_ONLY, "test", MARKET)], replies.append)
            await settled()
            queries = [
                asyncio.create_task(query)
                for query in (
                    venue.balances(traders.bob),
                    venue.account(traders.bob),
                    venue.open_orders(traders.ann),
                    venue.open_order(traders.bob, MARKET, client_id=5),
                    venue.depth(MARKET, 5),
                    venue.ticker(MARKET, 1),
                )
            ]
            # A history answer rests on durable records alone, so it need not wait: it just doesn't know yet.
            assert await venue.trades("", MARKET, 5) == ()
            await settled()
            assert life.state.markets[MARKET].trade_id == 1, "the trade has happened"
            assert not replies
            assert not streams
            assert not any(query.done() for query in queries)
            market = venue.market(MARKET)
            assert market is not None
            assert (market.mode, market.last_price_ticks) == (Mode.FULL, 0)
            assert venue.status().markets[MARKET][0] is Mode.FULL
        await streams.soon(6)
        async with asyncio.timeout(5):
            await asyncio.gather(*queries)
        assert [outcomes[0].refusal for outcomes in replies] == [None, None]
        market = venue.market(MARKET)
        assert market is not None
        assert (market.mode, market.last_price_ticks) == (Mode.CANCEL_ONLY, 10_000)


async def test_after_the_writer_is_gone_nothing_is_answered_and_the_process_ends(
    tmp_path: Path, traders: Traders
) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        replies: list[list[Outcome]] = []
        with writer_held(life):
            life.venue.submit([traders.buy(traders.bob, 9_000)], replies.append)
            await settled()
            life._writer._process.kill()
        async with asyncio.timeout(5):
            end = await life.ended()
        assert end.reason is Reason.JOURNAL_FAILED
        assert replies == []
        refused: list[list[Outcome]] = []
        life.venue.submit([traders.buy(traders.bob, 9_000)], refused.append)
        assert refused[0][0].refusal is not None
        assert refused[0][0].refusal.code is Code.MAINTENANCE


async def test_a_key_is_not_seen_before_its_record_is_durable(tmp_path: Path, traders: Traders) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        venue, key = life.venue, core.public_key(77)
        with writer_held(life):
            adding = asyncio.create_task(
                done(venue, AddKey(core.ADMIN, traders.ann, key, (Scope.READ,), reason="test"))
            )
            await settled()
            assert venue.key(key) is None
        await adding
        added = venue.key(key)
        assert added is not None
        assert (added.account, added.scopes) == (traders.ann, (Scope.READ,))
        await done(venue, RevokeKey(core.ADMIN, added.key_id, "test"))
        assert venue.key(key) is None


# --- order and batches ---------------------------------------------------------------------------


async def test_replies_come_in_the_order_of_their_records_and_batches_are_contiguous(
    tmp_path: Path, traders: Traders
) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        replies: list[list[Outcome]] = []
        for price in range(9_000, 9_100):
            batch = [
                traders.buy(traders.ann, price),
                traders.buy(traders.ann, 10**9),
                traders.buy(traders.bob, price),
            ]
            life.venue.submit(batch, replies.append)
            life.venue.submit([SetCancelAllAfter(traders.ann, traders.core.key(traders.ann), 0)], replies.append)
        await done(life.venue, traders.buy(traders.ann, 9_500))
        await settled()
        assert len(replies) == 200
        firsts = [outcomes[0].seq for outcomes in replies]
        assert firsts == sorted(firsts)
        for outcomes in replies:
            seqs = [outcome.seq for outcome in outcomes]
            assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))


async def test_items_of_a_batch_stand_or_fall_alone(tmp_path: Path, traders: Traders) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        replies: list[list[Outcome]] = []
        batch = [traders.buy(traders.ann, 9_000), traders.buy(traders.ann, 10**9), traders.buy(traders.ann, 9_001)]
        life.venue.submit(batch, replies.append)
        await done(life.venue, traders.buy(traders.ann, 9_500))
        assert [outcome.refusal is None for outcome in replies[0]] == [True, False, True]


async def test_a_cancel_answers_with_the_order_as_it_ended(tmp_path: Path, traders: Traders) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        placed = await done(life.venue, traders.sell(traders.ann, 10_000, 5))
        await done(life.venue, traders.buy(traders.bob, 10_000, 2))
        [order] = placed.orders
        cancelled = await done(life.venue, traders.core.cancel(traders.ann, order.order_id))
        [ended] = cancelled.orders
        assert (ended.order_id, ended.status, ended.filled_lots) == (order.order_id, OrderStatus.CANCELLED, 2)


# --- refusals ---------------------------------------------------------------------------------------


async def test_refusals_are_records_up_to_a_limit_per_account(tmp_path: Path, traders: Traders) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        replies: list[list[Outcome]] = []
        before = life.state.seq
        for _ in range(REFUSAL_BURST + 50):
            life.venue.submit([traders.core.cancel(traders.ann, OrderId(1))], replies.append)
        other = await done(life.venue, traders.buy(traders.bob, 9_000))
        own = await done(life.venue, traders.buy(traders.ann, 9_000))
        codes = [outcomes[0].refusal.code for outcomes in replies if outcomes[0].refusal is not None]
        assert codes == [Code.RESOURCE_NOT_FOUND] * REFUSAL_BURST + [Code.TOO_MANY_REQUESTS] * 50
        assert max(other.seq, own.seq) == before + REFUSAL_BURST + 2
        assert replies[-1][0].seq == 0


# --- bugs of ours ----------------------------------------------------------------------------------------


async def list_second_market(life: Life) -> None:
    filters = core.FILTERS
    await done(life.venue, ListMarket(core.ADMIN, Listing(SECOND_MARKET, filters), "test"))
    for mode in (Mode.POST_ONLY, Mode.FULL):
        await done(life.venue, SetMode(core.ADMIN, mode, "test", SECOND_MARKET.symbol))


async def test_a_command_that_meets_a_bug_is_recorded_and_shuts_its_market_alone(
    tmp_path: Path, traders: Traders, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisonous(monkeypatch)
    async with trading(tmp_path, traders, HandClock()) as life:
        await list_second_market(life)
        poison = traders.buy(traders.ann, 9_000, POISON)
        outcome = await life.venue.execute(poison)
        assert outcome.refusal is not None
        assert outcome.refusal.code is Code.SERVER_ERROR
        status = life.venue.status()
        [fault] = [event for event in outcome.events if isinstance(event, Faulted)]
        assert status.markets[MARKET] == (Mode.OFFLINE, f"fault {fault.error_id}")
        assert status.markets[SECOND_MARKET.symbol][0] is Mode.FULL
        again = await life.venue.execute(poison)
        assert again.refusal is not None, "the bug is met again, and nothing more happens"
        order = PlaceOrder(
            traders.ann, traders.core.key(traders.ann), SECOND_MARKET.symbol, Side.ASK, price_ticks=10_000, lots=1
        )
        await done(life.venue, order)
        assert violations(life.state) == []
    kinds = [type(record.command) for record in records(tmp_path) if Faulted in map(type, record.events)]
    assert kinds == [PlaceOrder, PlaceOrder]
    async with running(tmp_path, HandClock()) as life:
        assert life.venue.status().markets[MARKET][0] is Mode.OFFLINE


async def test_what_was_signed_for_a_command_stands_in_its_record_also_where_it_met_a_bug(
    tmp_path: Path, traders: Traders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever lane it came by: or a venue that had a bug could not show who asked for what met it."""
    poisonous(monkeypatch)
    signed = (Signed("key", "text", "signature"),)
    async with trading(tmp_path, traders, HandClock()) as life:
        await life.venue.execute(traders.buy(traders.ann, 9_000, POISON), signed)
        await life.venue.execute(SetPause(core.ADMIN, Pause.DEPOSITS, True, "test"), signed)
    met, paused = [record for record in records(tmp_path) if record.signed]
    assert isinstance(met.events[0], Faulted)
    assert isinstance(paused.command, SetPause)
    assert met.signed == paused.signed == signed


async def test_resending_poison_does_not_fill_the_disk(
    tmp_path: Path, traders: Traders, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisonous(monkeypatch)
    monkeypatch.setattr(refusal_limit, "_FULL_US", 50_000)  # five
    async with trading(tmp_path, traders, HandClock()) as life:
        replies: list[list[Outcome]] = []
        for _ in range(20):
            life.venue.submit([traders.buy(traders.ann, 9_000, POISON)], replies.append)
        await done(life.venue, SetCancelAllAfter(traders.bob, traders.core.key(traders.bob), 0))
        await life.venue.execute(traders.buy(traders.bob, 9_000))
        assert len(replies) == 20
        assert all(outcomes[0].refusal is not None for outcomes in replies)
    faults = [record for record in records(tmp_path) if Faulted in map(type, record.events)]
    assert len(faults) == 5


async def test_items_behind_a_poisonous_one_are_still_answered(
    tmp_path: Path, traders: Traders, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisonous(monkeypatch)
    async with trading(tmp_path, traders, HandClock()) as life:
        replies: list[list[Outcome]] = []
        batch = [traders.buy(traders.ann, 9_000), traders.buy(traders.ann, 9_000, POISON), traders.buy(traders.ann, 1)]
        life.venue.submit(batch, replies.append)
        await life.venue.execute(traders.buy(traders.bob, 9_000))
        [outcomes] = replies
        assert outcomes[0].refusal is None
        assert [outcome.refusal.code for outcome in outcomes[1:] if outcome.refusal] == [
            Code.SERVER_ERROR,
            Code.TRADING_PAUSED,
        ]


async def test_due_work_that_meets_a_bug_brakes_the_venue_and_is_not_tried_for_ever(
    tmp_path: Path, traders: Traders, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisonous(monkeypatch)
    clock = HandClock()
    async with trading(tmp_path, traders, clock) as life:
        await done(life.venue, traders.buy(traders.ann, 9_000))
        await done(life.venue, SetCancelAllAfter(traders.ann, traders.core.key(traders.ann), 1_000_000))
        clock.pass_s(2)
        await life.venue.execute(traders.buy(traders.bob, 9_000))
        assert life.venue.status().mode is Mode.CANCEL_ONLY
        cancel = traders.core.cancel_all(traders.ann)
        await done(life.venue, cancel)
    commands = [type(record.command) for record in records(tmp_path)]
    assert commands.count(CancelForAccount) == 1
    assert commands.count(DropToCancelOnly) == 1


async def test_due_work_that_meets_a_bug_is_suspended_whatever_its_account_has_been_refused(
    tmp_path: Path, traders: Traders, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisonous(monkeypatch)
    clock = HandClock()
    async with trading(tmp_path, traders, clock) as life:
        await done(life.venue, traders.buy(traders.ann, 9_000))
        await done(life.venue, SetCancelAllAfter(traders.ann, traders.core.key(traders.ann), 1_000_000))
        monkeypatch.setattr(refusal_limit, "_FULL_US", 0)
        # The loop would not turn again: only a signal ends it.
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.alarm(10)
        clock.pass_s(2)
        await life.venue.execute(traders.buy(traders.bob, 9_000))
        signal.alarm(0)
        assert life.venue.status().mode is Mode.CANCEL_ONLY


async def test_a_fold_that_fails_ends_the_process_and_the_next_start_has_only_what_was_right(
    tmp_path: Path, traders: Traders, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies: list[list[Outcome]] = []
    with monkeypatch.context() as broken:
        spoiling(broken)
        async with trading(tmp_path, traders, HandClock()) as life:
            kept = await done(life.venue, traders.buy(traders.ann, 9_000))
            life.venue.submit([traders.buy(traders.bob, 9_000)], replies.append)
            life.venue.submit([traders.buy(traders.ann, 9_001, POISON)], replies.append)
            life.venue.submit([traders.buy(traders.bob, 9_002)], replies.append)
            async with asyncio.timeout(5):
                end = await life.ended()
            assert end.reason is Reason.STATE_DOUBTFUL
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await life.venue.balances(traders.ann)
    # The one before it in the same batch was right, and is durable; those from it on are unknown to whoever sent them.
    assert [outcomes[0].seq for outcomes in replies] == [kept.seq + 1]
    last = records(tmp_path)[-1]
    assert isinstance(last.command, PlaceOrder)
    assert [type(event) for event in last.events] == [Faulted]

    async with running(tmp_path, HandClock()) as life:
        status = life.venue.status()
        assert status.mode is Mode.FULL, "the others go on"
        assert status.markets[MARKET][0] is Mode.OFFLINE
        orders = await life.venue.open_orders(traders.ann)
        assert [order.order_id for order in orders] == [id_at(kept.seq)]
        assert violations(life.state) == []


async def test_a_fault_that_stopped_the_process_is_reported_once(
    tmp_path: Path, traders: Traders, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        spoiling(broken)
        async with trading(tmp_path, traders, HandClock()) as life:
            life.venue.submit([traders.buy(traders.ann, 9_001, POISON)], lambda _outcomes: None)
            async with asyncio.timeout(5):
                await life.ended()
    for _ in range(2):
        async with running(tmp_path, HandClock()):
            pass
    assert [type(record.command) for record in records(tmp_path)].count(ReportFault) == 1


async def test_a_bug_in_a_stream_leaves_the_books_alone(
    tmp_path: Path, traders: Traders, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:

        def broken(_record: Record) -> None:
            raise ZeroDivisionError("a bug of ours")

        monkeypatch.setattr(life._streams, "see", broken)
        outcome = await done(life.venue, traders.buy(traders.ann, 9_000))
        assert await life.venue.open_orders(traders.ann) == outcome.orders
        assert life.venue.metrics.faults == 1


# --- sessions that end ----------------------------------------------------------------------------------------


async def test_the_end_of_a_session_comes_behind_what_the_session_sent(tmp_path: Path, traders: Traders) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        await list_second_market(life)
        key = traders.core.key(traders.ann)
        await done(life.venue, SetCancelOnDisconnect(traders.ann, key, "s1", True))
        replies: list[list[Outcome]] = []
        other = PlaceOrder(traders.ann, key, SECOND_MARKET.symbol, Side.ASK, price_ticks=10_000, lots=1)
        for number in range(300):
            life.venue.submit([traders.buy(traders.ann, 9_000 + number)], replies.append)
            life.venue.submit([other], replies.append)
        await done(life.venue, CancelForAccount(traders.ann, CancelReason.DISCONNECT, "s1"))
        assert len(replies) == 600
        assert await life.venue.open_orders(traders.ann) == ()


async def test_the_end_of_a_session_cancels_every_order_however_many_commands_it_takes(
    tmp_path: Path, traders: Traders
) -> None:
    async with trading(tmp_path, traders, HandClock()) as life:
        await done(life.venue, SetCancelOnDisconnect(traders.ann, traders.core.key(traders.ann), "s1", True))
        for _ in range(MAX_CANCELS_PER_COMMAND + 1):
            life.venue.submit([traders.buy(traders.ann, 9_000)], lambda _outcomes: None)
        await done(life.venue, traders.buy(traders.bob, 9_000))
        await done(life.venue, CancelForAccount(traders.ann, CancelReason.DISCONNECT, "s1"))
        assert await life.venue.open_orders(traders.ann) == ()
    ended = [event for record in records(tmp_path) for event in record.events if isinstance(event, OrderDone)]
    assert len(ended) == MAX_CANCELS_PER_COMMAND + 1
