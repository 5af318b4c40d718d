"""A timeline's records in a data folder, written by the writer's own means, without its process."""

from pathlib import Path

from exchange.journal.layout import witness_path
from exchange.journal.store import open_writing
from exchange.journal.witness import Witness
from tests.journal.timeline import Timeline


def keep(data_dir: Path, timeline: Timeline) -> None:
    """Write what the journal doesn't have yet."""
    journal = open_writing(data_dir)
    witness = Witness(witness_path(data_dir))
    witness.begin(journal.genesis, journal.last_seq, journal.last_chain)
    journal.append(journal.last_seq + 1, timeline.bodies[journal.last_seq :])
    witness.write(journal.genesis, journal.last_seq, journal.last_chain)
    witness.sync()
