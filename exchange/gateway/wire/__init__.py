"""The wire protocol: what clients send and what they read, in decimals, camel case and HTTP status codes.

Nothing here does I/O or knows a transport; REST and WebSocket both speak through it.
"""
