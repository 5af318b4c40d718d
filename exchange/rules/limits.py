"""Bounds of the core's own work. A command returns a bounded number of events; these are the bounds."""

from typing import Final

#: A taker matches at most this many resting orders; what is left then ends Expired (InsufficientLiquidity).
MAX_MATCHES_PER_ORDER: Final = 1_000
#: Orders one `CancelForAccount` ends; the rest stays due and follows in the next record.
MAX_CANCELS_PER_COMMAND: Final = 500
#: Longest dead-man's switch: a day.
MAX_CANCEL_ALL_AFTER_US: Final = 24 * 3600 * 1_000_000
#: Windows that have not ended, and how far ahead one may reach: a year.
MAX_OPEN_WINDOWS: Final = 100
MAX_WINDOW_AHEAD_US: Final = 366 * 24 * 3600 * 1_000_000
#: Admins in force; commands that wait for a second person, in all and of one admin, and how long one waits: a day.
MAX_ADMINS: Final = 100
MAX_PROPOSALS: Final = 100
MAX_PROPOSALS_PER_ADMIN: Final = 10
PROPOSAL_LIFE_US: Final = 24 * 3600 * 1_000_000
#: API keys in force per sub-account.
MAX_KEYS_PER_ACCOUNT: Final = 50
#: Armed cancel-on-disconnect sessions per sub-account.
MAX_ARMED_SESSIONS: Final = 50
