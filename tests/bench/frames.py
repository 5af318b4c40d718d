"""WebSocket frames built ahead of time, so that sending one costs the load generator a copy."""

import struct


def _header(first: int, length: int, mask_bit: int) -> bytes:
    if length < 126:
        return bytes((first, mask_bit | length))
    if length < 65_536:
        return struct.pack(">BBH", first, mask_bit | 126, length)
    return struct.pack(">BBQ", first, mask_bit | 127, length)


def server_frame(payload: bytes) -> bytes:
    """One unmasked text frame."""
    return _header(0x81, len(payload), 0) + payload


def client_frame(payload: bytes) -> bytes:
    """One text frame masked with a key of zeros: masked as the protocol demands, and still readable."""
    return _header(0x81, len(payload), 0x80) + bytes(4) + payload
