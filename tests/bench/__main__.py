"""`python -m tests.bench`: how fast the exchange is on this machine, beside yardsticks of the same run."""

import sys
import time
from pathlib import Path
from typing import Final

from rich.console import Console

from tests.bench import core, fanout, rest, start, websocket
from tests.bench.report import Row, save, show

SECTIONS: Final = {"websocket": websocket, "rest": rest, "fanout": fanout, "core": core, "start": start}
#: Columns the table needs, also where a log is no terminal.
LEAST_WIDTH: Final = 120
RESULTS: Final = Path("bench-results.json")


def main() -> None:
    console = Console(width=max(Console().width, LEAST_WIDTH))
    chosen = sys.argv[1:] or list(SECTIONS)
    begun = time.perf_counter()
    found: list[Row] = []
    for name in chosen:
        with console.status(f"measuring: {name}"):
            found += SECTIONS[name].rows()
    elapsed_s = time.perf_counter() - begun
    show(found, elapsed_s, console)
    save(found, elapsed_s, RESULTS)
    console.print(f"Written to {RESULTS}.")


if __name__ == "__main__":
    main()
