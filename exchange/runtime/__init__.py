"""Asyncio around the core: market tasks, commit, outbox, timers, streams; the follower and its read models."""
