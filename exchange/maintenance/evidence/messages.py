"""What a process that makes a certificate is told, and what it says.

It takes a `Request` as JSON on standard input, says how far it is in lines of JSON on standard output
({"progress": {...}}), and last what it found ({"verdict": {...}}).
"""

import os
import sys
from collections.abc import Callable
from typing import Final

import msgspec

from exchange.journal.certified import SignedText
from exchange.journal.errors import JournalError
from exchange.values.windows.certificate import Gate, GateResult
from exchange.values.windows.plan import WindowId

#: Accounts and amounts named in a gate's operators' lines; a report is for people.
MAX_DETAILS: Final = 1_000
_NICE: Final = 10


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What to prove. `window` 0: a start without a window. `markets` empty: the whole venue.

    `live_seq` and `live_digest` are the running state's own, if it was asked. `seed` is the venue's
    signing key (base64). `gates`: only these (an incident asks for INVARIANTS alone), else all.
    """

    data: str
    seed: str
    time_us: int
    witness: str | None = None
    window: WindowId = WindowId(0)
    markets: tuple[str, ...] = ()
    live_seq: int = 0
    live_digest: str = ""
    gates: tuple[Gate, ...] = ()


class Progress(msgspec.Struct, frozen=True):
    """`done` of `total` records, or gates' own units; `gate` is the one being worked on."""

    gate: Gate
    done: int
    total: int


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """`reason` is public; `report` is the name of the operators' report, without its ending."""

    passed: bool
    results: tuple[GateResult, ...]
    reason: str
    report: str
    signed: SignedText | None = None


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the process's output."""

    progress: Progress | None = None
    verdict: Verdict | None = None


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One gate in the operators' report."""

    gate: Gate
    passed: bool
    evidence: str
    details: tuple[str, ...] = ()


class GatesReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """What operators read. Details are capped; `omitted` counts what is not in here."""

    build: str
    window: WindowId
    as_of_seq: int
    time_us: int
    findings: tuple[Finding, ...]
    seconds: float

    def text(self) -> str:
        lines = [f"# Gates, build {self.build}, window {self.window or 'none'}, as of record {self.as_of_seq}", ""]
        for finding in self.findings:
            lines.append(f"- **{finding.gate}** {'passed' if finding.passed else 'FAILED'}: {finding.evidence}")
            lines += [f"  - {line}" for line in finding.details[:MAX_DETAILS]]
            if len(finding.details) > MAX_DETAILS:
                lines.append(f"  - and {len(finding.details) - MAX_DETAILS} more")
        return "\n".join([*lines, "", f"Took {self.seconds:.1f} s.", ""])


def speak(work: Callable[[Request, Callable[[Said], None]], Verdict]) -> None:
    """Read a request, do `work`, say what came of it; ends the process with 1 if the journal can't be read."""
    os.nice(_NICE)
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    encode = msgspec.json.Encoder().encode

    def say(said: Said) -> None:
        sys.stdout.buffer.write(encode(said) + b"\n")
        sys.stdout.buffer.flush()

    try:
        say(Said(verdict=work(request, say)))
    except JournalError as error:
        print(f"{sys.argv[0]}: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)  # the exchange that asked is gone
