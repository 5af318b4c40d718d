"""Balances and what moves them without a trade."""
