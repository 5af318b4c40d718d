"""Orders, the books they stand in, and matching."""
