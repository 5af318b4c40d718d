"""Journals of earlier builds fold to the digests those builds had, in every build since.

`python -m tests.core.test_golden NAME` writes a new one from the running build; the ones that are
there are never rewritten once released.
"""

import sys
from pathlib import Path
from typing import get_args

import pytest

from exchange.core import State, decide, fold
from exchange.core.digest import digest
from exchange.rules.versions import BAND_BY_SIDE
from exchange.values.accounts.commands import AddKey, RevokeKey, UpdateAccount
from exchange.values.accounts.settings import SettingsChange
from exchange.values.commands import AnyCommand
from exchange.values.enums import CancelReason, Mode, Pause, Role, Scope, Side
from exchange.values.ids import AccountId, AdminId
from exchange.values.listings.commands import ListAsset, ListMarket, SetFeeTiers, SetFilters, SetLimits
from exchange.values.listings.specs import AssetSpec, Limits, ListedMarket, spot_market
from exchange.values.modes.commands import DropToCancelOnly, ResumeModes, SetAutoResume, SetMode, SetPause
from exchange.values.orders.commands import CancelForAccount, SetCancelAllAfter, SetCancelOnDisconnect
from exchange.values.people.admins import AdminSpec
from exchange.values.people.commands import AddAdmin, ChangeAdmin, RevokeAdmin, WithdrawProposal
from exchange.values.process.commands import AcceptLoss, ActivateRule, ReportFault, StartProcess, StopProcess
from exchange.values.process.events import Faulted
from exchange.values.record import GENESIS_CHAIN, Record, decode, encode, link, seal, split
from exchange.values.windows.certificate import Gate
from exchange.values.windows.commands import (
    ApproveOpening,
    BeginVerifying,
    CancelWindow,
    ChangeWindow,
    DelayWindow,
    RotateVenueKey,
    WaiveGate,
)
from tests.core.windows import by_hand as maintenance
from tests.properties.flow import command, open_venue, random_choices
from tests.venue import ADMIN, FILTERS, TIERS, USDC, Venue, public_key

GOLDEN = Path(__file__).parent / "golden"
JOURNALS = sorted(GOLDEN.glob("*.jsonl"))


@pytest.mark.parametrize("path", JOURNALS, ids=lambda path: path.stem)
def test_an_old_journal_folds_to_its_digest(path: Path) -> None:
    state, chain = State(), GENESIS_CHAIN
    for line in path.read_bytes().splitlines():
        body, kept = split(line)
        chain = link(chain, body)
        assert chain == kept, state.seq + 1
        fold(state, decode(line))
    assert digest(state) == path.with_suffix(".digest").read_text().strip()


@pytest.mark.parametrize("path", JOURNALS, ids=lambda path: path.stem)
def test_this_build_decides_an_old_journal_as_it_was_decided(path: Path) -> None:
    state = State()
    for line in path.read_bytes().splitlines():
        record = decode(line)
        if not any(isinstance(event, Faulted) for event in record.events):
            assert decide(state, record.time_us, record.command) == record.events, record.seq
        fold(state, record)


def test_there_is_a_golden_journal() -> None:
    assert JOURNALS


def every_kind() -> list[Record]:
    """A history with every kind of command in it."""
    venue, accounts = open_venue()
    venue.expect(StartProcess("golden build", True))
    venue.expect(SetAutoResume(ADMIN, True, "golden"))
    second = maintenance.second_approver(venue)
    maintenance.approve(venue, maintenance.certify(venue), ADMIN, second)
    venue.open()
    for choice in random_choices(3, 150):
        venue.do(command(venue, accounts, choice))
    _administer(venue, accounts[0], second)
    for choice in random_choices(4, 100):
        venue.do(command(venue, accounts, choice))
    _maintain(venue, second)
    venue.expect(StopProcess("golden"))
    venue.expect(StartProcess("golden build", True))
    venue.do(ResumeModes())
    return venue.records


def _administer(venue: Venue, account: AccountId, second: AdminId) -> None:
    btc = AssetSpec("BTC", 8, "Bitcoin")
    listed = ListedMarket(spot_market(btc, USDC, 100_000_000, 10_000), FILTERS)
    key = venue.key(account)
    auditor = AdminSpec("auditor", public_key(3), (Role.AUDITOR,))
    [proposed] = venue.expect(AddAdmin(ADMIN, auditor, "too soon"))
    venue.expect(WithdrawProposal(second, proposed.proposal, "golden"))  # type: ignore[union-attr]
    [made] = venue.agree(AddAdmin(ADMIN, auditor, "golden"), second)
    admin: AdminId = made.admin  # type: ignore[union-attr]
    for agreed in (
        ChangeAdmin(ADMIN, admin, (Role.SUPPORT,), "golden"),
        ListAsset(ADMIN, btc, "golden"),
        ListMarket(ADMIN, listed, "golden"),
        SetFeeTiers(ADMIN, TIERS, "golden"),
        ActivateRule(ADMIN, BAND_BY_SIDE, "golden"),
    ):
        venue.agree(agreed, second)
    for wanted in (
        RevokeAdmin(ADMIN, admin, "golden"),
        SetFilters(ADMIN, "BTC_USDC", FILTERS, "golden"),
        SetLimits(ADMIN, Limits(500), "golden"),
        SetPause(ADMIN, Pause.DEPOSITS, True, "golden", "BTC"),
        UpdateAccount(account, key, SettingsChange(auto_lend=True)),
        SetCancelOnDisconnect(account, key, "session", True),
        SetCancelAllAfter(account, key, 1_000),
    ):
        venue.expect(wanted)
    venue.time_us += 1_000
    venue.expect(CancelForAccount(account, CancelReason.CANCEL_ALL_AFTER))
    venue.expect(ReportFault("BTC_USDC", "golden"))
    venue.do(SetMode(ADMIN, Mode.POST_ONLY, "golden", "BTC_USDC"))
    venue.expect(ReportFault("BTC_USDC", "golden"))
    venue.expect(DropToCancelOnly("golden"))
    [added] = venue.agree(AddKey(ADMIN, account, public_key(4), (Scope.READ,), reason="golden"), second)
    venue.expect(RevokeKey(ADMIN, added.key_id, "golden"))  # type: ignore[union-attr]
    venue.do(venue.limit(account, Side.BID, 9_000, 1))
    venue.do(SetMode(ADMIN, Mode.FULL, "golden"))


def _maintain(venue: Venue, second: AdminId) -> None:
    """A window from its plan to its end, with a gate that fails and is waived; then records are lost."""
    spare = maintenance.plan(venue, ahead_us=10**9)
    for wanted in (
        ChangeWindow(ADMIN, spare, maintenance.times(venue, 2 * 10**9)),
        CancelWindow(ADMIN, spare, "golden"),
    ):
        venue.expect(wanted)
    venue.agree(RotateVenueKey(ADMIN, public_key(900), False, "golden"), second)
    window = maintenance.plan(venue)
    maintenance.shut(venue, window)
    venue.expect(BeginVerifying(window))
    venue.expect(DelayWindow(window, "golden"))
    maintenance.fail(venue, window, Gate.FLOORS)
    for admin in (ADMIN, second):
        venue.expect(WaiveGate(admin, window, Gate.FLOORS, "golden"))
    certificate = maintenance.certify(venue, window, waived={Gate.FLOORS: (ADMIN, second)})
    for admin in (ADMIN, second):
        venue.expect(ApproveOpening(admin, certificate, "golden"))
    maintenance.open_window(venue, window)
    venue.expect(AcceptLoss(ADMIN, second, venue.state.seq + 3, "00" * 32, "golden"))


def write(name: str) -> None:
    """A journal with every kind of command that this build knows."""
    state, chain = State(), GENESIS_CHAIN
    lines = []
    records = every_kind()
    missing = set(get_args(AnyCommand)) - {type(record.command) for record in records}
    assert not missing, missing
    for record in records:
        fold(state, record)
        body = encode(record)
        chain = link(chain, body)
        lines.append(seal(body, chain))
    (GOLDEN / f"{name}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    (GOLDEN / f"{name}.digest").write_text(digest(state) + "\n")


if __name__ == "__main__":
    write(sys.argv[1])
