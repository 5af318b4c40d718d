"""The draft of a post-mortem as Markdown; sentences in brackets are for people to write."""

from collections.abc import Iterable, Iterator
from typing import Final

from exchange.maintenance.stories.incident_report import Affected, GateRun, IncidentReport
from exchange.values.text import visible, visible_lines
from exchange.values.times import stamp

#: Rows of one table; the JSON beside it has them all.
MAX_ROWS: Final = 200
_HELD_BY: Final = ("users", "venue", "custody", "clearing")


def text(report: IncidentReport) -> str:
    return visible_lines("\n".join(_lines(report))) + "\n"


def _lines(report: IncidentReport) -> Iterator[str]:
    yield f"# Incident on {report.venue}, records {report.from_seq} to {report.to_seq}"
    yield ""
    yield f"From {stamp(report.from_us)} to {stamp(report.to_us)}, {report.records} records. A draft made from records;"
    yield "times are UTC. What the gateway refused before it became a command (signatures, rates, malformed"
    yield "requests) is not among them: see the log and the metrics."
    if report.damage:
        yield f"\n**The records end here: {report.damage}**"
    for line in report.violations:
        yield f"\n**An invariant is broken as of record {report.to_seq}: {line}**"
    yield "\n## Summary\n\n[What happened, who was affected, for how long.]"
    yield "\n## Impact\n"
    yield from _impact(report)
    yield "\n## Timeline\n"
    yield from _cut(
        report.timeline, (f"- {stamp(h.time_us)} #{h.seq} {h.command} by {h.actor}: {h.said}" for h in report.timeline)
    )
    yield "\n## Modes\n"
    yield from _table(
        ("scope", "mode", "from", "until", "reason"),
        [
            (m.market or "venue", m.mode, stamp(m.from_us) if m.from_seq else "the beginning",
             "the end of the span" if m.to_us is None else stamp(m.to_us), m.reason)
            for m in report.modes
        ],
    )  # fmt: skip
    yield "\n## Gates\n"
    for run in report.gate_runs:
        yield from _gates(run)
    yield "\n## Certificates\n"
    yield from _table(
        ("id", "kind", "window", "as of record", "build", "statements", "root"),
        [
            (i.certificate_id, i.certificate.kind, i.certificate.window or "none", i.certificate.as_of_seq,
             i.certificate.build, i.certificate.statements, i.certificate.root)
            for i in report.certificates
        ],
    )  # fmt: skip
    yield "\n## Faults\n"
    yield from _table(
        ("record", "command", "account", "market", "error"),
        [(f.seq, f.command, f.account or "", f.market or "", f.error) for f in report.faults],
    )
    yield "\n## Refusals by code\n"
    yield from _table(
        ("code", "commands", "accounts", "first record", "last record"),
        [(r.code, r.commands, r.accounts, r.first_seq, r.last_seq) for r in report.refusals],
    )
    yield "\n## Accounts\n"
    yield from _table(
        ("account", "faults", "ended for them", "refused", "orders", "fills", "net change"),
        [_account(account) for account in report.accounts],
        report.accounts_omitted,
    )
    yield "\n## Totals\n"
    before = {total.asset: total for total in report.totals_before}
    yield from _table(
        ("asset", *(f"{held_by} {when}" for held_by in _HELD_BY for when in ("before", "after"))),
        [
            (after.asset, *(pair for name in (f"{held_by}_atoms" for held_by in _HELD_BY)
             for pair in (getattr(before.get(after.asset), name, 0), getattr(after, name))))
            for after in report.totals_after
        ],
    )  # fmt: skip
    yield f"\nIn atoms; {', '.join(_HELD_BY[:-1])} and {_HELD_BY[-1]} sum to zero."
    yield "\n## Cause\n\n[Why it happened; why it was not caught before.]"
    yield "\n## What changes\n\n[Who does what, by when.]"


def _impact(report: IncidentReport) -> Iterator[str]:
    down_us = sum(outage.to_us - outage.from_us for outage in report.outages)
    yield f"- {len(report.outages)} interruptions of the process, {down_us // 1000:,} ms in all:"
    for outage in report.outages:
        how = "after an orderly stop" if outage.clean else "after a crash"
        yield f"  - {stamp(outage.from_us)} to {stamp(outage.to_us)}, {how}; build {outage.build} came up"
    yield f"- {len(report.faults)} commands stopped by bugs of ours"
    yield f"- {sum(r.commands for r in report.refusals)} commands refused"
    yield f"- {sum(sum(a.ended_for_them.values()) for a in report.accounts)} orders ended other than by their owners"
    yield f"- {len(report.accounts) + report.accounts_omitted} accounts with a change or a refusal"
    for epoch, first_seq, last_seq in report.losses:
        yield f"- **records {first_seq} to {last_seq} are lost**; epoch {epoch} began behind them"


def _gates(run: GateRun) -> Iterator[str]:
    what = "passed or waived" if run.passed else "FAILED"
    yield f"- {stamp(run.time_us)} #{run.seq}, window {run.window or 'none'}: {what}"
    for result in run.results:
        said = "passed" if result.passed else "FAILED"
        if result.waived_by:
            said += f", waived by admins {' and '.join(map(str, result.waived_by))}"
        yield f"  - {result.gate} {said}: {visible(result.evidence)}"
        for finding in run.findings:
            if finding.gate is result.gate and not finding.passed:
                yield from _cut(finding.details, (f"    - {line}" for line in finding.details))


def _account(account: Affected) -> tuple[object, ...]:
    return (
        account.account,
        account.faulted,
        _counts(account.ended_for_them),
        _counts(account.refused),
        account.orders_placed,
        account.fills,
        "; ".join(f"{moved.bucket} {moved.said}" for moved in account.moved),
    )


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _table(header: tuple[str, ...], rows: list[tuple[object, ...]], omitted: int = 0) -> Iterator[str]:
    if not rows:
        yield "None."
        return
    yield f"| {' | '.join(header)} |"
    yield f"|{' --- |' * len(header)}"
    for row in rows[:MAX_ROWS]:
        # A reason is somebody's text: it must not end a cell.
        yield f"| {' | '.join(visible(str(cell)).replace('|', '/') for cell in row)} |"
    if (left := len(rows) + omitted - MAX_ROWS) > 0:
        yield f"\nAnd {left} more."


def _cut(all_of: tuple[object, ...], lines: Iterable[str]) -> Iterator[str]:
    """The latest lines, and how many were before them."""
    if (left := len(all_of) - MAX_ROWS) > 0:
        yield f"({left} earlier lines are in the JSON.)"
    yield from (visible(line) for line in list(lines)[-MAX_ROWS:])
