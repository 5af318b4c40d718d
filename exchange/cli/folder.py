"""The data folder a command works on: whose it is, and whether it holds what it should."""

from pathlib import Path
from typing import Any

import structlog

from exchange.cli.exits import Exit, stop
from exchange.cli.settings import Settings, load
from exchange.journal import errors
from exchange.journal.layout import witness_path
from exchange.journal.privacy import keep_private, refuse_links_in
from exchange.journal.recovery import require_journal

#: Paths that are named when more were narrowed; the rest is counted.
_NAMED = 5

_log = structlog.get_logger(__name__)


def exit_of(error: errors.JournalError) -> Exit:
    """What a journal that can't be used means for whoever started us."""
    match error:
        case errors.NoJournal():
            return Exit.NOT_FOUNDED
        case errors.JournalLocked():
            return Exit.DATA_LOCKED
        case errors.WitnessError():
            return Exit.BEHIND_WITNESS
        case errors.ClockBehind():
            return Exit.CLOCK_BEHIND
        case errors.WriterFailed():
            return Exit.JOURNAL_FAILED
        case errors.BackupError():
            return Exit.BACKUP_FAILED
        case errors.NotPrivate():
            return Exit.NOT_PRIVATE
    return Exit.JOURNAL_DAMAGED


def with_journal(config: Path | None, data: Path | None, **options: Any) -> Settings:
    """The settings of a command that needs records.

    Ends the program with `Exit.NOT_FOUNDED` where nothing was ever recorded, with `Exit.BEHIND_WITNESS` where the
    journal of what was recorded is gone.
    """
    settings = load(config, data=data, **options)
    need_journal(settings.data, settings.witness)
    return settings


def need_journal(data: Path, witness: Path | None = None) -> None:
    """The same for a folder that is known already."""
    try:
        refuse_links_in(data)
        require_journal(data, witness)
    except errors.NoJournal as error:
        stop(Exit.NOT_FOUNDED, str(error), "exchange init founds a venue")
    except errors.JournalError as error:
        stop(exit_of(error), str(error))


def keep_to_us(settings: Settings) -> None:
    """Keep everybody else on this machine out of the data folder and the witness, and log what was open to them.

    Ends the program with `Exit.NOT_PRIVATE` where it can't be done.
    """
    try:
        narrowed = keep_private(settings.data, witness_path(settings.data, settings.witness))
    except errors.NotPrivate as error:
        stop(Exit.NOT_PRIVATE, str(error))
    except OSError as error:
        stop(Exit.NOT_PRIVATE, f"can't look after the data folder: {error}")
    if narrowed:
        named = [str(path) for path in narrowed[:_NAMED]]
        _log.warning("files_were_open_to_others", count=len(narrowed), narrowed_to_us=named)
