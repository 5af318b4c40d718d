"""Named rule versions: a change of behaviour, off until an `ActivateRule` command switches it on for ever.

`decide` asks `name in state.rules` and keeps both branches until every certified horizon has
passed the activation, so that a rehearsal of an honest build expects no difference at all.
"""

from typing import Final

#: A bid may rest below the lower, and an ask above the upper, end of the price band: neither can
#: trade at a price that surprises anybody. Before, both ends bound both sides.
BAND_BY_SIDE: Final = "band-by-side"

RULES: Final[dict[str, str]] = {
    BAND_BY_SIDE: "The price band bounds bids only from above and asks only from below.",
}
