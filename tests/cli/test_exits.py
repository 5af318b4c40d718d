"""What reaches a terminal is text: whatever a record, an answer or a log line holds, it moves no cursor."""

import re
import subprocess
import sys

import pytest
from rich.console import Console

from exchange.cli import exits
from exchange.journal.show import Units
from exchange.maintenance.stories.words import say
from exchange.values.enums import Mode
from exchange.values.ids import AdminId
from exchange.values.modes.commands import SetMode
from exchange.values.modes.events import ModeChanged
from tests.checks.test_layers import ROOT

HOSTILE = "nice\x1b[1A\x1b[2K\r\n\x9b\u202e[red]"
SHOWN = "nice\\u001b[1A\\u001b[2K\\u000d\\u000a\\u009b\\u202e[red]"


def test_records_and_stories_show_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert f"reason={SHOWN}" in Units().statement(SetMode(AdminId(1), Mode.OFFLINE, HOSTILE))
    assert say(ModeChanged(Mode.OFFLINE, Mode.FULL, HOSTILE), Units()).endswith(f"({SHOWN})")
    exits.result(HOSTILE)
    assert capsys.readouterr().out == SHOWN.replace("\\u000a", "\n") + "\n"


def test_tables_and_messages_show_it(capsys: pytest.CaptureFixture[str]) -> None:
    table = exits.table("a", "b", title=HOSTILE)
    exits.row(table, HOSTILE, "b")
    Console(width=200).print(table)
    with pytest.raises(BaseException):  # noqa: B017, PT011  # typer's own
        exits.stop(exits.Exit.REFUSED, HOSTILE, HOSTILE)
    shown = capsys.readouterr().out
    assert not set(shown) & set("\x1b\r\x9b\u202e")
    assert "\\u001b[1A" in shown
    assert "[red]" in shown


def test_the_log_on_a_terminal_shows_it() -> None:
    script = (
        "import structlog\nfrom exchange.cli import logs\nlogs.configure('info', 'console')\n"
        f"log = structlog.get_logger()\nlog.info('asked', reason={HOSTILE!r})\n"
        f"try:\n    raise ValueError({HOSTILE!r})\nexcept ValueError:\n    log.exception('failed')\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert "\x1b[1A" not in ended.stderr
    assert ended.stderr.count("\\u001b[1A") == 2


#: What prints nothing of anybody else: the drill's venue is its own.
OWN_WORDS = {"exits.py", "drill.py"}
BARE = re.compile(r"\b(?:typer\.echo|Table|\w+\.add_row)\((?!example_settings)")


def test_no_command_prints_past_that() -> None:
    """`result`, `row` and `stop` are the ways out."""
    for path in sorted((ROOT / "exchange" / "cli").glob("*.py")):
        found = BARE.findall(path.read_text())
        assert not found or path.name in OWN_WORDS, path.name
