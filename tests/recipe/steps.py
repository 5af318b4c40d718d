"""The recipe of CONTRIBUTING ("Add a command") walked with a small subject that no build has: what is added where.

Whole new files stand in `notes/`, with `.txt` behind their names; here is what changes in files that are there.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

#: What one adds.
SUBJECT, TRADER, ADMIN, MONEY, FIELD = "a subject", "a trader's command", "an admin's command", "money", "a state field"

ROOT: Final = Path(__file__).parents[2]
NEW: Final = Path(__file__).parent / "notes"
#: What a copy of the source needs to run its own checks.
COPIED: Final = ("exchange", "tests", "docs", "clients", "pyproject.toml", "Makefile", "ARCHITECTURE.md")


class Edit(NamedTuple):
    """`before` stands once in the file, and `added` comes right in front of it, or behind it."""

    of: str
    path: str
    before: str
    added: str
    behind: bool = False


EDITS: Final = (
    Edit(SUBJECT, "exchange/core/machine.py", "from exchange.core.orders import rows as orders\n",
         "from exchange.core.notes import rows as notes\n"),
    Edit(SUBJECT, "exchange/core/machine.py", ", windows, process)", ", notes"),
    Edit(SUBJECT, "exchange/values/commands.py", "from exchange.values.orders import commands as orders\n",
         "from exchange.values.notes import commands as notes\n"),
    Edit(SUBJECT, "exchange/values/commands.py", "orders.TraderCommand | accounts.TraderCommand",
         " | notes.TraderCommand", behind=True),
    Edit(SUBJECT, "exchange/values/commands.py", "    | windows.AdminCommand\n", "    | notes.AdminCommand\n"),
    Edit(SUBJECT, "exchange/values/events.py", "from exchange.values.orders import events as orders\n",
         "from exchange.values.notes import events as notes\n"),
    Edit(SUBJECT, "exchange/values/events.py", "    | windows.Events\n", "    | notes.Events\n"),
    Edit(SUBJECT, "exchange/gateway/application.py", "from exchange.gateway.orders import api as orders\n",
         "from exchange.gateway.notes import api as notes\n"),
    Edit(SUBJECT, "exchange/gateway/application.py", ", history, absent, admin_api)", ", notes"),
    Edit(SUBJECT, "exchange/gateway/session/methods.py", "from exchange.gateway.orders import methods as orders\n",
         "from exchange.gateway.notes import methods as notes\n"),
    Edit(SUBJECT, "exchange/gateway/session/methods.py", "*orders.METHODS,", " *notes.METHODS,", behind=True),
    Edit(FIELD, "exchange/core/state.py", '        "settings",\n        "spent_keys",\n',
         '        "note",\n'),
    Edit(FIELD, "exchange/core/state.py", "        self.settings = DEFAULT_SETTINGS\n", '        self.note = ""\n'),
    Edit(FIELD, "exchange/core/accounts/image.py", "    ended_client_ids: tuple[EndedImage, ...] = ()\n",
         '    note: str = ""\n', behind=True),
    Edit(TRADER, "docs/websocket.md", '{"id":8,"method":"session.cancelOnDisconnect","params":{"armed":true}}\n',
         '{"id":9,"method":"note.leave","params":{"text":"Back on Monday","asset":"USDC"}}\n', behind=True),
    Edit(TRADER, "clients/python/exchange_client/trading.py",
         "    async def _set(self, method: str, params: Params) -> None:\n",
         '    async def leave_note(self, text: str, asset: str) -> None:\n'
         '        """Leave a note at the account; it costs one atom of the asset."""\n'
         '        await self._set("note.leave", {"text": text, "asset": asset})\n\n'),
    Edit(ADMIN, "exchange/gateway/rest/admin_examples.py", "    RevokeKey(_ADMIN, KeyId(180)",
         '    RemoveNote(_ADMIN, _ACCOUNT, "Rude"),\n'),
    Edit(ADMIN, "exchange/gateway/rest/admin_examples.py", "from exchange.values.people.admins import AdminSpec\n",
         "from exchange.values.notes.commands import RemoveNote\n"),
    Edit(ADMIN, "exchange/cli/admin_accounts.py", "@key.command(\"revoke\")\n",
         '@account.command("remove-note")\n'
         "def remove_note(context: typer.Context, account: Account, reason: Reason) -> None:\n"
         '    """Remove the note at an account."""\n'
         "    send(context, RemoveNote(AdminId(0), AccountId(account), reason))\n\n\n"),
    Edit(ADMIN, "exchange/cli/admin_accounts.py", "\napp = typer.Typer()\n",
         "from exchange.values.notes.commands import RemoveNote\n"),
    Edit(ADMIN, "docs/runbook.md", "| `user-tier` |", "| `account remove-note` | support | support | yes |\n"),
    Edit(ADMIN, "tests/powers.py", '    Power(\n        "`user-tier`",\n',
         '    Power(\n        "`account remove-note`",\n        RemoveNote,\n'
         "        lambda s, a: [RemoveNote(a, _account(s), WHY)],\n"
         "        lambda s: not s.accounts[_account(s)].note,\n"
         "        _note_left,\n    ),\n"),
    Edit(ADMIN, "tests/powers.py", "def _fresh_account(staff: Staff)",
         "def _note_left(staff: Staff) -> None:\n"
         "    account = _account(staff.venue.state)\n"
         '    staff.venue.expect(LeaveNote(account, staff.venue.key(account), "hello", "USDC"))\n\n\n'),
    Edit(ADMIN, "tests/powers.py", "from exchange.values.people.commands import AddAdmin",
         "from exchange.values.notes.commands import LeaveNote, RemoveNote\n"),
)  # fmt: skip


#: Where one more of each is written down once its subject is there; commands with their ways in.
PLACES: Final[dict[str, tuple[str, ...]]] = {
    TRADER: (
        "exchange/values/notes/commands.py",
        "exchange/core/notes/decide.py",
        "exchange/core/notes/rows.py",
        "exchange/gateway/notes/wire.py",
        "exchange/gateway/notes/api.py",
        "exchange/gateway/notes/methods.py",
        "docs/websocket.md",
        "clients/python/exchange_client/trading.py",
        "tests/core/notes/probes.py",
        "tests/core/notes/test_notes.py",
    ),
    ADMIN: (
        "exchange/values/notes/commands.py",
        "exchange/core/notes/decide.py",
        "exchange/core/notes/rows.py",
        "exchange/gateway/rest/admin_examples.py",
        "exchange/cli/admin_accounts.py",
        "docs/runbook.md",
        "tests/core/notes/probes.py",
        "tests/powers.py",
    ),
    MONEY: (
        "exchange/values/notes/events.py",
        "exchange/core/notes/legs.py",
        "exchange/core/notes/evolve.py",
        "exchange/core/notes/rows.py",
    ),
    FIELD: ("exchange/core/state.py", "exchange/core/accounts/image.py"),
}


def copy(target: Path) -> None:
    """The source with its tests, as it is."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copy(source, target / name)


def add_files(target: Path) -> None:
    for path in NEW.rglob("*.txt"):
        file = (target / path.relative_to(NEW)).with_suffix("")
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, file)


def edit(target: Path, edits: Iterable[Edit]) -> None:
    for each in edits:
        file = target / each.path
        source = file.read_text()
        assert source.count(each.before) == 1, f"{each.path} has {each.before!r} {source.count(each.before)} times"
        both = each.before + each.added if each.behind else each.added + each.before
        file.write_text(source.replace(each.before, both))
