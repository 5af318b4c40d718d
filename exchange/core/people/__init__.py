"""Admins, and what takes two of them."""
