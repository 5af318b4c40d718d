"""Structured logs: for a person on a terminal, one JSON object a line elsewhere. They never hold secrets."""

import logging
import re
import sys
from contextlib import suppress
from io import StringIO
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from exchange.values.text import visible, visible_lines

#: A traceback shows where, never what: local variables hold keys, signatures and orders.
_TRACEBACKS: Final = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)
#: The base64 of 32 and of 64 bytes: a key, a seed, a signature.
_SECRET: Final = re.compile(r"[A-Za-z0-9+/]{86}==|[A-Za-z0-9+/]{43}=")


def configure(level: str, form: Literal["auto", "console", "json"]) -> None:
    """Send every log line of this process, uvicorn's too, to standard error."""
    for_person = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor] = (
        [_visible, _whatever(structlog.dev.ConsoleRenderer(exception_formatter=_traceback)), _without_secrets]
        if for_person
        else [_TRACEBACKS, _whatever(structlog.processors.JSONRenderer()), _without_secrets]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(_Errors()),  # type: ignore[arg-type]  # all it needs of a file
        cache_logger_on_first_use=True,
    )
    # Libraries log through the standard module; their lines take the same form.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last], foreign_pre_chain=shared
        )
    )
    logging.basicConfig(level=max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]), handlers=[handler])


def _whatever(render: Processor) -> Processor:
    """As `render`; what it can't show is written as it is, and is no error of whoever logs."""

    def rendered(logger: WrappedLogger, method: str, line: EventDict) -> Any:
        told = dict(line)
        try:
            return render(logger, method, line)
        except Exception:
            return repr(told)

    return rendered


class _Errors:
    """Standard error; what can't be written there (a full disk, a reader that is gone) is lost, and nothing more."""

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def _visible(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """On a terminal what others wrote is text and nothing else."""
    lines = ("stack", "exception")
    return {
        name: (visible_lines if name in lines else visible)(value) if isinstance(value, str) else value
        for name, value in line.items()
    }


def _traceback(to: TextIO, error: ExcInfo) -> None:
    text = StringIO()
    structlog.dev.plain_traceback(text, error)
    to.write(visible_lines(text.getvalue()))


def _without_secrets(_logger: WrappedLogger, _method: str, line: EventDict | str) -> str:
    """The finished line; what an error's own message may have quoted is taken out."""
    return _SECRET.sub("***", str(line))
