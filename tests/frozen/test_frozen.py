"""What a release has written, every later build reads, proves and reopens."""

import shutil
from pathlib import Path

import msgspec
import pytest

from exchange.journal.verify import verify
from exchange.maintenance.drill.harm import Case
from exchange.maintenance.drill.messages import Scene
from exchange.maintenance.drill.morning import keep_venue_key
from exchange.maintenance.drill.run import RESTART_US, Drill, next_build
from tests.frozen.make import FROZEN, HASHES, hashes

RELEASES = sorted(path.name for path in FROZEN.iterdir() if (path / HASHES).exists())


@pytest.fixture(params=RELEASES)
def kept(request: pytest.FixtureRequest) -> Path:
    folder: Path = FROZEN / request.param
    return folder


def test_there_is_one() -> None:
    assert "0.1.0" in RELEASES


def test_its_bytes_are_those_that_were_written(kept: Path) -> None:
    assert hashes(kept) == msgspec.json.decode((kept / HASHES).read_bytes())


def test_it_has_all_that_a_venue_leaves_behind(kept: Path) -> None:
    names = set(hashes(kept))
    for pattern in ("data/journal.sqlite", "data/segments/*", "data/snapshots/*", "data/checkpoints/*.signed.json",
                    "data/certificates/closing-*/*", "witness/*"):  # fmt: skip
        assert any(Path(name).match(pattern) for name in names), pattern


def test_it_verifies_from_genesis(kept: Path, tmp_path: Path) -> None:
    shutil.copytree(kept, tmp_path / "copy")
    report = verify(tmp_path / "copy" / "data", witness_dir=tmp_path / "copy" / "witness", from_genesis=True)
    assert report.ok, report.text()
    assert report.segments


def test_this_build_reopens_it_through_every_gate(kept: Path, tmp_path: Path) -> None:
    shutil.copytree(kept, tmp_path / "case")
    scene = msgspec.json.decode((kept / "scene.json").read_bytes(), type=Scene)
    case = Case(scene, tmp_path / "case", tmp_path / "none", RESTART_US)
    keep_venue_key(case.data)
    next_build(case)
    reopening = Drill(tmp_path).reopen(case)
    # An order that would take is tried, and refused, as long as it is POST_ONLY.
    assert reopening.guards == ("core: PlaceOrder",), reopening.said
    assert reopening.modes == ("POST_ONLY", "FULL")
