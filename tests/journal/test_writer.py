"""The writer process and its client: one writer, nothing acknowledged that is not durable, no half-dead pairs."""

import asyncio
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from exchange.journal import witness
from exchange.journal.errors import JournalError, JournalLocked, WriterFailed
from exchange.journal.layout import journal_path, witness_path
from exchange.journal.store import JournalReader
from exchange.journal.writer import locked
from tests.journal.live import WITHIN_S, started
from tests.journal.records import bodies, body


async def test_what_is_acknowledged_can_be_read_whole(tmp_path: Path) -> None:
    client, heard = await started(tmp_path)
    assert (client.last_seq, client.durable_seq) == (0, 0)
    for first_seq in range(1, 1_001, 50):
        client.append(first_seq, bodies(first_seq, 50))
    assert client.backlog_bytes > 1_000 * len(body(1))
    await heard.until_durable(1_000)
    with JournalReader(tmp_path) as reader:
        assert [record.seq for record in reader.records()] == list(range(1, 1_001))
        seq, chain = reader.last()
    seen = witness.read(witness_path(tmp_path))
    assert seen is not None
    assert (seq, seen.seq, seen.chain) == (1_000, 1_000, chain.hex())
    assert heard.durable == sorted(heard.durable)
    assert client.backlog_bytes == 0
    await client.close()
    assert heard.failed == []


async def test_a_new_writer_goes_on_where_the_journal_ends(tmp_path: Path) -> None:
    client, _ = await started(tmp_path)
    client.append(1, bodies(1, 300))
    await client.close()
    client, heard = await started(tmp_path)
    assert client.last_seq == 300
    with pytest.raises(ValueError, match="301 is next"):
        client.append(302, bodies(302, 1))
    client.append(301, bodies(301, 1))
    await heard.until_durable(301)
    await client.close()
    with JournalReader(tmp_path) as reader:
        assert reader.last()[0] == len(list(reader.records())) == 301


async def test_close_waits_for_everything_appended(tmp_path: Path) -> None:
    client, heard = await started(tmp_path)
    client.append(1, bodies(1, 5_000))
    await client.close()
    assert heard.durable[-1] == 5_000
    assert heard.failed == []


async def test_there_is_one_writer(tmp_path: Path) -> None:
    client, _ = await started(tmp_path)
    with pytest.raises(JournalLocked, match=f"process {client.pid} holds the journal"):
        await started(tmp_path)
    await client.close()
    client, _ = await started(tmp_path)
    await client.close()


async def test_the_core_hears_that_its_writer_was_killed(tmp_path: Path) -> None:
    client, heard = await started(tmp_path)
    client.append(1, bodies(1, 10))
    await heard.until_durable(10)
    os.kill(client.pid, signal.SIGKILL)
    await heard.until(lambda: bool(heard.failed))
    assert "gone" in heard.failed[0]
    client.append(11, bodies(11, 1))
    await asyncio.sleep(0.05)
    assert heard.durable[-1] == 10
    await client.close()
    assert len(heard.failed) == 1


@pytest.mark.parametrize("kills", [8, pytest.param(100, marks=pytest.mark.torture)])
async def test_writers_killed_at_random_moments_lose_nothing_acknowledged(tmp_path: Path, kills: int) -> None:
    chance = random.Random(kills)
    acknowledged = 0
    for _ in range(kills):
        client, heard = await started(tmp_path)
        assert client.last_seq >= acknowledged
        seq = client.last_seq
        asyncio.get_running_loop().call_later(chance.uniform(0, 0.1), os.kill, client.pid, signal.SIGKILL)
        while not heard.failed:
            count = chance.randint(1, 300)
            client.append(seq + 1, bodies(seq + 1, count))
            seq += count
            await asyncio.sleep(chance.choice((0, 0, 0.001)))
        acknowledged = max(heard.durable, default=acknowledged)
        await client.close()
        with JournalReader(tmp_path) as reader:
            lines = list(reader.lines(max(1, acknowledged - 500)))
            assert reader.last()[0] == max(0, acknowledged - 501) + len(lines) >= acknowledged
            witness.require_agreement(witness_path(tmp_path), reader)
    with JournalReader(tmp_path) as reader:
        assert len(list(reader.records())) >= acknowledged > 0


async def test_records_that_do_not_follow_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    client, heard = await started(tmp_path)
    client.append(1, [body(1), body(3)])
    await heard.until(lambda: bool(heard.failed))
    assert "OutOfSequence" in heard.failed[0]
    assert heard.durable == []
    await client.close()
    with JournalReader(tmp_path) as reader:
        assert reader.last()[0] == 0


async def test_a_full_disk_is_reported_and_never_acknowledged(tmp_path: Path) -> None:
    client, heard = await started(tmp_path)
    client.append(1, bodies(1, 100))
    await heard.until_durable(100)
    wal_bytes = journal_path(tmp_path).with_name("journal.sqlite-wal").stat().st_size
    resource.prlimit(client.pid, resource.RLIMIT_FSIZE, (wal_bytes + 20_000, wal_bytes + 20_000))
    client.append(101, bodies(101, 2_000))
    await heard.until(lambda: bool(heard.failed))
    assert "full" in heard.failed[0] or "I/O" in heard.failed[0]
    assert heard.durable == [100]
    await client.close()
    client, heard = await started(tmp_path)
    assert client.last_seq == 100
    client.append(101, bodies(101, 2_000))
    await client.close()
    with JournalReader(tmp_path) as reader:
        assert len(list(reader.records())) == 2_100


async def test_a_folder_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    journal_path(tmp_path).write_bytes(b"not a database " * 1_000)
    with pytest.raises(JournalError, match=r"journal\.sqlite is damaged .file is not a database"):
        await started(tmp_path)


async def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    client, _ = await started(tmp_path)
    await client.close()
    with sqlite3.connect(journal_path(tmp_path)) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'format'")
    with pytest.raises(WriterFailed, match=r"format '99', written by build 0\.1\.0; this build reads format 1"):
        await started(tmp_path)


CORE_THAT_DIES = """
    import asyncio, os, signal, sys
    from pathlib import Path
    from exchange.journal.client import WriterClient
    from tests.journal.records import bodies

    async def main() -> None:
        def durable(seq: int) -> None:
            print(seq, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

        client = await WriterClient.start(Path(sys.argv[1]), durable, print)
        client.append(1, bodies(1, 500))
        await asyncio.sleep(60)

    asyncio.run(main())
"""


def test_the_writer_ends_when_its_core_is_killed(tmp_path: Path) -> None:
    core = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CORE_THAT_DIES), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert core.returncode == -signal.SIGKILL
    wait_until_free(tmp_path)
    with JournalReader(tmp_path) as reader:
        assert reader.last()[0] == len(list(reader.records())) >= int(core.stdout)


def wait_until_free(data_dir: Path) -> None:
    give_up = time.monotonic() + WITHIN_S
    while True:
        try:
            with locked(data_dir):
                return
        except JournalLocked:
            assert time.monotonic() < give_up
            time.sleep(0.01)


async def test_the_signals_that_end_an_exchange_leave_the_last_word_to_the_core(tmp_path: Path) -> None:
    client, heard = await started(tmp_path)
    os.kill(client.pid, signal.SIGINT)
    os.kill(client.pid, signal.SIGTERM)
    client.append(1, bodies(1, 1))
    await heard.until_durable(1)
    await client.close()
    assert heard.failed == []
