"""`python -m tests.frozen.make 0.1.0`: a data folder as a release leaves it behind, for every later build to reopen.

Done once a release, and never again: what lies here says what the release has written, and is not changed.
"""

import argparse
import shutil
import tempfile
from base64 import b64decode
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec
from nacl.signing import SigningKey

from exchange.journal import sealing
from exchange.journal.layout import journal_path
from exchange.journal.store import JournalReader, open_writing
from exchange.journal.verify import verify
from exchange.maintenance.drill.morning import MIN_ACCOUNTS, public_key
from exchange.maintenance.drill.run import Drill
from exchange.maintenance.venue_key import seed_of
from exchange.runtime.follower.read_models import index_file

FROZEN: Final = Path(__file__).parent
HASHES: Final = "hashes.json"
_ACCOUNTS: Final = MIN_ACCOUNTS + 10
_TRADES: Final = 400
#: Segments of so many records, so that there are several.
_SEGMENT_RECORDS: Final = 300
#: What is copied by its own means, made anew at every start, for running processes, or nobody's to publish.
_NOT_KEPT: Final = ("journal.sqlite*", "read.sqlite*", "*.lock", "lock", "keys")


def hashes(folder: Path) -> dict[str, str]:
    """BLAKE2b-256 of every file, by its path in the folder."""
    return {
        str(path.relative_to(folder)): blake2b(path.read_bytes(), digest_size=32).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != HASHES
    }


def make(target: Path) -> None:
    """Trade, close, seal, verify and sign: `data`, `witness` and `scene.json` in `target`, which must not be there."""
    with tempfile.TemporaryDirectory() as scratch:
        drill = Drill(Path(scratch) / "drill")
        scene = drill.close(_ACCOUNTS, _TRADES)
        data, witness = drill.base / "data", drill.base / "witness"
        sealed = sealing.seal(data, _SEGMENT_RECORDS, _SEGMENT_RECORDS)
        if not sealed:
            raise SystemExit("there were too few records to seal any")
        for segment in sealed:
            sealing.attach(data, segment, index_file.KIND, index_file.make(data, segment))
        journal = open_writing(data)
        journal.drop_sealed(sealed[-1].last_seq, sealed[-1].last_seq)
        journal.close()
        key = SigningKey(b64decode(seed_of(data / "keys", public_key("venue"))))
        report = verify(data, witness_dir=witness, from_genesis=True, key=key)
        if not report.ok or report.checkpoint_seq is None:
            raise SystemExit(report.text())
        for name in ("data", "witness"):
            shutil.copytree(drill.base / name, target / name, ignore=shutil.ignore_patterns(*_NOT_KEPT))
        with JournalReader(data) as reader:
            reader.copy_to(journal_path(target / "data"))
    (target / "scene.json").write_bytes(msgspec.json.encode(scene))
    (target / HASHES).write_bytes(msgspec.json.format(msgspec.json.encode(hashes(target))) + b"\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("release", help="its version, such as 0.1.0")
    folder = FROZEN / parser.parse_args().release
    make(folder)
    print(folder)
