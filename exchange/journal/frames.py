"""What the core and its journal writer say to each other over their socket pair: length-prefixed frames.

Core to writer: `BATCH` + encoded records joined by newlines.
Writer to core: `REPLY` + payload; the payload of STARTED and DURABLE is `END`, of LOCKED, FAILED and DAMAGED
a reason in UTF-8.
"""

import struct
from typing import Final

#: Length of the records in bytes, first seq.
BATCH: Final = struct.Struct("<IQ")
#: Kind, length of the payload in bytes.
REPLY: Final = struct.Struct("<BI")
#: The last durable seq, and its chain value.
END: Final = struct.Struct("<Q32s")

STARTED: Final = 1
DURABLE: Final = 2
LOCKED: Final = 3
FAILED: Final = 4
DAMAGED: Final = 5
