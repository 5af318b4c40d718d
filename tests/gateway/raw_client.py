"""A WebSocket client that sends exactly the bytes it is told to, also those no library would."""

import asyncio
import struct
from typing import NamedTuple

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
MASK = b"\x0a\x0b\x0c\x0d"
TIMEOUT_S = 5.0


class Frame(NamedTuple):
    opcode: int
    payload: bytes

    @property
    def close_code(self) -> int:
        return int.from_bytes(self.payload[:2], "big")


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, reserved: int = 0, masked: bool = True) -> bytes:
    """The bytes of one client frame; `reserved` holds the three reserved bits."""
    first = (0x80 if fin else 0) | (reserved << 4) | opcode
    mask_bit = 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head = bytes((first, mask_bit | size))
    elif size < 65_536:
        head = struct.pack("!BBH", first, mask_bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, mask_bit | 127, size)
    if not masked:
        return head + payload
    return head + MASK + bytes(byte ^ MASK[index % 4] for index, byte in enumerate(payload))


UPGRADE = (
    b"GET %b HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def upgrade(path: bytes = b"/", forwarded_for: str = "") -> bytes:
    """The request for an upgrade; `forwarded_for` is what a proxy says."""
    named = f"\r\nX-Forwarded-For: {forwarded_for}\r\n\r\n".encode() if forwarded_for else b"\r\n\r\n"
    return UPGRADE.replace(b"\r\n\r\n", named) % path


class RawClient:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int, path: bytes = b"/", limit: int = 2**16, forwarded_for: str = "") -> "RawClient":
        """Connected and upgraded."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=limit)
        client = cls(reader, writer)
        writer.write(upgrade(path, forwarded_for))
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), TIMEOUT_S)
        assert head.startswith(b"HTTP/1.1 101 "), head
        return client

    def send(self, *frames: bytes) -> None:
        """All of them in one write."""
        self.writer.write(b"".join(frames))

    async def receive(self) -> Frame:
        """Raises asyncio.IncompleteReadError when the connection has ended."""
        async with asyncio.timeout(TIMEOUT_S):
            first, second = await self.reader.readexactly(2)
            assert first & 0x70 == 0, "the server set reserved bits"
            assert second & 0x80 == 0, "the server masked a frame"
            size = second & 0x7F
            if size == 126:
                size = int.from_bytes(await self.reader.readexactly(2), "big")
            elif size == 127:
                size = int.from_bytes(await self.reader.readexactly(8), "big")
            return Frame(first & 0x0F, await self.reader.readexactly(size))

    async def receive_close(self) -> Frame:
        """The next close frame; what comes before it is passed over."""
        while (received := await self.receive()).opcode != CLOSE:
            pass
        return received

    async def ended(self) -> None:
        """Return once the server has closed the socket."""
        async with asyncio.timeout(TIMEOUT_S):
            try:
                await self.reader.read()
            except ConnectionError:
                pass

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            pass
