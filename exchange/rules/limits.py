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
#: Public keys that were revoked are nobody's again, so they are kept: of a sub-account and of all admins at most these,
#: a rotation a day for 27 years. Beyond, no key is added.
MAX_REVOKED_KEYS: Final = 10_000
#: Keys the venue has signed with, the one in force included; certificates of all of them are checked.
MAX_VENUE_KEYS: Final = 1_000
#: Armed cancel-on-disconnect sessions per sub-account.
MAX_ARMED_SESSIONS: Final = 50
