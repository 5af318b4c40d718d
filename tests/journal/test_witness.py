"""The witness: what was seen is not forgotten, whatever happens to one write."""

from pathlib import Path

import pytest

from exchange.journal import witness
from exchange.journal.errors import BehindWitness, UnknownFormat, WitnessDisagrees
from exchange.journal.witness import Witness

GENESIS = "ab" * 32
SLOT_BYTES = 4096


def seen_seq(path: Path) -> int:
    seen = witness.read(path)
    assert seen is not None
    return seen.seq


def hand(path: Path, seq: int = 0) -> Witness:
    made = Witness(path)
    made.begin(GENESIS, seq, bytes(32))
    return made


def test_it_remembers_the_last_thing_it_saw(tmp_path: Path) -> None:
    path = tmp_path / "elsewhere" / "witness"
    assert witness.read(path) is None
    made = hand(path)
    assert seen_seq(path) == 0
    for seq in range(1, 10):
        made.write(GENESIS, seq, bytes([seq]) * 32)
        seen = witness.read(path)
        assert seen is not None
        assert (seen.seq, seen.chain, seen.genesis) == (seq, (bytes([seq]) * 32).hex(), GENESIS)
    made = hand(path, 9)
    made.write(GENESIS, 10, bytes(32))
    assert seen_seq(path) == 10


def test_a_write_never_touches_what_was_synced_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness, "SYNC_INTERVAL_S", 1e9)
    path, torn = tmp_path / "witness", tmp_path / "torn"
    made = hand(path)
    for seq in range(1, 40):
        synced = seen_seq(path)
        made.sync()
        for _ in range(seq % 3 + 1):
            made.write(GENESIS, seen_seq(path) + 1, bytes(32))
        content = path.read_bytes()
        for slot in (0, SLOT_BYTES):
            torn.write_bytes(content[:slot] + bytes(SLOT_BYTES) + content[slot + SLOT_BYTES :])
            assert seen_seq(torn) >= synced


def test_it_takes_no_step_back(tmp_path: Path) -> None:
    path = tmp_path / "witness"
    hand(path).write(GENESIS, 7, bytes(32))
    with pytest.raises(BehindWitness):
        hand(path, 6)
    with pytest.raises(WitnessDisagrees):
        Witness(path).begin("cd" * 32, 8, bytes(32))
    assert seen_seq(path) == 7


def test_an_unknown_format_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "witness"
    with monkeypatch.context() as patch:
        patch.setattr(witness, "FORMAT", 2)
        hand(path)
    with pytest.raises(UnknownFormat, match=r"format 2, written by build 0\.1\.0; this build reads format 1"):
        witness.read(path)
