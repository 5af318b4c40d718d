"""Sockets and bytes: servers, frames, whose bytes are read when, and who gives way when there are too many."""
