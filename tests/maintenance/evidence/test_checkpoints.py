"""The checkpoint that gates leave: where the next run begins, and what is believed of it."""

from pathlib import Path

from exchange.journal.layout import checkpoints_dir
from exchange.journal.store import JournalReader
from exchange.maintenance.evidence.gather import Evidence
from tests.maintenance.evidence.books import Books
from tests.venue import deposit


def test_the_next_run_begins_at_the_checkpoint_the_last_one_signed(tmp_path: Path) -> None:
    books = Books(tmp_path)
    books.shut()
    books.write()
    assert books.prove().passed
    again = books.prove()
    assert again.passed
    assert f"from checkpoint {books.venue.state.seq}" in again.results[0].evidence
    # The histories left with it are signed too: altered or gone, they are gathered from the records again.
    [kept] = checkpoints_dir(tmp_path).glob("*.histories.jsonl")
    kept.write_bytes(kept.read_bytes().replace(b'"fills":[', b'"fills":[1', 1))
    for _ in range(2):
        fresh = Evidence(tmp_path, JournalReader(tmp_path))
        fresh.gather(None, None, lambda done, total: None)
        assert not fresh.from_seq
        assert fresh.histories.of == books.read_back()[1].of
        kept.unlink(missing_ok=True)


def test_what_is_kept_of_checkpoints_is_bounded(tmp_path: Path) -> None:
    books = Books(tmp_path)
    books.shut()
    for number in range(4):
        books.venue.expect(deposit(books.venue.state, books.accounts[0], "SOL", 5, f"no. {number}"))
        books.write()
        assert books.prove().passed
    names = sorted(path.name for path in checkpoints_dir(tmp_path).iterdir())
    seqs = sorted({int(name.partition(".")[0]) for name in names})
    assert len(seqs) == 2
    assert names == sorted(f"{seq}.{ending}" for seq in seqs for ending in ("json", "signed.json", "histories.jsonl"))
