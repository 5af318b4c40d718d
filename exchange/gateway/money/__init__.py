"""Balances and what they are worth."""
