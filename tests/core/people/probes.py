"""Probes of admins and proposals."""

from exchange.values.commands import AnyCommand
from exchange.values.enums import Role
from exchange.values.ids import AdminId, ProposalId
from exchange.values.people.admins import AdminSpec
from exchange.values.people.commands import AddAdmin, ChangeAdmin, RevokeAdmin, WithdrawProposal
from exchange.values.refusals import Code
from tests.probes import Numbers, Probe, Scene
from tests.venue import ADMIN, public_key


def _added(s: Scene, n: Numbers) -> AdminId:
    """One that a flow has added: it goes on with the two it began with."""
    added = [admin for admin, spec in sorted(s.venue.state.admins.items()) if spec.name == "flow"]
    return added[n.number % len(added)] if added else AdminId(n.number)


def _add(admin: AdminId, key: int) -> AnyCommand:
    return AddAdmin(admin, AdminSpec("flow", public_key(key), (Role.AUDITOR,)), "test")


def _withdraw(s: Scene, n: Numbers) -> AnyCommand:
    waiting = sorted(s.venue.state.proposals)
    return WithdrawProposal(s.admin(n), waiting[n.number % len(waiting)] if waiting else ProposalId(1), "test")


def _withdraw_proposed(s: Scene) -> AnyCommand:
    s.venue.expect(_add(ADMIN, 999))
    return WithdrawProposal(ADMIN, min(s.venue.state.proposals), "test")


PROBES = (
    Probe(
        AddAdmin,
        lambda s, n: _add(s.admin(n), 920_000 + n.number),
        lambda s: _add(ADMIN, 999),
        lambda s: _add(ADMIN, 2),
        Code.PRECONDITION_FAILED,
    ),
    Probe(
        ChangeAdmin,
        lambda s, n: ChangeAdmin(s.admin(n), _added(s, n), (Role.AUDITOR, Role.SUPPORT)[: 1 + n.number % 2], "test"),
        lambda s: ChangeAdmin(ADMIN, s.second, (Role.APPROVER,), "test"),
        lambda s: ChangeAdmin(ADMIN, AdminId(1), (Role.APPROVER,), "test"),
        Code.RESOURCE_NOT_FOUND,
    ),
    Probe(
        RevokeAdmin,
        lambda s, n: RevokeAdmin(s.admin(n), _added(s, n), "test"),
        lambda s: RevokeAdmin(ADMIN, s.second, "test"),
        lambda s: RevokeAdmin(ADMIN, AdminId(1), "test"),
        Code.RESOURCE_NOT_FOUND,
    ),
    Probe(
        WithdrawProposal,
        _withdraw,
        _withdraw_proposed,
        lambda s: WithdrawProposal(ADMIN, ProposalId(1), "test"),
        Code.RESOURCE_NOT_FOUND,
    ),
)
