"""Sealed segments: old records in files of their own, which can be moved to an archive.

`<data>/segments/<first>-<last>.jsonl.gz` holds the lines as they were in the database (`blocks`); beside it lie its
side files, named by their kind: `.blocks` the table of its blocks, `.snapshot.gz` the state at its end, and what is
attached later. `manifest.jsonl` holds a line with its format and build, then one for each segment, oldest first:
`{"sealed":{..},"link":"<64 hex>"}`. `sealed` never changes; its link covers the link before and its bytes as they are
kept, so a newer build's field in it is carried, and passed over. `folder` and `sides`, which may follow, do change,
and are written anew: there such a field is refused.
"""

from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

from exchange.journal.errors import SegmentAway, SegmentDamaged, SegmentError
from exchange.journal.formats import Maker, release, require_format
from exchange.journal.layout import hash_file, segments_dir, whole_file

FORMAT: Final = 1
#: What ends the name of a segment's own file; those of side files end in a dot and their kind.
RECORDS: Final = "jsonl.gz"
#: What is to be done about a manifest that can't be used.
BRING_BACK: Final = "bring it back from the newest backup (segments/manifest.jsonl there)"


class Sealed(msgspec.Struct, frozen=True, omit_defaults=True):
    """Records `first_seq` to `last_seq`, of `first_time_us` to `last_time_us` (µs since 1970, UTC), in a file of
    `file_bytes` bytes and BLAKE2b-256 `hash` (hex). `chain` (hex) is the journal's value after the last one.
    """

    first_seq: int
    last_seq: int
    first_time_us: int
    last_time_us: int
    file_bytes: int
    hash: str
    chain: str


class Side(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A file beside the segment's own: `<first>-<last>.<kind>`, of `file_bytes` bytes and BLAKE2b-256 `hash` (hex)."""

    kind: str
    file_bytes: int
    hash: str


class _Line(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    sealed: msgspec.Raw
    link: str
    folder: str = ""
    sides: tuple[Side, ...] = ()


class Segment(msgspec.Struct, frozen=True):
    """An entry of the manifest. `kept` are the bytes of `sealed`; `folder` is where its files lie, if not beside it."""

    sealed: Sealed
    kept: bytes
    link: str
    folder: str = ""
    sides: tuple[Side, ...] = ()

    @property
    def first_seq(self) -> int:
        return self.sealed.first_seq

    @property
    def last_seq(self) -> int:
        return self.sealed.last_seq

    @property
    def name(self) -> str:
        """Of the segment's own file."""
        return f"{self.first_seq}-{self.last_seq}.{RECORDS}"

    def home(self, data_dir: Path) -> Path:
        """The folder its files are in."""
        return Path(self.folder) if self.folder else segments_dir(data_dir)

    def path(self, data_dir: Path, kind: str = RECORDS) -> Path:
        return self.home(data_dir) / f"{self.first_seq}-{self.last_seq}.{kind}"

    def side(self, kind: str) -> Side | None:
        return next((side for side in self.sides if side.kind == kind), None)

    def files(self) -> dict[str, tuple[int, str]]:
        """Its files: how their names end, and their bytes and hash."""
        return {
            RECORDS: (self.sealed.file_bytes, self.sealed.hash),
            **{side.kind: (side.file_bytes, side.hash) for side in self.sides},
        }

    def away(self, data_dir: Path, kind: str = RECORDS) -> SegmentAway:
        """The error that one of its files is not where it should be."""
        return SegmentAway(self.path(data_dir, kind), self.sealed.first_time_us, self.sealed.last_time_us)


def entry(sealed: Sealed, previous: str, sides: tuple[Side, ...] = ()) -> Segment:
    """A new entry behind the one with link `previous` ("" for the first)."""
    kept = msgspec.json.encode(sealed)
    return Segment(sealed, kept, _link(previous, kept), sides=sides)


def _link(previous: str, kept: bytes) -> str:
    return blake2b(previous.encode() + kept, digest_size=32).hexdigest()


def manifest_path(data_dir: Path) -> Path:
    return segments_dir(data_dir) / "manifest.jsonl"


def manifest(data_dir: Path) -> tuple[Segment, ...]:
    """The sealed segments, oldest first; none if there is no manifest.

    Raises:
        SegmentError: it is not what was written. UnknownFormat
    """
    path, build = manifest_path(data_dir), ""
    try:
        head, *lines = path.read_bytes().splitlines() or [b""]
        require_format(path, head, FORMAT)
        build = msgspec.json.decode(head, type=Maker).build
        segments = [_read(line) for line in lines]
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.MsgspecError) as error:
        by = f" written by build {build}," if build else ""
        raise SegmentError(f"{path}, the manifest of segments,{by} can't be read: {error}; {BRING_BACK}") from error
    link, next_seq = "", 1
    for segment in segments:
        link = _link(link, segment.kept)
        # A gap is a declared loss, or will be found missing when the records are read.
        if segment.link != link or segment.first_seq < next_seq:
            raise SegmentError(
                f"{path}, the manifest of segments, is not what was written, from segment {segment.name} on;"
                f" {BRING_BACK}"
            )
        next_seq = segment.last_seq + 1
    return tuple(segments)


def _read(line: bytes) -> Segment:
    held = msgspec.json.decode(line, type=_Line)
    kept = bytes(held.sealed)
    return Segment(msgspec.json.decode(kept, type=Sealed), kept, held.link, held.folder, held.sides)


def write_manifest(data_dir: Path, held: tuple[Segment, ...]) -> None:
    with whole_file(manifest_path(data_dir)) as file:
        file.write(msgspec.json.encode(Maker(FORMAT, release())) + b"\n")
        for one in held:
            line = _Line(msgspec.Raw(one.kept), one.link, one.folder, one.sides)
            file.write(msgspec.json.encode(line) + b"\n")


def require_whole(segment: Segment, folder: Path) -> None:
    """Check a segment's files in a folder, its side files among them, against their hashes and sizes.

    Raises:
        SegmentError
    """
    for kind, (file_bytes, digest) in segment.files().items():
        path = folder / f"{segment.first_seq}-{segment.last_seq}.{kind}"
        if not path.exists():
            raise SegmentAway(path, segment.sealed.first_time_us, segment.sealed.last_time_us)
        if path.stat().st_size != file_bytes or hash_file(path) != digest:
            raise SegmentDamaged(path, "its hash differs")
