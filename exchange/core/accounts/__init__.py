"""Accounts, keys, settings and tiers."""
