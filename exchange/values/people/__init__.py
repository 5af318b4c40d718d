"""Admins."""
