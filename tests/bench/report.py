"""What a run found: rows of ours beside the yardstick of the same run, as a table and as JSON."""

import json
import os
import platform
import sysconfig
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Row:
    """One comparison. Rates are medians per second unless `unit` says otherwise.

    `aim` is the ratio of ours to the yardstick that we want to reach; None where there is none.
    `ours` None: not measured, and `note` says why.
    """

    section: str
    name: str
    unit: str
    ours: float | None
    yardstick_name: str = ""
    yardstick: float | None = None
    aim: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        if self.ours is None or not self.yardstick:
            return None
        return self.ours / self.yardstick

    @property
    def reached(self) -> bool | None:
        """Whether the aim is met; None where there is no aim or no ratio."""
        return None if self.aim is None or self.ratio is None else self.ratio >= self.aim


def middle(values: Sequence[float]) -> float:
    return median(values)


def machine() -> dict[str, str | int]:
    """What the figures were measured on."""
    model = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else ""
    return {
        "cpu": model or platform.processor(),
        "cores": os.cpu_count() or 0,
        "load_average": f"{os.getloadavg()[0]:.2f}",
        "system": platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "interpreter": interpreter(),
    }


def interpreter() -> str:
    """How it was built, where that costs speed; empty where it doesn't, or isn't known."""
    if sysconfig.get_config_var("Py_DEBUG"):
        return "built for debugging: figures say little"
    configured = sysconfig.get_config_var("CONFIG_ARGS")
    if configured is not None and "--enable-optimizations" not in configured:
        return "built without --enable-optimizations: a Python of a distribution or a container is faster"
    return ""


def figure(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    if unit.endswith("/s") and value >= 1_000:
        return f"{value / 1_000:,.1f}k{unit}"
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:,.2f} {unit}"


def show(rows: Sequence[Row], elapsed_s: float, console: Console) -> None:
    described = machine()
    table = Table(title=f"{described['cpu']}, {described['cores']} cores, {described['python']}", title_justify="left")
    for heading in ("", "ours", "yardstick of this run", "", "ratio", "aim"):
        table.add_column(heading, justify="right" if heading in ("ours", "ratio", "aim") else "left")
    section = ""
    for row in rows:
        if row.section != section:
            section = row.section
            table.add_section()
            table.add_row(f"[bold]{section}")
        colour = {True: "green", False: "red", None: "default"}[row.reached]
        table.add_row(
            row.name,
            figure(row.ours, row.unit),
            row.yardstick_name,
            figure(row.yardstick, row.unit) if row.yardstick is not None else "",
            f"[{colour}]{row.ratio:.2f}" if row.ratio is not None else "",
            f"{row.aim:.2f}" if row.aim is not None else "",
        )
    console.print(table)
    if described["interpreter"]:
        console.print(f"[yellow]This Python was {described['interpreter']}.", highlight=False)
    for name, note in dict.fromkeys((row.name, row.note) for row in rows if row.note):
        console.print(f"[dim]{name}: {note}", highlight=False)
    missed = [row for row in rows if row.reached is False]
    console.print(f"{len(missed)} below the aim. Took {elapsed_s:.0f} s.")


def save(rows: Sequence[Row], elapsed_s: float, path: Path) -> None:
    body = {
        "machine": machine(),
        "elapsed_s": round(elapsed_s, 1),
        "rows": [{**asdict(row), "ratio": row.ratio, "reached": row.reached} for row in rows],
    }
    path.write_text(json.dumps(body, indent=2) + "\n")
