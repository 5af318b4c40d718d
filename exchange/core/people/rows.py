"""The rows of admins and proposals."""

from typing import Final

from exchange.core.people import decide, evolve
from exchange.core.rows import Admin, CommandRow, EventRow, TwoAdmins, Words, terms
from exchange.values.enums import Role
from exchange.values.people.commands import AddAdmin, ChangeAdmin, RevokeAdmin, WithdrawProposal
from exchange.values.people.events import AdminAdded, AdminChanged, AdminRevoked, CommandProposed, ProposalEnded

COMMANDS: Final = (
    CommandRow(AddAdmin, decide.add_admin, TwoAdmins(Role.APPROVER)),
    CommandRow(ChangeAdmin, decide.change_admin, TwoAdmins(Role.APPROVER)),
    CommandRow(RevokeAdmin, decide.revoke_admin, TwoAdmins(Role.APPROVER, harmless=decide.leaves_two)),
    CommandRow(WithdrawProposal, decide.withdraw_proposal, Admin(None)),
)

EVENTS: Final = (
    EventRow(AdminAdded, evolve.admin_added, Words.PLAIN, shown=True),
    EventRow(AdminChanged, evolve.admin_changed, Words.PLAIN, shown=True),
    EventRow(AdminRevoked, evolve.admin_revoked, Words.PLAIN, shown=True),
    EventRow(CommandProposed, evolve.command_proposed, Words.PLAIN, terms, shown=True),
    EventRow(ProposalEnded, evolve.proposal_ended, Words.PLAIN, shown=True),
)
