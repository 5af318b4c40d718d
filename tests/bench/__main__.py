"""`python -m tests.bench`: how fast the exchange is on this machine, beside yardsticks of the same run.

Sections can be named; `maintenance --full` takes a million records and 100,000 accounts, and about ten minutes.
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console

from tests.bench import core, fanout, history, maintenance, rest, start, websocket
from tests.bench.report import Row, save, show

SECTIONS: Final[dict[str, Callable[[], list[Row]]]] = {
    "websocket": websocket.rows,
    "rest": rest.rows,
    "fanout": fanout.rows,
    "core": core.rows,
    "start": start.rows,
    "history": history.rows,
    "maintenance": maintenance.rows,
}
FULL: Final = "--full"
#: Columns the table needs, also where a log is no terminal.
LEAST_WIDTH: Final = 120
RESULTS: Final = Path("bench-results.json")


def main() -> None:
    console = Console(width=max(Console().width, LEAST_WIDTH))
    sections = dict(SECTIONS)
    if FULL in sys.argv:
        console.print("A million records and 100,000 accounts: about ten minutes on an idle machine with two cores.")
        sections["maintenance"] = partial(maintenance.rows, maintenance.FULL)
    chosen = [name for name in sys.argv[1:] if name != FULL] or list(sections)
    begun = time.perf_counter()
    found: list[Row] = []
    for name in chosen:
        with console.status(f"measuring: {name}"):
            found += sections[name]()
    elapsed_s = time.perf_counter() - begun
    show(found, elapsed_s, console)
    save(found, elapsed_s, RESULTS)
    console.print(f"Written to {RESULTS}.")


if __name__ == "__main__":
    main()
