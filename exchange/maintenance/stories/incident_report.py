"""What a post-mortem's draft holds: the facts of a span, as data."""

import msgspec

from exchange.maintenance.evidence.messages import Finding
from exchange.values.enums import Mode
from exchange.values.ids import AccountId
from exchange.values.windows.certificate import AssetTotal, Certificate, CertificateId, GateResult
from exchange.values.windows.plan import WindowId


class Happening(msgspec.Struct, frozen=True):
    """A line of the timeline."""

    seq: int
    time_us: int
    actor: str
    command: str
    said: str


class ModeSpan(msgspec.Struct, frozen=True):
    """A mode in force; `market` "" is the venue's own. `to_us` None: until the end of the span."""

    market: str
    mode: Mode
    reason: str
    from_seq: int
    from_us: int
    to_us: int | None


class Outage(msgspec.Struct, frozen=True):
    """From the last record of a process to the start of the next. `clean`: it had been stopped in order."""

    from_us: int
    to_us: int
    clean: bool
    build: str


class GateRun(msgspec.Struct, frozen=True):
    """What the gates found. `findings` is the operators' report, where it still lies in the data folder."""

    seq: int
    time_us: int
    window: WindowId
    passed: bool
    results: tuple[GateResult, ...]
    report: str = ""
    findings: tuple[Finding, ...] = ()


class Issued(msgspec.Struct, frozen=True):
    certificate_id: CertificateId
    seq: int
    certificate: Certificate


class Fault(msgspec.Struct, frozen=True):
    """A command a bug of ours stopped, or what the venue braked for by itself."""

    seq: int
    command: str
    account: int | None
    market: str | None
    error: str


class RefusedCode(msgspec.Struct, frozen=True):
    """Commands that were refused with one code."""

    code: str
    commands: int
    accounts: int
    first_seq: int
    last_seq: int


class NetChange(msgspec.Struct, frozen=True):
    """Net change of one bucket over the span, and the same in units."""

    asset: str
    bucket: str
    atoms: int
    said: str


class Affected(msgspec.Struct, frozen=True):
    """What the span did to an account. `ended_for_them`: orders ended for another reason than their own request."""

    account: AccountId
    faulted: int
    refused: dict[str, int]
    ended_for_them: dict[str, int]
    orders_placed: int
    fills: int
    moved: tuple[NetChange, ...]


class IncidentReport(msgspec.Struct, frozen=True):
    """The draft as data; `text` of `incident_text` is the same for people."""

    venue: str
    from_seq: int
    to_seq: int
    from_us: int
    to_us: int
    records: int
    damage: str
    timeline: tuple[Happening, ...]
    timeline_omitted: int
    modes: tuple[ModeSpan, ...]
    outages: tuple[Outage, ...]
    gate_runs: tuple[GateRun, ...]
    certificates: tuple[Issued, ...]
    faults: tuple[Fault, ...]
    losses: tuple[tuple[int, int, int], ...]
    refusals: tuple[RefusedCode, ...]
    accounts: tuple[Affected, ...]
    accounts_omitted: int
    totals_before: tuple[AssetTotal, ...]
    totals_after: tuple[AssetTotal, ...]
    violations: tuple[str, ...]

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self))
